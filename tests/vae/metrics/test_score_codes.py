"""All scores at once, and arrays at the edge of what has a score."""

import json

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from tests.vae.metrics.conftest import read_golden
from vae.metrics import (
    SCORES,
    dhsic,
    factor_vae_score,
    irs,
    kl_per_dimension,
    mig,
    reconstruction,
    sap_continuous,
    score_codes,
    udr,
)


def split(codes, factors):
    """Every third row is for testing."""
    test = np.arange(len(codes)) % 3 == 0
    return codes[~test], factors[~test], codes[test], factors[test]


@pytest.fixture(scope="module")
def noisy(grid):
    return grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)


def test_scores_are_named_finite_and_json(noisy, grid):
    scores = score_codes(*split(noisy, grid), level="quick", threads=1)
    assert list(scores) == list(SCORES)
    assert json.loads(json.dumps(scores)) == scores and all(np.isfinite(list(scores.values())))
    assert scores["mig"] > 0.6 and scores["dci_disentanglement"] > 0.6 and scores["factor_vae"] == 1
    assert scores == score_codes(*split(noisy, grid), level="quick", threads=2)


def test_full_is_the_standard(noisy, grid):
    scores = score_codes(*split(noisy[:300], grid[:300]), level="full", threads=1)
    assert scores["factor_vae"] == factor_vae_score(*split(noisy[:300], grid[:300])[:2])
    assert scores["dhsic"] == dhsic(split(noisy[:300], grid[:300])[0]) > 0
    shared = np.concatenate([noisy, noisy[:, :1]], axis=1)
    assert score_codes(*split(shared[:300], grid[:300]), level="quick", threads=1)["dhsic"] > 2 * scores["dhsic"]


def test_seeds_of_more_than_32_bits(noisy, grid):
    scores = [score_codes(*split(noisy, grid), level="quick", seed=seed, threads=1) for seed in (2**40, 2**62)]
    assert all(np.isfinite(list(found.values())).all() for found in scores)


def test_rows_beyond_the_level_s_number_are_drawn(grid):
    many = np.tile(grid, (4, 1))
    # Sorted by their first factor: the first rows alone would not have all of its values.
    many = many[np.argsort(many[:, 0], kind="stable")]
    scores = score_codes(many.astype(float), many, many.astype(float), many, level="quick", threads=1)
    assert scores["dci_informativeness"] == 1 and scores["mig"] > 0.99


@pytest.mark.parametrize(("codes", "factors"), [(1, 1), (1, 3), (3, 1), (2, 3)])
def test_any_number_of_codes_and_factors_has_scores(noisy, grid, codes, factors):
    scores = score_codes(*split(noisy[:, :codes], grid[:, :factors]), level="quick", threads=1)
    described = {"dci_es_size": factors / codes, "active_units": codes}
    assert all(scores[name] == value for name, value in described.items())
    assert all(0 <= value <= 1 + 1e-9 for name, value in scores.items() if name not in described)


def test_constant_codes_change_neither_votes_nor_irs(noisy, grid):
    wider = np.concatenate([np.full((len(noisy), 1), 0.3), noisy], axis=1)
    assert irs(wider, grid) == pytest.approx(irs(noisy, grid))
    assert factor_vae_score(wider, grid, train_votes=300, eval_votes=300) == factor_vae_score(
        noisy, grid, train_votes=300, eval_votes=300
    )
    scores = score_codes(*split(wider, grid), level="quick", threads=1)
    assert all(np.isfinite(list(scores.values())))


def test_codes_that_all_are_constant_score_nothing(grid):
    scores = score_codes(*split(np.zeros((len(grid), 2)), grid), level="quick", threads=1)
    for name in ("mig", "mig_sup", "sap", "dci_disentanglement", "factor_vae", "modularity", "irs", "active_units"):
        assert scores[name] == 0, name
    assert scores["explicitness"] == 0.5


def test_the_golden_constant_code_is_pruned():
    golden = read_golden("partial")
    assert golden.train[0][:, 7].std() == 0
    assert 0 < irs(*golden.train) < 1
    assert factor_vae_score(*golden.train, train_votes=500, eval_votes=500) > 0.98


