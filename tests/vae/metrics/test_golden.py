"""Scores that disentanglement_lib gave the same arrays."""

import numpy as np
import pytest

from tests.vae.metrics.conftest import read_golden
from vae.metrics.beta_vae import beta_vae_score
from vae.metrics.factor_vae import factor_vae_score
from vae.metrics.irs import irs
from vae.metrics.mig import mig
from vae.metrics.modularity import modularity
from vae.metrics.sap import sap, sap_continuous
from vae.metrics.udr import udr


@pytest.mark.parametrize(
    ("metric", "name"),
    [(mig, "mig"), (modularity, "modularity"), (sap_continuous, "sap_continuous"), (irs, "irs")],
)
def test_deterministic_scores(golden, metric, name):
    if golden.scores[name] is not None:  # a constant code has no IRS there
        assert metric(*golden.train) == pytest.approx(golden.scores[name], abs=1e-9)


def test_sap(golden):
    # liblinear stops a little before the minimum: a row in a thousand may fall on the other side.
    assert sap(*golden.train, *golden.test) == pytest.approx(golden.scores["sap_discrete"], abs=1e-3)


@pytest.mark.parametrize(
    ("metric", "sizes", "name"),
    [
        (factor_vae_score, {"train_votes": 2000, "eval_votes": 1000}, "factor_vae_eval_accuracy"),
        (beta_vae_score, {"train_points": 2000, "eval_points": 1000}, "beta_vae_eval_accuracy"),
    ],
)
def test_scores_of_random_batches(golden, metric, sizes, name):
    expected = golden.scores.get(name, {"mean": 1.0, "std": 0.0})  # the constant code spoils one there
    tolerance = 3 * expected["std"] or 0.02
    assert metric(*golden.train, **sizes) == pytest.approx(expected["mean"], abs=tolerance)


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        ("lasso", [0.7705070075284615, 0.2234583672343894, 0.7765305981486319, 0.7697042489920896]),
        ("spearman", [0.7779150780929645, 0.24094685289779844, 0.7779150780929645, 0.7785049006673026]),
    ],
)
def test_udr(similarity, expected):
    # The expected numbers are disentanglement_lib's for these four runs, one of which has an uninformative code.
    aligned, rotated, partial = (read_golden(name).train[0][:1000] for name in ("aligned", "rotated", "partial"))
    runs = [aligned, rotated, partial[:, :5], aligned[:, ::-1].astype(float) + partial[:, 5:]]
    kls = [np.ones(5), np.ones(5), np.array([1, 1, 1, 1, 0]), np.ones(5)]
    assert udr(runs, kls, similarity=similarity).scores == pytest.approx(expected, abs=1e-9)
