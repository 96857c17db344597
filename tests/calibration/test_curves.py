"""How far, and at which pace, from curves that are made up."""

import numpy as np
import pytest
import torch

from ganwalk.calibration.curves import PACE_STEPS, Curves, even_pace, exits, fading, reach_of

GRID = torch.tensor([0.0, 1.0, 2.0, 4.0])


def curves_of(distances, changes, grid=GRID, deviation=1.0):
    """Of one direction, the same both ways, from (m + 1, samples) and (m, samples)."""
    both = torch.as_tensor(distances).expand(1, 2, -1, -1)
    rates = torch.as_tensor(changes).expand(1, 2, -1, -1)
    return Curves(grid, both, rates, None, 0.0, deviation)


def test_samples_leave_where_the_line_between_two_amplitudes_passes_one():
    distances = torch.tensor([[0.5, 0.2, 0.9], [0.5, 0.6, 1.1], [1.5, 0.7, 0.2], [9.0, 0.8, 5.0]])
    assert exits(distances, GRID).tolist() == pytest.approx([1.5, 4.0, 0.5])


def test_what_is_infinitely_far_is_left_before():
    assert exits(torch.tensor([[0.5], [0.5], [torch.inf], [torch.inf]]), GRID).tolist() == [1.0]


def test_pictures_fade_where_nothing_follows():
    changes = torch.tensor([[1.0, 1.0, 0.0, 0.01], [0.05, 1.0, 0.0, 0.01], [0.05, 1.0, 0.0, 1.0]])
    # Of the third, which never changes, there is no most; the fourth begins late.
    assert fading(changes, GRID).tolist() == [1.0, 4.0, 4.0, 4.0]


def test_the_reach_is_a_quantile_of_where_samples_end():
    distances = torch.full((4, 5), 0.5)
    # Sample k leaves at k / 2; the last one is outside from the start, and counts for nothing.
    distances[1:, 0], distances[2:, 1], distances[3, 2], distances[:, 4] = 10.0, 1.5, 1.5, 2.0
    ends = exits(distances, GRID)[:4]
    curves = curves_of(distances, torch.ones(3, 5))
    for share in (0.01, 0.25, 0.5, 0.99):
        reach = reach_of(curves, share)
        assert reach.ends.tolist() == [[pytest.approx(float(ends.quantile(share)))] * 2]
        assert reach.limit == 4.0 and reach.share == share
    shares = curves.ended[0, 0]
    assert shares.tolist() == pytest.approx([0.0, 0.25, 0.5, 0.75]) and (shares.diff() >= 0).all()


def test_nothing_within_the_distribution_reaches_nowhere():
    reach = reach_of(curves_of(torch.full((4, 3), 2.0), torch.ones(3, 3)), 0.25)
    assert reach.ends.tolist() == [[0.0, 0.0]] and reach.pace.abs().max() == 0


def test_a_direction_without_effect_reaches_the_end_of_the_grid_at_an_even_pace():
    reach = reach_of(curves_of(torch.full((4, 3), 0.5), torch.zeros(3, 3)), 0.25)
    assert reach.ends.tolist() == [[4.0, 4.0]] and "≥" in reach.words(0)
    assert torch.allclose(reach.pace[0, 1], torch.arange(1, PACE_STEPS + 1) / PACE_STEPS * 4)


def test_equal_steps_of_the_pace_are_equal_changes():
    grid = torch.linspace(0, 4, 41)
    way = 1 - torch.exp(-grid)
    pace = even_pace(way, grid, 3.0, still=1e-6).numpy()
    assert pace[-1] == 3.0 and (np.diff(pace) > 0).all()
    steps = np.diff(np.interp([0.0, *pace], grid.numpy(), way.numpy()))
    assert steps == pytest.approx(steps.mean(), rel=1e-3)


def test_a_pace_is_finite_and_rises_whatever_was_measured():
    for way in ([0.0, 0.0, 0.0, 5.0], [0.0, 5.0, 5.0, 5.0], [0.0, 0.0, 0.0, 1e-9]):
        for end in (0.0, 0.5, 3.0, 4.0):
            pace = even_pace(torch.tensor(way), GRID, end, still=1e-4)
            assert torch.isfinite(pace).all() and (pace.diff() >= 0).all() and float(pace[-1]) == pytest.approx(end)
