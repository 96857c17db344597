"""Statistics of a few repetitions: means with intervals, paired differences, p values corrected for their number."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

LEVEL = 0.05
"""Intervals are of one minus this; differences with a smaller corrected p are told from none."""

# Of float32 scores, relative: values that differ by less are equal up to the order in which something was summed.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Summary:
    """A few values, such as a score of one method over seeds.

    Attributes:
        mean, std: over the values (std with n - 1; 0 for one value).
        half_width: half of the 95 % interval of the mean (Student's t; infinite for one value).
        count: of the values.
    """

    mean: float
    std: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width


@dataclass(frozen=True)
class PairedDifference:
    """Differences between two methods, over the seeds that both have.

    Without spread there is no t statistic: of one seed and of differences that are all the same, `p` and `effect_size`
    are None, and equal values have p 1 and effect size 0. That the same difference comes with every seed says that
    these seeds make no difference to it, not that it is beyond doubt.

    Attributes:
        mean, std: of the differences (std with n - 1; 0 for one seed).
        half_width: half of the 95 % interval of the mean difference (Student's t), not corrected for the number of
            comparisons; infinite for one seed, 0 where all differences are the same.
        count: seeds that both have, n.
        p: two-sided, of Student's t test of paired values with n - 1 degrees of freedom (exact for normal differences).
        p_corrected: by Holm's method, see `paired_differences`; None where p is.
        effect_size: Cohen's d_z (Cohen, 1988), mean / std, not corrected for small n.
        constant: whether two or more differences are all the same, up to the rounding of float32.
    """

    mean: float
    std: float
    half_width: float
    count: int
    p: float | None
    p_corrected: float | None
    effect_size: float | None
    constant: bool

    @property
    def tested(self) -> bool:
        """Whether there is a p value."""
        return self.p is not None

    @property
    def equal(self) -> bool:
        """Whether both have the same value with every one of two or more seeds."""
        return self.constant and self.tested

    def reversed(self) -> PairedDifference:
        """The difference the other way round."""
        size = None if self.effect_size is None else -self.effect_size
        return replace(self, mean=-self.mean, effect_size=size)


def summarise(values: Sequence[float]) -> Summary | None:
    """Mean, standard deviation and 95 % interval of a few values; None of none."""
    if not values:
        return None
    n = len(values)
    if n == 1:
        return Summary(values[0], 0.0, math.inf, 1)
    std = statistics.stdev(values)
    return Summary(statistics.fmean(values), std, _quantile(n - 1, LEVEL) * std / math.sqrt(n), n)


def paired_difference(values: Mapping[int, float], others: Mapping[int, float]) -> PairedDifference | None:
    """Values minus others, by seed, with Student's t test of paired values; `p_corrected` is `p`.

    Args:
        values, others: finite, by seed.
    Returns:
        None if no seed has both.
    """
    shared = [seed for seed in values if seed in others]
    differences = [values[seed] - others[seed] for seed in shared]
    summary = summarise(differences)
    if summary is None:
        return None
    found = PairedDifference(summary.mean, summary.std, summary.half_width, summary.count, None, None, None, False)
    if len(shared) == 1:
        return found
    rounding = _ROUNDING * max(abs(side[seed]) for side in (values, others) for seed in shared)
    if max(differences) - min(differences) <= rounding:
        found = replace(found, std=0.0, half_width=0.0, constant=True)
        equal = abs(found.mean) <= rounding
        return replace(found, mean=0.0, p=1.0, p_corrected=1.0, effect_size=0.0) if equal else found
    from scipy.special import stdtr

    size = summary.mean / summary.std
    p = 2 * float(stdtr(len(shared) - 1, -abs(size) * math.sqrt(len(shared))))
    return replace(found, p=p, p_corrected=p, effect_size=size)


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrected p values of several tests, in their order, by the step-down method of Holm (Scand. J. Statist., 1979).

    To reject where they are below a level keeps the probability of any false rejection below that level, however the
    tests depend on one another.
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def paired_differences(values: Mapping[str, Mapping[int, float]]) -> dict[tuple[str, str], PairedDifference]:
    """Differences of each pair of methods, the earlier minus the later, with p values corrected by Holm's method.

    The correction is over all pairs that can be tested. It then holds also for the pairs of a method that was chosen
    for its mean among them, for which one over these pairs alone would be too small.

    Args:
        values: finite, by method, then seed.
    Returns:
        By pair; without those that share no seed.
    """
    found = {}
    for one, other in combinations(values, 2):
        difference = paired_difference(values[one], values[other])
        if difference is not None:
            found[one, other] = difference
    tested = {pair: difference.p for pair, difference in found.items() if difference.p is not None}
    corrected = holm(list(tested.values()))
    return found | {
        pair: replace(found[pair], p_corrected=value) for pair, value in zip(tested, corrected, strict=True)
    }


def least_effect_size(count: int, comparisons: int = 1) -> float:
    """The |d_z| above which a difference of `count` pairs is told from none, if it is the clearest of the comparisons.

    Where none of them exceeds it, Holm's method tells no difference from none.
    """
    return _quantile(count - 1, LEVEL / comparisons) / math.sqrt(count)


def _quantile(degrees: int, level: float) -> float:
    """What |t| exceeds with probability `level`."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 1 - level / 2))
