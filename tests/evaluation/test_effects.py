"""Scores of effect matrices against values worked out by hand, and effect matrices of generators that are known."""

import math
from dataclasses import replace

import pytest
import torch

from ganwalk.discovery.factors import Factor
from ganwalk.evaluation.effects import EffectScores, effect_scores, owned_factors, strongest_factor
from ganwalk.evaluation.factors import factor_reader, signed_change, size_of_change, spread
from ganwalk.generators.blobs import VARIANTS
from ganwalk.generators.loading import load_generator
from tests.evaluation.known import axes_of, rotated

NAMES = ("a", "b", "c", "d")


def scores(rows):
    matrix = torch.tensor(rows)
    found = EffectScores.of(matrix, NAMES[: matrix.shape[1]])
    return tuple(
        round(value, 5)
        for value in (found.disentanglement, found.completeness, found.gap, found.coverage, found.overall)
    )


def test_one_direction_for_each_factor_is_perfect():
    assert scores(torch.eye(4).tolist()) == (1, 1, 1, 1, 1)
    assert scores([[0.0, 2.0, 0.0], [0.0, 0.0, 0.5], [1.0, 0.0, 0.0]]) == (1, 1, 1, 1, 1)


def test_everything_moving_everything_scores_nothing():
    # Each entry has a quarter of its row and of its column.
    assert scores(torch.full((4, 4), 0.7).tolist()) == (0, 0, 0, 0, 0.25)
    assert scores(torch.zeros(3, 4).tolist()) == (0, 0, 0, 0, 0)


def test_directions_that_do_nothing_earn_nothing():
    assert scores([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]) == (1, 1, 1, 1, 1)
    # Half of the factors, and a second direction whose tiny row has one entry.
    found = scores([[1.0, 0.0], [0.0, 1e-9]])
    assert found[0] == 1 and found[3] == 0.5
    # Factor b is moved by chance alone: the mean is over both factors.
    half = scores([[1.0, 1e-3], [0.0, 1e-9]])
    assert half[3] == 0.5 and half[4] == pytest.approx(0.5, abs=0.02)
    noise = 1e-4 * torch.rand(3, 3, generator=torch.Generator().manual_seed(0))
    dead = EffectScores.of(torch.cat([torch.eye(3), noise]), NAMES[:3])
    assert dead.disentanglement > 0.999 and dead.overall > 0.999
    assert owned_factors(dead.matrix) == [0, 1, 2, None, None, None]


def test_the_strongest_factor_is_told_also_where_it_is_less_than_half():
    found = strongest_factor(("hue", "size", "shape"), (0.98, 0.6, 0.42))
    assert found == {"factor": "hue", "effect": 0.98, "purity": pytest.approx(0.49)}
    assert strongest_factor(("hue", "size"), (0.02, 0.09)) == {"factor": None, "effect": 0.09, "purity": None}
    assert strongest_factor(("hue", "size"), (0.0, 0.0))["factor"] is None


