"""Names and notes of directions from what was measured of them: pure functions, whose thresholds are here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ganwalk.directions.labels import EFFECT_UNIT, MAX_NAME, MAX_NOTE, Label, numbered_name
from ganwalk.errors import one_line
from ganwalk.evaluation.effects import strongest_factor
from ganwalk.evaluation.factors import Factor
from ganwalk.evaluation.meanings import NO_EFFECT
from ganwalk.naming.appearance import Appearance, Trend
from ganwalk.rendering.saliency import HARDLY_SEEN

UNCLEAR, HARDLY = "unclear", "hardly anything"
# Of a signed effect or a trend: from here on, samples agree on where it goes; three of four then go the same way.
_AGREED = 0.5
# Share of a change that new colours explain, from which it is none of shapes.
_RECOLOURED = 0.6
# Change of a logarithm that is seen: a twentieth more or less; of sharpness, which shapes change too, a fifth.
_SEEN, _SEEN_OF_SHARPNESS = 0.05, 0.2
# Mean change of a pixel below which a shift is faint, and from which it is strong.
_FAINT, _STRONG = 0.01, 0.06
# Characters of a name that are left for a factor's own name.
_FACTOR = 45
_VERBS = {"linear": ("rises", "falls"), "circular": ("turns forwards", "turns backwards")}


@dataclass(frozen=True)
class Suggestion:
    """What a direction may be called.

    Attributes:
        name: as of `Label`; other directions may have the same (`with_names` numbers them).
        note: what the name rests on.
        facts: the numbers, as JSON can hold them.
    """

    name: str
    note: str
    facts: dict[str, Any] = field(default_factory=dict)


def after_factor(
    factors: Sequence[Factor], effects: Sequence[float], signed: Sequence[float], purity: float
) -> Suggestion:
    """A name after the factor that a direction moves most.

    Linear factors are "more scale" or "less scale" where the samples agree. Hues and classes, of which there is no
    more and less, and linear factors that go either way are called by their name alone. A direction whose strongest
    factor has less than a share `purity` of its effects is "unclear"; one that moves no factor has "no effect".

    Args:
        factors: that were read.
        effects, signed: rows (f,) of the direction in the matrices of `effect_matrices`.
    """
    names = [one_line(factor.name, _FACTOR) for factor in factors]
    row = strongest_factor(names, effects)
    facts = {**row, "signed": dict(zip(names, signed, strict=True))}
    order = sorted(range(len(names)), key=lambda k: -effects[k])
    first = order[0]
    strength = f"{effects[first]:.2f} {EFFECT_UNIT}"
    if row["factor"] is None:
        return Suggestion(NO_EFFECT, f"moves no factor; most of all {names[first]}: {strength}", facts)
    shares = [f"{names[k]} {effects[k]:.2f} {EFFECT_UNIT}" for k in order[:2]]
    if row["purity"] < purity:
        # Rounded down: nearly the share that would do is not that share.
        share = f"{math.floor(100 * row['purity'])} %"
        return Suggestion(UNCLEAR, f"{' and '.join(shares)}; the first is {share} of its effect", facts)
    kind, name = factors[first].kind, names[first]
    verb = "changes"
    if kind in _VERBS and abs(signed[first]) >= _AGREED * effects[first]:
        verb = _VERBS[kind][signed[first] < 0]
    called = {"rises": f"more {name}", "falls": f"less {name}"}.get(verb, name)
    return Suggestion(_allowed(called), f"{name} {verb}; {_percent(row['purity'])} of its effect; {strength}", facts)


def after_appearance(appearance: Appearance) -> Suggestion:
    """A name after what changes in the picture, and where: such as "brighter on the left" or "shape in the centre"."""
    facts = appearance.to_json()
    if appearance.saliency.max() < HARDLY_SEEN:
        return Suggestion(HARDLY, f"no pixel changes by {100 * HARDLY_SEEN:.0f} % of its range in the mean", facts)
    strength = "faint" if appearance.amount < _FAINT else "strong" if appearance.amount >= _STRONG else "medium"
    parts = [
        f"{strength}: pixels change by {float(f'{100 * appearance.amount:.2g}'):g} % of their range",
        f"{_percent(appearance.recoloured)} of that by new colours, the rest by shapes",
    ]
    parts += [f"{word} {100 * change:+.0f} %".replace("-", "−") for word, change in _told(appearance)]
    return Suggestion(f"{_what(appearance)} {appearance.place}", "; ".join(parts), facts)


def _what(appearance: Appearance) -> str:
    """What changes, in a word or two."""
    if appearance.recoloured < _RECOLOURED:
        if _goes(appearance.sharpness, _SEEN_OF_SHARPNESS):
            return "sharper" if appearance.sharpness.change > 0 else "softer"
        return "shape"
    if appearance.coloured < 0.5:
        if _goes(appearance.brightness):
            return "brighter" if appearance.brightness.change > 0 else "darker"
        if _goes(appearance.contrast, _SEEN):
            return "more contrast" if appearance.contrast.change > 0 else "less contrast"
        return "light"
    red, yellow, colourful = appearance.redness, appearance.yellowness, appearance.colourfulness
    first = max(red, yellow, colourful, key=lambda trend: trend.agreement)
    if not _goes(first):
        return "colour"
    if first is red:
        return "redder" if red.change > 0 else "greener"
    if first is yellow:
        return "yellower" if yellow.change > 0 else "bluer"
    contrast = appearance.contrast
    if _goes(contrast, _SEEN) and (contrast.change > 0) == (colourful.change > 0):
        # Colours move away from grey with everything else.
        return "more contrast" if contrast.change > 0 else "less contrast"
    return "more colourful" if colourful.change > 0 else "paler"


def _told(appearance: Appearance) -> list[tuple[str, float]]:
    """The changes that samples agree on and that are seen, whatever the name says, as shares."""
    values = {"brightness there": appearance.brightness, "colourfulness there": appearance.colourfulness}
    told = [(word, trend.change) for word, trend in values.items() if _goes(trend, HARDLY_SEEN)]
    logarithms = {"contrast": (appearance.contrast, _SEEN), "sharpness": (appearance.sharpness, _SEEN_OF_SHARPNESS)}
    told += [(word, math.expm1(trend.change)) for word, (trend, least) in logarithms.items() if _goes(trend, least)]
    return told


def _goes(trend: Trend, least: float = 0.0) -> bool:
    """Whether samples agree on a trend, and it is no smaller than `least`."""
    return trend.agreement >= _AGREED and abs(trend.change) >= least


def with_names(
    labels: Sequence[Label], suggestions: Mapping[int, Suggestion], *, force: bool = False
) -> tuple[Label, ...]:
    """Labels with the suggested names; names that are there already, and notes, stay unless `force`.

    Of directions with one name the first has it as it is, the others a number behind it.

    Args:
        labels: one for each direction.
        suggestions: by the index of the direction.
    """
    renamed = {k for k in suggestions if force or not labels[k].name}
    taken = {label.name.casefold() for k, label in enumerate(labels) if k not in renamed}
    named = list(labels)
    for k in sorted(renamed):
        suggestion, label = suggestions[k], labels[k]
        name = numbered_name(suggestion.name[:MAX_NAME].strip(), taken)
        taken.add(name.casefold())
        note = label.note if label.note and not force else one_line(suggestion.note, MAX_NOTE)
        named[k] = replace(label, name=name, note=note)
    return tuple(named)


def _allowed(name: str) -> str:
    """The name of a factor as one that a direction may have: `Label` refuses numbers and "all"."""
    return f"factor {name}" if name.isdecimal() or name.casefold() == "all" else name


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
