"""Scores that disentanglement_lib gave the same arrays."""

import pytest

from vae.metrics.beta_vae import beta_vae_score
from vae.metrics.factor_vae import factor_vae_score
from vae.metrics.irs import irs
from vae.metrics.mig import mig
from vae.metrics.modularity import modularity
from vae.metrics.sap import sap, sap_continuous


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
