"""Directions against known axes."""

from dataclasses import replace

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.assignment import assign
from ganwalk.evaluation.axes import axis_scores, has_axes
from ganwalk.generators.loading import NAMES, load_generator
from tests.evaluation.known import axes_of, rotated


@pytest.mark.parametrize("name", NAMES[1:])
def test_true_axes_score_one_in_any_order_and_sign_and_a_rotation_less(name):
    generator = load_generator(name)
    truth = axes_of(generator)
    order = [3, 0, 5, 1, 4, 2]
    shuffled = truth.select(order)
    shuffled = replace(shuffled, vectors=shuffled.vectors * torch.tensor([1, -1, 1, -1, -1, 1.0])[:, None])
    found = axis_scores(generator, shuffled)
    assert found.mean_cosine == pytest.approx(1, abs=1e-5) and found.mcc == pytest.approx(1, abs=1e-5)
    assert [order[row] for row in found.matching.rows] == list(range(6))
    assert found.correlation_matching.rows == found.matching.rows and len(found.axes) == 6
    mixed = axis_scores(generator, rotated(truth))
    assert mixed.mean_cosine < 0.8 and mixed.mcc < 0.9


def test_axes_without_a_direction_count_as_zero_and_spare_directions_not_at_all():
    generator = load_generator("blobs-dead")
    truth = axes_of(generator)
    four = axis_scores(generator, truth.select([0, 1, 2, 3]))
    assert four.mean_cosine == pytest.approx(4 / 6, abs=1e-5) and four.matching.rows[4:] == (None, None)
    everything = replace(truth, vectors=generator.rotation.flip(0), scales=torch.ones(16))
    found = axis_scores(generator, everything)
    assert found.mean_cosine == pytest.approx(1, abs=1e-5) and found.matching.rows == (15, 14, 13, 12, 11, 10)


def test_correlated_factors_raise_correlations_but_not_cosines():
    generator = load_generator("blobs-correlated")
    found = axis_scores(generator, axes_of(generator), samples=20_000)
    # x and scale are correlated by 0.7 in the mapping, and their axes are orthogonal.
    assert float(found.correlations[0, 2]) == pytest.approx(0.7, abs=0.03) and float(found.cosines[0, 2]) < 1e-5


def test_the_assignment_is_optimal_and_not_greedy():
    found = assign(torch.tensor([[0.9, 0.8], [0.8, 0.1]]))
    assert found.rows == (1, 0) and found.total == pytest.approx(1.6)


def test_generators_without_axes_are_refused(toy):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity, method="rtd")
    assert not has_axes(toy, directions)
    with pytest.raises(GanwalkError, match="no true axes"):
        axis_scores(toy, directions)
    blobs = load_generator("blobs-unequal")
    assert not has_axes(blobs, replace(axes_of(blobs), space="z"))
