"""Scores that are known in advance: perfect codes, shared codes, codes that hold nothing."""

import math
from functools import partial

import numpy as np
import pytest

from vae.metrics import (
    active_units,
    beta_vae_score,
    dci,
    dci_es,
    explicitness,
    factor_vae_score,
    irs,
    kl_per_dimension,
    mig,
    mig_sup,
    modularity,
    mutual_information,
    reconstruction,
    sap,
    sap_continuous,
    udr,
)
from vae.metrics.arrays import labelled
from vae.metrics.dci import disentanglement

FEW = {"train_votes": 200, "eval_votes": 100}
FEW_POINTS = {"train_points": 200, "eval_points": 100}


@pytest.mark.parametrize("metric", [mig, mig_sup, modularity, irs, sap_continuous])
def test_codes_that_are_the_factors_score_one(grid, metric):
    assert metric(grid.astype(float), grid) == pytest.approx(1)


def test_codes_that_are_the_factors_have_perfect_dci(grid):
    found = dci(grid.astype(float), grid, grid.astype(float), grid, rounds=20)
    np.testing.assert_allclose(found.importance, np.eye(3), atol=1e-9)
    assert (found.disentanglement, found.completeness) == pytest.approx((1, 1))
    assert found.informativeness == found.informativeness_train == 1


def test_batches_tell_which_factor_they_share(grid):
    assert factor_vae_score(grid.astype(float), grid, **FEW) == 1
    assert beta_vae_score(grid.astype(float), grid, **FEW_POINTS) == 1


def test_noise_tells_nothing(grid):
    noise = np.random.default_rng(0).normal(size=grid.shape)
    assert mig(noise, grid) < 0.02 and sap_continuous(noise, grid) < 0.02
    assert factor_vae_score(noise, grid, **FEW) < 0.6 and beta_vae_score(noise, grid, **FEW_POINTS) < 0.6


