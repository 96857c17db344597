"""Scores made of information: against their authors' code, scikit-learn's estimators, and sums by hand."""

import math

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

from ganwalk.errors import GanwalkError
from tests.vae.metrics.conftest import read_golden
from vae.metrics import dcimig, dhsic, info_e, info_mc, med, mutual_information


def as_numbers(factors):
    """Classes made continuous without changing them by more than a millionth."""
    return factors + 1e-6 * np.random.default_rng(0).normal(size=factors.shape)


def test_info_mec_is_that_of_its_authors(golden):
    codes, factors = golden.train
    # 1e-3 is the noise that scikit-learn adds to codes, and where lbfgs stands after a hundred steps.
    expected = golden.scores["info_mec"]
    found = info_mc(codes, factors)
    assert found.modularity == pytest.approx(expected["modularity"], abs=1e-3)
    assert found.compactness == pytest.approx(expected["compactness"], abs=1e-3)
    assert info_e(codes, as_numbers(factors), continuous=True) == pytest.approx(
        expected["explicitness_regression"], abs=1e-3
    )
    quantised = golden.scores["info_mec_quantised"]
    found = info_mc(np.round(3 * codes.astype(float)), factors)
    assert found.modularity == pytest.approx(quantised["modularity"], abs=1e-9)
    assert found.compactness == pytest.approx(quantised["compactness"], abs=1e-9)


@pytest.mark.parametrize("name", ["fewer", pytest.param("rotated", marks=pytest.mark.slow)])
def test_info_e_is_that_of_its_authors(name):
    golden = read_golden(name)
    codes, factors = golden.train
    assert info_e(codes, factors) == pytest.approx(golden.scores["info_mec"]["explicitness"], abs=1e-3)
    quantised = golden.scores["info_mec_quantised"]["explicitness"]
    assert info_e(np.round(3 * codes.astype(float)), factors) == pytest.approx(quantised, abs=1e-3)


def test_dcimig_is_that_of_ubisoft_la_forge(golden):
    assert dcimig(*golden.train) == pytest.approx(golden.scores["dcimig"], abs=1e-6)


def test_neighbours_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(400, 3))
    classes = (codes[:, :1] + codes[:, 1:2] > 0) + 2 * (rng.random((400, 1)) < 0.3)
    numbers = codes[:, :1] + 0.3 * rng.normal(size=(400, 1))
    found = mutual_information(codes, np.concatenate([classes, numbers], axis=1), estimator="neighbours")
    np.testing.assert_allclose(found[:, 0], mutual_info_classif(codes, classes[:, 0], random_state=0), atol=1e-9)
    np.testing.assert_allclose(found[:, 1], mutual_info_regression(codes, numbers[:, 0], random_state=0), atol=1e-9)
    # Of two normal variables with correlation ρ: -log(1 - ρ²) / 2.
    assert found[0, 1] == pytest.approx(math.log(1.09 / 0.09) / 2, abs=0.15)


def test_codes_that_repeat_in_part_are_counted_where_they_do():
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=(4000, 1))
    # Zero for one class, and for half of the other: H(labels) - H(labels | zero or not).
    codes = np.where((labels == 1) & (rng.random((4000, 1)) < 0.5), rng.random((4000, 1)), 0)
    zero = 0.75
    rest = zero * (-(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3))
    found = mutual_information(codes, labels, estimator="neighbours")[0, 0]
    assert found == pytest.approx(math.log(2) - rest, abs=0.02)
    mixed = np.where(rng.random((4000, 1)) < 0.4, rng.random((4000, 1)), codes)
    assert 0 < mutual_information(mixed, labels, estimator="neighbours")[0, 0] < found


def test_unknown_estimators_are_refused(grid):
    with pytest.raises(GanwalkError, match="unknown estimator 'bins': choose from histogram, neighbours"):
        mutual_information(grid, grid, estimator="bins")


def test_perfect_codes_score_one_and_shared_ones_by_hand(grid):
    codes = grid.astype(float)
    assert (dcimig(codes, grid), med(codes, grid)) == pytest.approx((1, 1))
    found = info_mc(codes, grid)
    assert (found.modularity, found.compactness) == pytest.approx((1, 1))
    np.testing.assert_allclose(found.information, np.eye(3), atol=1e-9)
    # One code for the first two factors, whose entropies are log 3 and log 4, and one for the third.
    shared = np.stack([grid[:, 0] * 4 + grid[:, 1], 3 * grid[:, 2]], axis=1).astype(float)
    logs = np.log([3, 4, 5])
    assert dcimig(shared, grid, bins=12) == pytest.approx((logs[1] - logs[0] + logs[2]) / logs.sum())
    # Importances are 1 for each of two factors, and 1: a share of two thirds has half of the largest entropy of two.
    assert med(shared, grid, bins=12) == pytest.approx((2 * (1 - math.log(2) / math.log(3)) + 1) / 3)
    found = info_mc(shared, grid)
    assert found.compactness == pytest.approx(1)
    assert found.modularity == pytest.approx(((1 / 2 + 1) / 2 - 1 / 3) / (1 - 1 / 3))


def test_codes_without_information_score_nothing(grid):
    constant = np.zeros((len(grid), 2))
    assert (dcimig(constant, grid), med(constant, grid), info_e(constant, grid)) == (0, 0, 0)
    assert info_mc(constant, grid).modularity == info_mc(constant, grid).compactness == 0
    noise = np.random.default_rng(0).normal(size=grid.shape)
    assert info_e(noise, grid) < 0.02 and info_e(noise, as_numbers(grid), continuous=True) < 0.02


def test_narrow_codes_are_inactive(grid):
    codes = np.concatenate([grid.astype(float), 0.1 * grid[:, :1]], axis=1)
    assert info_mc(codes, grid).compactness == pytest.approx(1)
    assert info_mc(codes, grid, inactive=1 / 30).compactness < 0.9
    codes[:, 3] *= 20
    assert info_mc(codes, grid).compactness == pytest.approx((2.5 / 3 - 1 / 4) / (1 - 1 / 4))


def test_info_mec_of_numbers():
    rng = np.random.default_rng(0)
    factors = rng.random((800, 2))
    codes = factors + 0.01 * rng.normal(size=factors.shape)
    turned = codes @ np.array([[1, 1], [-1, 1]])
    found, mixed = (info_mc(part, factors, continuous=True) for part in (codes, turned))
    assert found.modularity > 0.9 and found.compactness > 0.9
    assert mixed.modularity < 0.3 and mixed.compactness < 0.3
    assert info_e(turned, factors, continuous=True) > 0.99


def test_dhsic_by_the_sums_of_its_definition():
    x = np.random.default_rng(0).normal(size=(30, 3))
    x[:, 2] = x[:, 0] ** 2
    squares = (x[:, None] - x[None]) ** 2
    kernels = [np.exp(-s / np.median(s[s > 0])) for s in np.moveaxis(squares, 2, 0)]
    n = len(x)
    expected = np.prod(kernels, axis=0).mean() + math.prod(k.mean() for k in kernels)
    expected -= 2 / n * sum(math.prod(k[i].mean() for k in kernels) for i in range(n))
    assert dhsic(x) == pytest.approx(expected, abs=1e-12)
    independent = np.random.default_rng(1).normal(size=(30, 3))
    assert dhsic(np.zeros((5, 2))) == 0 and dhsic(independent) < dhsic(x[:, [0, 0, 0]])
    assert dhsic(np.tile(x, (10, 1)), rows=30, seed=1) != dhsic(np.tile(x, (10, 1)), rows=30, seed=2)
