"""What a report shows of one direction: its pictures, its name and note, its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganwalk.directions import Directions
from ganwalk.evaluation.meanings import NO_EFFECT, has_no_effect
from ganwalk.rendering.report.barcodes import BarcodeAxes, draw_barcode
from ganwalk.rendering.report.heat import heat_figure
from ganwalk.rendering.report.markup import attributes, in_sigma, text
from ganwalk.rendering.report.strips import Strip
from ganwalk.rendering.report.tables import effect_table, score_list, score_names
from ganwalk.samples import Samples


@dataclass(frozen=True)
class Scores:
    """What an evaluation says, as far as cards show it, with the axes that they share.

    Attributes:
        facts: from `Evaluation.to_json`, or checked by `load_evaluation`.
        axes: of all barcodes.
        top: largest effect of any direction on any factor.
    """

    facts: dict[str, Any]
    axes: BarcodeAxes
    top: float

    @staticmethod
    def of(facts: dict[str, Any]) -> Scores:
        """Scores with axes that suit all directions."""
        matrix = facts["effects"]["matrix"] if facts.get("effects") else []
        top = max((value for row in matrix for value in row), default=0.0)
        return Scores(facts, BarcodeAxes.of(facts["barcodes"]), top if top > 0 else 1.0)


def card(
    directions: Directions,
    index: int,
    samples: Samples,
    strips: Sequence[Strip],
    amplitudes: Sequence[float],
    scores: Scores | None,
    heat: tuple[np.ndarray, np.ndarray],
) -> str:
    """One article; its scrubber is hidden until the script shows it, its strips are always there.

    Args:
        heat: where the direction changes pictures, a map per σ, and the first sample, which it is shown on.
    """
    label = directions.labels[index]
    title = text(directions.title(index))
    row = scores.facts["directions"][index] if scores else {}
    sortable = {f"data-{name}": row[name] for name in score_names([row])}
    marks = ' <span class="star">★ starred</span>' * label.starred
    marks += ' <span class="faint">(hidden)</span>' * label.hidden
    marks += f' <span class="faint">{NO_EFFECT}</span>' * has_no_effect(row)
    ends = None if directions.reach is None else directions.reach.ends_of(index)
    films = "".join(
        _film(title, sample, strip, amplitudes, ends, first=k == 0)
        for k, (sample, strip) in enumerate(zip(samples, strips, strict=True))
    )
    return "\n".join(
        [
            f'<article class="card" id="direction-{index}" aria-labelledby="title-{index}"'
            f"{attributes({'data-index': index, 'data-starred': int(label.starred), **sortable})}>",
            f'<h3 id="title-{index}">Direction {title}{marks}</h3>',
            f'<p class="note">{text(label.note)}</p>' if label.note else "",
            reach_words(directions, index),
            '<div class="parts">',
            _scrubber(index, title, samples, strips, amplitudes),
            f'<div class="films">{heat_figure(title, samples.select([0]), *heat)}<div>{films}</div></div>',
            _facts(index, title, scores, row) if scores else "",
            "</div>",
            "</article>",
        ]
    )


def _scrubber(index: int, title: str, samples: Samples, strips: Sequence[Strip], amplitudes: Sequence[float]) -> str:
    """A large picture per sample, and one slider that moves all of them."""
    start = min(range(len(amplitudes)), key=lambda k: abs(amplitudes[k]))
    words = [in_sigma(amplitude) for amplitude in amplitudes]
    views = "".join(
        f'<figure><canvas width="{strip.cell}" height="{strip.height}" role="img" '
        f'aria-label="{text(sample.titles[0])} along direction {title}"></canvas>'
        f"<figcaption>{text(sample.labels[0])}</figcaption></figure>"
        for sample, strip in zip(samples, strips, strict=True)
    )
    slider = attributes(
        {
            "id": f"amplitude-{index}",
            "min": 0,
            "max": len(amplitudes) - 1,
            "step": 1,
            "value": start,
            "aria-valuetext": words[start],
            "data-words": "|".join(words),
        }
    )
    return (
        f'<div class="scrubber" hidden><div class="views">{views}</div><div class="controls">'
        f'<label for="amplitude-{index}">Amplitude<span class="unseen"> of direction {title}</span></label>'
        f'<input type="range"{slider}><output for="amplitude-{index}">{words[start]}</output>'
        f'<button type="button" class="play"><span class="verb">Play</span>'
        f'<span class="unseen"> direction {title}</span></button></div></div>'
    )


def reach_words(directions: Directions, index: int) -> str:
    """A line on how far a direction goes, if it was measured."""
    reach = directions.reach
    if reach is None:
        return ""
    return (
        f'<p class="note">Reach: {reach.words(index)}, where {100 * reach.share:g} % of samples have left the '
        "distribution or change no more.</p>"
    )


def _film(
    title: str,
    sample: Samples,
    strip: Strip,
    amplitudes: Sequence[float],
    ends: tuple[float, float] | None,
    *,
    first: bool,
) -> str:
    """The strip itself, with its amplitudes above the first one of a direction, paler beyond the reach."""
    words = [in_sigma(amplitude) for amplitude in amplitudes]
    keys = {0, (len(words) - 1) // 2, len(words) - 1}
    ticks = "".join(f'<span class="{"key" if k in keys else "other"}">{word}</span>' for k, word in enumerate(words))
    scale = f'<div class="ticks" aria-hidden="true">{ticks}</div>' * first
    walked = f"{text(sample.titles[0])} along direction {title}"
    alternative = f"{walked}: {len(words)} pictures from {words[0]} to {words[-1]}"
    return (
        f'<figure class="film">{scale}<div class="frames"><img src="{strip.uri}" width="{strip.cell * strip.steps}" '
        f'height="{strip.height}" alt="{alternative}">{_beyond(amplitudes, ends)}'
        '<span class="marker" hidden></span></div>'
        f"<figcaption>{text(sample.labels[0])}</figcaption></figure>"
    )


def _beyond(amplitudes: Sequence[float], ends: tuple[float, float] | None) -> str:
    """A veil on the pictures of a strip that are beyond the reach."""
    if ends is None:
        return ""
    count = len(amplitudes)
    before = sum(amplitude < ends[0] for amplitude in amplitudes)
    after = sum(amplitude > ends[1] for amplitude in amplitudes)
    veils = [(0, before)] * (before > 0) + [(count - after, after)] * (after > 0)
    parts = "".join(f'<rect x="{x}" width="{width}" height="1"/>' for x, width in veils)
    box = f'viewBox="0 0 {count} 1" preserveAspectRatio="none"'
    return f'<svg class="beyond" {box} aria-hidden="true">{parts}</svg>' if parts else ""


def _facts(index: int, title: str, scores: Scores, row: dict[str, Any]) -> str:
    barcode = draw_barcode(
        scores.facts["barcodes"][index], scores.axes, f"barcode-{index}", f"Barcode of direction {title}"
    )
    effects = scores.facts.get("effects")
    bars = ""
    if effects and effects["names"]:
        caption = f'Effects on factors<span class="unseen"> of direction {title}</span>'
        bars = effect_table(f"effects-{index}", caption, effects["names"], effects["matrix"][index], scores.top)
    return f'<div class="facts">{score_list(row)}{barcode}{bars}</div>'