def test_mutual_information_counts():
    codes = np.array([[0.0, 0.0], [0.1, 1.0], [1.0, 0.0], [0.9, 1.0]])
    factors = np.array([[0, 7], [0, 7], [1, 7], [1, 7]])  # the second one does not vary
    np.testing.assert_allclose(mutual_information(codes, factors, bins=2), [[math.log(2), 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("rows", [1000, 5000, 15_000])
def test_a_code_that_does_not_vary_knows_nothing(rows):
    """Rounding of entropies is no information: of modularity it would make a perfect code."""
    rng = np.random.default_rng(rows)
    factors = np.stack([rng.integers(size, size=rows) for size in (3, 6, 7, 32)], axis=1)
    codes = np.stack([factors[:, 0].astype(float), np.full(rows, 0.3)], axis=1)
    assert mutual_information(codes, factors)[1].tolist() == [0.0] * 4
    assert modularity(codes, factors) == pytest.approx(modularity(codes[:, :1], factors) / 2)


def test_factors_of_a_test_set_in_another_precision_are_the_same_values():
    factors = np.repeat(np.linspace(0, 1, 8), 50)[:, None]
    codes = factors + 0.0
    for first, second in ((np.float32, np.float64), (np.float64, np.float32)):
        given = labelled(codes, factors.astype(first))
        assert given.test(codes, factors.astype(second))[1].tolist() == given.labels.tolist()


def test_a_factor_in_two_codes_lowers_mig_and_completeness_only(grid):
    codes = grid[:, [0, 0, 1, 2]].astype(float)
    assert mig(codes, grid) == pytest.approx(2 / 3)
    assert mig_sup(codes, grid) == pytest.approx(1)
    assert modularity(codes, grid) == pytest.approx(1)
    found = dci(codes, grid, codes, grid, rounds=10)
    assert found.disentanglement == pytest.approx(1) and found.completeness < 0.9


def test_a_code_with_two_factors_lowers_mig_sup_and_disentanglement_only(grid):
    # 12 values that tell 3 and 4 apart.
    codes = np.stack([grid[:, 0] * 4 + grid[:, 1], grid[:, 2]], axis=1).astype(float)
    assert mig(codes, grid, bins=12) == pytest.approx(1)
    assert mig_sup(codes, grid, bins=12) == pytest.approx(0.5)
    squares = np.log([3, 4]) ** 2
    assert modularity(codes, grid, bins=12) == pytest.approx((1 - squares[0] / squares[1] / 2 + 1) / 2)
    found = dci(codes, grid, codes, grid, rounds=10)
    assert found.completeness == pytest.approx(1) and found.disentanglement < 0.9


def test_mixing_codes_lowers_the_scores(grid):
    codes = np.random.default_rng(0).normal(0, 0.05, grid.shape) + (grid - grid.mean(axis=0)) / grid.std(axis=0)
    mixed = codes @ np.array([[2, 2, -1], [2, -1, 2], [-1, 2, 2]]) / 3  # orthogonal
    for metric in (mig, mig_sup, modularity, irs, sap_continuous):
        assert metric(mixed, grid) < metric(codes, grid) - 0.15
    before, after = (dci(part, grid, part, grid, rounds=10) for part in (codes, mixed))
    assert after.disentanglement < before.disentanglement - 0.3 and after.completeness < before.completeness - 0.3


@pytest.mark.parametrize("metric", [mig, partial(mig_sup, active=0), modularity, irs, sap_continuous])
def test_order_and_scale_of_codes_do_not_matter(golden, metric):
    codes, factors = golden.train
    order = np.random.default_rng(1).permutation(codes.shape[1])
    moved = codes.astype(np.float64)[:, order] * 4
    assert metric(moved, factors[:, ::-1]) == pytest.approx(metric(codes.astype(np.float64), factors))


def test_sap_takes_the_gap_of_the_best_codes():
    x = np.linspace(-3, 3, 60)
    binary = (x > 0).astype(int)[:, None]
    codes = np.stack([x, np.zeros(60)], axis=1)
    # The first code finds every row, the constant one the rows of one class.
    assert sap(codes, binary, codes, binary) == pytest.approx(0.5)
    assert sap_continuous(np.stack([x, -x], axis=1), x[:, None]) == pytest.approx(0)


def test_explicitness_of_a_line():
    x = np.linspace(-1, 1, 90)[:, None]
    assert explicitness(x, (x > 0).astype(int), x, (x > 0).astype(int)) == 1
    # The middle third is no half line: its classifier ranks by the side of the larger sum, which is chance here.
    thirds = np.digitize(x, [-1 / 3, 1 / 3])
    assert explicitness(x, thirds, x, thirds) == pytest.approx((1 + 1 + 0.5) / 3, abs=0.01)


def test_irs_by_hand():
    codes = np.array([[0.0], [2.0], [6.0], [8.0]])
    # Means 1 and 7, deviations 1; the largest deviation from 4 is 4.
    assert irs(codes, np.array([[0], [0], [1], [1]]), quantile=1) == pytest.approx(1 - 1 / 4)


def test_explicitness_and_size(grid):
    binary = (grid[:, :1] > 0).astype(int)
    found = dci_es(grid[:, :2].astype(float), binary, grid[:, :2].astype(float), binary, trees=10)
    assert found.size == 0.5 and found.losses.shape[0] == 1
    # One cut is enough, in the trees that see the code at their root.
    assert found.losses[0, -1] == 0 and found.explicitness > 0.9
    mixed = np.random.default_rng(0).permutation(32)[np.arange(3200) % 32]  # every value of the code for itself
    codes, factors = (np.arange(3200) % 32)[:, None].astype(float), (mixed % 2)[:, None]
    assert dci_es(codes, factors, codes, factors, trees=5).explicitness < found.explicitness - 0.05


def test_udr_of_the_same_codes_in_another_order():
    codes = np.random.default_rng(0).normal(size=(4000, 3))
    other = -2 * codes[:, [2, 0, 1]]
    kls = [np.ones(3), np.ones(3)]
    # The lasso takes its penalty off the one coefficient of 1.
    assert udr([codes, other], kls).scores == pytest.approx([0.9, 0.9], abs=0.01)
    assert udr([codes, other], kls, similarity="spearman").scores == pytest.approx([1, 1], abs=0.08)


def test_udr_leaves_uninformative_codes_out_and_takes_the_median():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(2000, 2))
    with_noise = np.concatenate([codes, rng.normal(size=(2000, 1))], axis=1)
    found = udr(
        [codes, with_noise, codes, rng.normal(size=(2000, 2))], [np.ones(2), np.array([1, 1, 0]), *[np.ones(2)] * 2]
    )
    assert found.scores[:3] == pytest.approx([0.9] * 3, abs=0.01) and found.scores[3] == 0
    assert udr([codes, codes], [np.zeros(2), np.ones(2)]).scores.tolist() == [0, 0]


def test_reconstruction_by_hand():
    images = np.array([[0, 255], [255, 0]], np.uint8)
    found = reconstruction(images, np.array([[0.1, 0.9], [0.8, 0.2]]))
    assert found.bce == pytest.approx(-math.log(0.9) - math.log(0.8))
    assert found.mse == pytest.approx((0.01 + 0.04) / 2)
    assert found.psnr == pytest.approx((20 - 10 * math.log10(0.04)) / 2)
    perfect = reconstruction(images, images / 255)
    assert perfect.psnr == pytest.approx(100) and perfect.bce == pytest.approx(0, abs=1e-6)


def test_kl_and_active_units():
    means = np.array([[1.0, 0.0], [-1.0, 0.1]])
    assert kl_per_dimension(means, np.zeros((2, 2))) == pytest.approx([0.5, 0.0025])
    assert kl_per_dimension(means * 0, np.full((2, 2), math.log(4))) == pytest.approx(0.5 * (4 - 1 - math.log(4)))
    assert active_units(means) == 1 and active_units(means, threshold=1e-3) == 2


@pytest.mark.parametrize("factors", [5, 6, 7, 10])
def test_equal_shares_score_zero_and_not_less(factors):
    assert 0 <= disentanglement(np.full((1, factors), 0.1)) < 1e-12
