"""Who is first by a score, and how sure that is: methods, or settings, that were run with the same seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from ganwalk.statistics import LEVEL, PairedDifference, paired_differences, summarise


class Relation(Enum):
    """What is known of the first method against another one, over the seeds that both have.

    APART: ahead, with a corrected p value below 0.05. UNCLEAR: ahead or not, the difference can be chance. LEVEL: both
    have the same values. CONSTANT: ahead by the same difference with every seed, which no test can judge. BEHIND: the
    other one is ahead on these seeds, clearly or with each of them alike. SINGLE: there is one such seed. UNPAIRED:
    there is none.
    """

    APART = "apart"
    UNCLEAR = "unclear"
    LEVEL = "level"
    CONSTANT = "constant"
    BEHIND = "behind"
    SINGLE = "single"
    UNPAIRED = "unpaired"


@dataclass(frozen=True)
class Standing:
    """Methods by one score.

    Attributes:
        order: methods that have values, the best mean first; each mean is over all seeds of its method.
        lower_is_better: whether the best mean is the lowest.
        pairs: `statistics.paired_differences` of all methods, in the order they were given in.
    """

    order: tuple[str, ...]
    lower_is_better: bool
    pairs: Mapping[tuple[str, str], PairedDifference]

    @property
    def first(self) -> str:
        return self.order[0]

    @property
    def others(self) -> tuple[str, ...]:
        return self.order[1:]

    @property
    def comparisons(self) -> int:
        """Pairs that could be tested, over which p values are corrected."""
        return sum(pair.tested for pair in self.pairs.values())

    def lead(self, other: str) -> PairedDifference | None:
        """The first method minus another one; None if they share no seed."""
        if (self.first, other) in self.pairs:
            return self.pairs[self.first, other]
        found = self.pairs.get((other, self.first))
        return None if found is None else found.reversed()

    def relation(self, other: str) -> Relation:
        """What is known of the first method against another one."""
        lead = self.lead(other)
        if lead is None:
            return Relation.UNPAIRED
        if lead.count == 1:
            return Relation.SINGLE
        if lead.equal:
            return Relation.LEVEL
        if lead.p_corrected is not None and lead.p_corrected >= LEVEL:
            return Relation.UNCLEAR
        if (lead.mean > 0) == self.lower_is_better:
            return Relation.BEHIND
        return Relation.APART if lead.tested else Relation.CONSTANT

    def related(self, relation: Relation) -> list[str]:
        """Other methods of which this is known, the best first."""
        return [other for other in self.others if self.relation(other) is relation]

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it: null where there is no p value, effect size or interval."""
        return {
            "first": self.first,
            "lower_is_better": self.lower_is_better,
            "comparisons": self.comparisons,
            "relations": {other: self.relation(other).value for other in self.others},
            "pairs": [
                {"method": one, "other": other, **_facts(difference)} for (one, other), difference in self.pairs.items()
            ],
        }


def standing(values: Mapping[str, Mapping[int, float]], *, lower_is_better: bool = False) -> Standing | None:
    """Methods by one score.

    Args:
        values: of the score, finite, by method, then seed; methods may have different seeds, or none.
    Returns:
        None if no method has a value. Of methods with the same mean the earlier one comes first.
    """
    means = {method: found.mean for method, own in values.items() if (found := summarise(list(own.values())))}
    if not means:
        return None
    order = sorted(means, key=lambda method: means[method] if lower_is_better else -means[method])
    return Standing(tuple(order), lower_is_better, paired_differences({method: values[method] for method in means}))


def how_sure(found: Standing, quote: str = "") -> str:
    """How far the first method is ahead, and from which others that tells it, as the end of "... is first".

    Args:
        quote: what names of methods stand between.
    """

    def listed(methods: Sequence[str]) -> str:
        return ", ".join(f"{quote}{method}{quote}" for method in methods)

    def told(relation: Relation, before: str, after: str = "") -> list[str]:
        methods = found.related(relation)
        return [f"{before}{listed(methods)}{after}"] if methods else []

    if not found.others:
        return "the only one with a value"
    parts = told(Relation.UNCLEAR, "but not told apart from ")
    apart = found.related(Relation.APART)
    if apart and parts:
        parts.append(f"told apart from {listed(apart)}")
    elif apart:
        lead = found.lead(apart[0])
        assert lead is not None
        parts.append(f"by {difference_in_words(lead)} over {listed(apart[:1])}, {p_in_words(lead, found.comparisons)}")
        if len(apart) > 1:
            parts.append(f"told apart from {listed(apart[1:])} too")
    parts += told(Relation.LEVEL, "with the same values as ")
    parts += told(Relation.CONSTANT, "ahead of ", " by the same difference with every seed, which no test can judge")
    parts += told(Relation.BEHIND, "but behind ", " on the seeds that both have")
    parts += told(Relation.SINGLE, "one seed gives no interval against ")
    parts += told(Relation.UNPAIRED, "no seed in common with ")
    return "; ".join(parts)


def difference_in_words(difference: PairedDifference) -> str:
    """Such as "0.050 ± 0.010", without its sign; without an interval where there is none."""
    finite = math.isfinite(difference.half_width) and not difference.constant
    size = abs(difference.mean)
    finest = difference.half_width if finite else size
    digits = min(6, max(3, 1 - math.floor(math.log10(finest)))) if finest > 0 else 3
    return f"{size:.{digits}f}" + (f" ± {difference.half_width:.{digits}f}" if finite else "")


def p_in_words(difference: PairedDifference, comparisons: int) -> str:
    """Such as "p = 0.003 after Holm over 10 comparisons"; "no test" where there is no p value."""
    p = difference.p_corrected
    if p is None:
        return "no test"
    text = "p < 0.0001" if p < 1e-4 else f"p = {p:.2g}"
    return text + (f" after Holm over {comparisons} comparisons" if comparisons > 1 else "")


def _facts(difference: PairedDifference) -> dict[str, Any]:
    finite = math.isfinite(difference.half_width)
    return {
        "mean": round(difference.mean, 6),
        "std": round(difference.std, 6),
        "half_width": round(difference.half_width, 6) if finite else None,
        "count": difference.count,
        "constant": difference.constant,
        "p": _significant(difference.p),
        "p_corrected": _significant(difference.p_corrected),
        "effect_size": _significant(difference.effect_size),
    }


def _significant(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