def test_constant_factors_are_left_out(noisy, grid):
    wider = np.concatenate([np.full((len(grid), 1), 4), grid], axis=1)
    assert score_codes(*split(noisy, wider), level="quick", threads=1) == score_codes(
        *split(noisy, grid), level="quick", threads=1
    )


def test_values_that_only_the_test_set_has_count_as_wrong(noisy, grid):
    train, train_factors, test, test_factors = split(noisy, grid)
    seen = train_factors[:, 0] < 2
    scores = score_codes(train[seen], train_factors[seen], test, test_factors, level="quick", threads=1)
    assert scores["dci_informativeness"] < 0.95
    assert all(np.isfinite(list(scores.values())))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, f, b, g: (a * np.nan, f, b, g), "codes must be finite"),
        (lambda a, f, b, g: (a, f, b * np.inf, g), "codes must be finite"),
        (lambda a, f, b, g: (a[:1], f[:1], b, g), "too few"),
        (lambda a, f, b, g: (a[:, 0], f, b, g), r"shape \(N, D\)"),
        (lambda a, f, b, g: (a, f[:, 0], b, g), r"shape \(N, F\)"),
        (lambda a, f, b, g: (a, f[1:], b, g), "do not match"),
        (lambda a, f, b, g: (a, f, b[:, :2], g), "test set has 2 codes, the training set 3"),
        (lambda a, f, b, g: (a, f, b, g[:, :2]), "test set has 2 factors, the training set 3"),
        (lambda a, f, b, g: (a, f * 0, b, g), "no factor varies"),
        (lambda a, f, b, g: (a, f.astype(str), b, g), "finite numbers"),
        (lambda a, f, b, g: (a[:40], np.arange(120).reshape(40, 3), b, g), "no two rows share a value of factor 0"),
        (lambda a, f, b, g: (a.astype(str), f, b, g), "codes must be finite numbers"),
        (lambda a, f, b, g: (a, f * 1j, b, g), "factors must be finite numbers that are real"),
        (lambda a, f, b, g: (a, [[1, 2], [3]], b, g), "factors must be an array of finite numbers: their rows differ"),
    ],
)
def test_arrays_without_a_score_are_refused(noisy, grid, change, message):
    with pytest.raises(GanwalkError, match=message):
        score_codes(*change(*split(noisy, grid)), level="quick", threads=1)


def test_other_bad_input_is_refused(noisy, grid):
    with pytest.raises(GanwalkError, match="unknown level"):
        score_codes(*split(noisy, grid), level="medium")
    with pytest.raises(GanwalkError, match="at least 2"):
        udr([noisy], [np.ones(3)])
    with pytest.raises(GanwalkError, match="same images"):
        udr([noisy, noisy[1:]], [np.ones(3), np.ones(3)])
    with pytest.raises(GanwalkError, match="same images"):
        udr([noisy, noisy], [np.ones(3), np.ones(2)])
    with pytest.raises(GanwalkError, match=r"\[0, 1\]"):
        reconstruction(np.zeros((2, 3)), np.full((2, 3), np.nan))
    with pytest.raises(GanwalkError, match="shape"):
        reconstruction(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(GanwalkError, match="one shape"):
        kl_per_dimension(np.zeros((2, 3)), np.zeros((2, 4)))


def test_tiny_differences_in_single_precision_have_a_histogram(grid):
    # The bins of numpy's histogram would be narrower than the precision of the values.
    codes = (0.5 + np.random.default_rng(0).normal(0, 1e-8, grid.shape)).astype(np.float32)
    assert np.isfinite(sap_continuous(codes, grid)) and score_codes(*split(codes, grid), level="quick", threads=1)


@pytest.mark.parametrize(
    "change", [lambda f: f - 5, lambda f: f * 10**12, lambda f: f / 7, lambda f: f.astype(np.int16)]
)
def test_what_numbers_stand_for_a_factor_s_values_does_not_matter(noisy, grid, change):
    for metric in (mig, irs):
        assert metric(noisy, change(grid)) == metric(noisy, grid)
