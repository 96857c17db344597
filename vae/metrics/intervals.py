"""Intervals of scores, by scoring halves of the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import check_least, checked_codes, rows_of

Scorer = Callable[[ArrayLike, ArrayLike], Mapping[str, float]]


def score_intervals(
    codes: ArrayLike,
    factors: ArrayLike,
    scorer: Scorer,
    *,
    draws: int = 50,
    level: float = 0.95,
    seed: int = 0,
    scores: Mapping[str, float] | None = None,
    on_draw: Callable[[int], None] | None = None,
) -> dict[str, tuple[float, float]]:
    """Bootstrap intervals of scores, by name: how far other rows of the same origin would have changed them.

    Each draw takes half of the rows, without replacement (the bootstrap by subsampling, Politis & Romano 1994): a row
    that came twice, as in the ordinary bootstrap, would pass for information. Scores of halves spread around the score
    of all rows as that one does around the true one, so that their standard deviation gives a normal interval. What
    halves score lower or higher on average is no part of it.

    Args:
        codes: (N, D), factors: (N, F).
        scorer: of codes and factors, scores by name, such as `vae.metrics.scores_of_arrays`. Intervals end at 0 and 1,
            or at what some draw has beyond them.
        draws: halves that are scored.
        level: of the interval.
        scores: those that the intervals belong to, where they are of a split or of folds; without them, what the
            scorer gives all rows. The halves tell how wide the intervals are, never where.
        on_draw: told how many are done.
    Raises:
        GanwalkError: too few rows or draws, or what the scorer refuses.
    """
    n = len(checked_codes(codes))
    if n < 20:
        raise GanwalkError(f"{n} rows are too few for intervals: give hundreds")
    check_least(2, draws=draws)
    check_least(0, seed=seed)
    if not 0 < level < 1:
        raise GanwalkError(f"level must be between 0 and 1, not {level}")
    rng = np.random.default_rng(seed)
    scores = scorer(codes, factors) if scores is None else scores
    found: dict[str, list[float]] = {}
    for draw in range(draws):
        rows = np.sort(rng.choice(n, n // 2, replace=False))
        part = scorer(rows_of(codes, rows, "codes"), rows_of(factors, rows, "factors"))
        if not part.keys() <= scores.keys() or (found and part.keys() != found.keys()):
            raise GanwalkError("halves have other scores than all rows: say by a mask which factors are continuous")
        for name, value in part.items():
            found.setdefault(name, []).append(value)
        if on_draw is not None:
            on_draw(draw + 1)
    quantile = NormalDist().inv_cdf((1 + level) / 2)
    intervals = {}
    for name, values in found.items():
        width = quantile * float(np.std(values, ddof=1))
        centre = scores[name]
        least, most = min(0.0, centre, *values), max(1.0, centre, *values)
        intervals[name] = (max(least, centre - width), min(most, centre + width))
    return intervals
