"""What factors may be: classes of any type; continuous ones are binned on request and never taken as classes."""

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from vae import metrics
from vae.metrics import irs, kl_per_dimension, mig, mutual_information, reconstruction, sap_continuous, score_codes, udr

FEW = {"train_votes": 200, "eval_votes": 100}
FEW_POINTS = {"train_points": 200, "eval_points": 100}
OF_ONE_SET = {
    "mig": {},
    "mig_sup": {},
    "modularity": {},
    "irs": {},
    "mutual_information": {},
    "factor_vae_score": FEW,
    "beta_vae_score": FEW_POINTS,
}
OF_TWO_SETS = {
    "sap": {},
    "explicitness": {},
    "dci": {"rounds": 2},
    "dci_es": {"trees": 2},
    "score_codes": {"level": "quick", "threads": 1},
}


def call(name, codes, factors, **options):
    function = getattr(metrics, name)
    if name in OF_ONE_SET:
        return function(codes, factors, **OF_ONE_SET[name], **options)
    return function(codes, factors, codes, factors, **OF_TWO_SETS[name], **options)


@pytest.fixture(scope="module")
def continuous():
    """Codes that are the factors with some noise, factors real-valued in [0, 1]: (900, 2)."""
    rng = np.random.default_rng(0)
    factors = rng.random((900, 2))
    return factors + rng.normal(0, 0.02, factors.shape), factors


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
@pytest.mark.parametrize("change", [lambda f: f, lambda f: f.astype(np.float32), lambda f: np.argsort(f, axis=0)])
def test_values_that_do_not_repeat_are_never_classes(continuous, name, change):
    codes, factors = continuous
    mixed = np.stack([np.arange(900) % 3, change(factors)[:, 1]], axis=1)
    with pytest.raises(GanwalkError, match=r"no two rows share a value of factor 1: .* by factor_bins=10") as caught:
        call(name, codes, mixed)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
def test_bins_make_classes_of_them(continuous, name):
    codes, factors = continuous
    binned = np.floor(10 * (factors - factors.min(axis=0)) / np.ptp(factors, axis=0)).clip(max=9).astype(int)
    expected, found = call(name, codes, binned), call(name, codes, factors, factor_bins=10)
    if isinstance(expected, dict):
        assert expected == found and found["mig"] > 0.6
    elif isinstance(expected, float | np.ndarray):
        assert np.array_equal(expected, found)
    else:
        assert all(np.array_equal(getattr(expected, field), getattr(found, field)) for field in vars(expected))


def test_the_bins_are_those_of_the_training_rows(continuous):
    codes, factors = continuous
    inner = np.abs(factors - 0.5).max(axis=1) < 0.4
    found = metrics.dci(codes[inner], factors[inner], codes, factors, rounds=5, factor_bins=4)
    # Rows beyond the outer edges belong to the outer bins.
    assert found.informativeness > 0.85


def test_partly_continuous_and_finely_rounded_factors_are_refused(continuous):
    codes, factors = continuous
    for column in (np.where(factors[:, 0] < 0.5, 0, factors[:, 0]), factors[:, 0].round(3)):
        with pytest.raises(GanwalkError, match=r"only \d+ of 900 rows share a value of factor 0"):
            mig(codes, column[:, None])
    assert mig(codes, factors.round(1)) > 0.6


def test_bins_leave_the_classes_and_are_checked(continuous, grid):
    codes, factors = continuous
    assert mig(grid.astype(float), grid, factor_bins=5) == mig(grid.astype(float), grid)
    with pytest.raises(GanwalkError, match="factor_bins must be at least 2, not 1"):
        mig(codes, factors, factor_bins=1)
    with pytest.raises(GanwalkError, match="no two rows share a value of factor 0"):
        mig(codes, factors, factor_bins=100_000)


def test_squared_correlation_takes_factors_as_numbers(continuous):
    assert sap_continuous(*continuous) > 0.9
    with pytest.raises(GanwalkError, match="no factor varies"):
        sap_continuous(continuous[0], np.ones((900, 1)))


@pytest.mark.parametrize("name", [*OF_ONE_SET, *OF_TWO_SETS])
def test_booleans_are_two_classes(grid, name):
    codes = grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)
    for change in (lambda f: f, lambda f: f.tolist(), torch.from_numpy):
        found, expected = call(name, codes, change(grid > 1)), call(name, codes, (grid > 1).astype(float))
        assert repr(found) == repr(expected)
    assert sap_continuous(codes, grid > 1) == sap_continuous(codes, (grid > 1).astype(int))


def test_tensors_are_detached(grid):
    codes = (grid + np.random.default_rng(0).normal(0, 0.1, grid.shape)).astype(np.float32)
    tracked = torch.from_numpy(codes).requires_grad_()
    factors = torch.from_numpy(grid)
    assert mig(tracked, factors) == mig(codes, grid) and irs(tracked, factors) == irs(codes, grid)
    assert mig(list(tracked), factors) == mig(codes, grid)
    assert mig(tracked.bfloat16(), factors) == mig(tracked.bfloat16().float(), factors)
    assert np.array_equal(mutual_information(tracked, factors), mutual_information(codes, grid))
    two = [part[::2] for part in (tracked, factors)]
    assert score_codes(tracked, factors, *two, level="quick", threads=1)["mig"] == mig(codes, grid)
    assert np.array_equal(kl_per_dimension(tracked, tracked), kl_per_dimension(codes, codes))
    ones = torch.ones(3, requires_grad=True)
    assert np.array_equal(udr([tracked, codes], [ones, ones]).scores, udr([codes, codes], [np.ones(3)] * 2).scores)
    images = tracked.sigmoid()
    assert reconstruction(images, images).psnr == pytest.approx(100)