def test_duplicated_directions_lose_completeness_and_gap():
    disentanglement, completeness, gap, coverage, overall = scores([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert (disentanglement, coverage, gap) == (1, 1, 0)
    # Half a column each: entropy log 2 of log 4; shares 1 and 1/2.
    assert completeness == pytest.approx(0.5) and overall == pytest.approx(math.sqrt(0.5), abs=1e-5)


def test_mixtures_by_hand():
    disentanglement, completeness, gap, coverage, overall = scores([[3.0, 1.0], [0.0, 4.0]])
    entropy = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert disentanglement == pytest.approx(0.5 * (1 - entropy) + 0.5, abs=1e-5)
    assert completeness == pytest.approx(0.5 * (1 + 1 + (0.2 * math.log2(0.2) + 0.8 * math.log2(0.8))), abs=1e-5)
    assert gap == pytest.approx(0.5 * (1 + 0.75)) and coverage == 1
    assert overall == pytest.approx(0.5 * (3 / math.sqrt(12) + 4 / math.sqrt(20)), abs=1e-5)


def test_a_single_direction_and_a_single_factor():
    assert scores([[1.0, 0.0]]) == (1, 0.5, 0.5, 0.5, 0.5)
    assert scores([[1.0], [0.0]]) == (1, 1, 1, 1, 1)


def test_changes_and_spreads_of_every_kind():
    hue = Factor("hue", "circular", 1.0)
    before, after = torch.tensor([0.95, 0.1, 0.2]), torch.tensor([0.05, 0.6, 0.2])
    assert torch.allclose(size_of_change(hue, before, after), torch.tensor([0.1, 0.5, 0.0]), atol=1e-6)
    assert torch.allclose(signed_change(hue, before, after)[::2], torch.tensor([0.1, 0.0]), atol=1e-6)
    assert torch.allclose(signed_change(hue, after, before)[::2], torch.tensor([-0.1, 0.0]), atol=1e-6)
    assert torch.allclose(size_of_change(Factor("x"), before, after), torch.tensor([0.9, 0.5, 0.0]))
    assert torch.allclose(signed_change(Factor("x"), before, after), torch.tensor([-0.9, 0.5, 0.0]))
    classes = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    other = torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.25, 0.25]])
    assert torch.allclose(size_of_change(Factor("s", "categorical"), classes, other), torch.tensor([1.0, 0.25]))
    assert signed_change(Factor("s", "categorical"), classes, other).tolist() == [0, 0]
    values = torch.randn(200, generator=torch.Generator().manual_seed(0))
    assert spread(Factor("x"), values) == pytest.approx(float(values.std()), rel=1e-5)
    ring = torch.arange(400) / 400
    # Half the mean squared distance of two points of a circle of length 1: 1/24.
    assert spread(hue, ring) == pytest.approx(24**-0.5, rel=5e-3)
    assert spread(Factor("s", "categorical"), torch.eye(4).repeat(100, 1)) == pytest.approx(0.375**0.5, rel=5e-3)
    assert spread(hue, torch.tensor([0.3])) == 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_true_axes_of_blobs_are_disentangled_and_a_rotation_is_not(variant):
    generator = load_generator("blobs" if variant == "independent" else f"blobs-{variant}")
    reader = factor_reader(generator)
    truth = effect_scores(generator, axes_of(generator), reader)
    off_diagonal = truth.matrix - truth.matrix.diag().diag()
    assert off_diagonal.abs().max() < 1e-4 and truth.matrix.diag().min() > 0.7
    assert truth.disentanglement > 0.999 and truth.completeness > 0.999 and truth.coverage == 1
    assert truth.overall > 0.999 and truth.gap > 0.999
    mixed = effect_scores(generator, rotated(axes_of(generator)), reader)
    assert mixed.disentanglement < 0.5 and mixed.completeness < 0.5 and mixed.overall < 0.7 and mixed.gap < 0.7


def test_effects_have_the_sign_of_the_change():
    generator = load_generator("blobs")
    truth = axes_of(generator)
    flips = torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    flipped = replace(truth, vectors=truth.vectors * flips[:, None])
    found = effect_scores(generator, flipped, factor_reader(generator), samples=50)
    # The factors of these blobs are linear in the latents: every sample goes the same way.
    assert torch.allclose(found.signed.diag(), flips * found.matrix.diag(), atol=1e-5)
    curved = load_generator("blobs-curved")
    # A shift by one σ is a quarter of the circles' period of 4: the shorter way round is the way that was walked.
    around = effect_scores(curved, axes_of(curved), factor_reader(curved), samples=50)
    assert torch.allclose(around.signed.diag(), around.matrix.diag(), atol=1e-4)
    assert EffectScores.of(truth.vectors.abs(), NAMES).signed is None


def test_effects_are_per_standard_deviation_and_shares_of_the_work_are_told():
    generator = load_generator("blobs")
    reader, shares = factor_reader(generator), []
    one, three = (
        effect_scores(generator, axes_of(generator), reader, amplitude=a, samples=50, on_share=shares.append)
        for a in (1.0, 3.0)
    )
    assert torch.allclose(one.matrix, three.matrix, atol=1e-5)
    assert shares[-1] == 1 and len(shares) == 12
