"""Correlated variants: the ridge, what is drawn from it, and names that do not fit."""

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from tests.vae.squares import Squares
from vae.data import load_dataset
from vae.data.correlated import Correlated, ridge
from vae.data.stored import StoredImages


def test_the_ridge_is_gaussian():
    p = ridge(3, 5, 0.5)
    assert p.sum() == pytest.approx(1) and p.shape == (3, 5)
    assert p[0, 2] / p[0, 0] == pytest.approx(np.exp(-(0.5**2) / (2 * 0.5**2)))
    assert p[1, 2] == p.max() and p[0, 0] == pytest.approx(p[2, 4])


def test_draws_follow_the_ridge():
    data = Correlated(Squares(), [("shade", "x")], 0.3)
    factors = data.factors(data.draw(200_000, np.random.default_rng(0)))
    counts = np.zeros((3, 8))
    np.add.at(counts, (factors[:, 2], factors[:, 0]), 1)
    assert counts / 200_000 == pytest.approx(ridge(3, 8, 0.3), abs=0.004)
    assert np.bincount(factors[:, 1]) / 200_000 == pytest.approx(np.full(8, 1 / 8), abs=0.004)


def test_several_pairs_and_independent_others():
    data = load_dataset("sprites", resolution=32, correlated=[("scale", "pos_x"), ("orientation", "pos_y")])
    factors = data.factors(data.draw(20_000, np.random.default_rng(1)))
    correlation = np.corrcoef(factors[:, 1:].T)
    expected = np.eye(4)
    expected[0, 2] = expected[2, 0] = expected[1, 3] = expected[3, 1] = 0.79
    assert correlation == pytest.approx(expected, abs=0.04)


def test_a_smaller_width_correlates_more():
    strengths = []
    for width in (1e-300, 0.1, 0.2, 0.7, 1e300):
        data = load_dataset("sprites", resolution=32, correlated=[("pos_x", "pos_y")], correlation_width=width)
        factors = data.factors(data.draw(4000, np.random.default_rng(2)))
        strengths.append(np.corrcoef(factors[:, 3], factors[:, 4])[0, 1])
    assert strengths[0] == pytest.approx(1) and strengths[-1] == pytest.approx(0, abs=0.05)
    assert (np.diff(strengths) < -0.05).all()


@pytest.mark.slow
def test_only_draws_differ():
    plain = load_dataset("sprites", resolution=32)
    data = load_dataset("sprites", resolution=32, correlated=[("pos_x", "pos_y")])
    indices = data.draw(30, np.random.default_rng(3))
    assert np.array_equal(indices, data.draw(30, np.random.default_rng(3)))
    assert np.array_equal(data.images(indices), plain.images(indices))
    assert np.array_equal(data.factors(indices), plain.factors(indices))
    assert len(data) == len(plain) and data.factor_sizes == plain.factor_sizes and data.name == plain.name


@pytest.mark.parametrize(
    ("pairs", "width", "message"),
    [
        ([("x", "hue")], 0.2, "no factor hue to correlate: choose from x, y, shade"),
        ([("x", "x")], 0.2, "factor x can be correlated only once"),
        ([("x", "y"), ("shade", "x")], 0.2, "factor x can be correlated only once"),
        ([("x", "y")], 0.0, "must be positive, not 0"),
        ([("x", "y")], float("nan"), "must be positive, not nan"),
    ],
)
def test_pairs_that_do_not_fit(pairs, width, message):
    with pytest.raises(GanwalkError, match=message):
        Correlated(Squares(), pairs, width)


def test_data_without_factors_cannot_be_correlated():
    photos = StoredImages("photos", 32, 3, (), (), np.zeros((4, 32, 32, 3), np.uint8))
    with pytest.raises(GanwalkError, match="photos has no known factors"):
        Correlated(photos, [("x", "y")])
