"""Intervals by halves: they hold the truth as often as they say, and say so of scores."""

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from vae.metrics import mig, score_intervals, scores_of_arrays


def test_intervals_of_a_mean_hold_it_as_often_as_they_say():
    held = 0
    for seed in range(100):
        values = np.random.default_rng(seed).gamma(4, 0.025, size=(200, 1))
        found = score_intervals(
            values, values, lambda codes, _: {"mean": float(np.mean(codes))}, draws=60, level=0.9, seed=seed
        )
        held += found["mean"][0] <= 0.1 <= found["mean"][1]
    assert 0.84 <= held / 100 <= 0.95


def test_intervals_of_scores_are_about_as_wide_as_scores_vary(grid):
    def draw(seed):
        rng = np.random.default_rng(seed)
        factors = grid[rng.integers(len(grid), size=600)]
        return factors + 0.4 * rng.normal(size=factors.shape), factors

    scores = [mig(*draw(seed)) for seed in range(1, 40)]
    low, high = score_intervals(*draw(0), lambda *arrays: {"mig": mig(*arrays)}, draws=40)["mig"]
    assert low < mig(*draw(0)) < high
    assert 0.5 < (high - low) / (np.quantile(scores, 0.975) - np.quantile(scores, 0.025)) < 2


def test_intervals_are_around_the_scores_that_they_belong_to(grid):
    codes = grid + 0.4 * np.random.default_rng(0).normal(size=grid.shape)
    own, others = (
        score_intervals(codes, grid, lambda *arrays: {"mig": mig(*arrays)}, draws=5, scores=scores)["mig"]
        for scores in (None, {"mig": 0.5, "sap": 0.1})
    )
    assert sum(others) == pytest.approx(1) and others[1] - others[0] == pytest.approx(own[1] - own[0])
    beyond = score_intervals(codes, grid, lambda *arrays: {"units": 2.0}, draws=5, scores={"units": 4})
    assert beyond == {"units": (4, 4)}
    with pytest.raises(GanwalkError, match="halves have other scores than all rows: say by a mask"):
        score_intervals(codes, grid, lambda c, f: {f"of {len(c)}": 1.0}, draws=2)


def test_intervals_stay_in_range_and_need_rows(grid):
    found = score_intervals(grid.astype(float), grid, scores_of_arrays, draws=3)
    assert 0.99 < found["mig"][0] <= found["mig"][1] <= 1 and found["active_units"] == (3, 3)
    with pytest.raises(GanwalkError, match="19 rows are too few for intervals"):
        score_intervals(grid[:19], grid[:19], scores_of_arrays)
    with pytest.raises(GanwalkError, match="draws must be at least 2"):
        score_intervals(grid, grid, scores_of_arrays, draws=1)
