"""What no metric may depend on: the order of rows and of codes, the codes' signs and scales."""

from functools import partial

import numpy as np
import pytest

from vae.metrics import (
    active_codes,
    beta_vae_score,
    dci,
    dci_es,
    dcimig,
    dhsic,
    explicitness,
    factor_vae_score,
    info_e,
    info_mc,
    irs,
    med,
    mig,
    mig_sup,
    modularity,
    mutual_information,
    sap,
    sap_continuous,
    udr,
)


def on_halves(metric, **options):
    """A metric of training and test sets, of which both hold every row once."""
    return lambda codes, factors: metric(codes, factors, codes, factors, **options)


# Of draws, and of which of equally good splits is taken.
DRAWN = 0.06
METRICS = {
    "mig": (mig, 1e-9),
    "mig_sup": (partial(mig_sup, active=0), 1e-9),
    "dcimig": (dcimig, 1e-9),
    "med": (med, 1e-9),
    "modularity": (modularity, 1e-9),
    "irs": (irs, 1e-9),
    "info_modularity": (lambda *arrays: info_mc(*arrays).modularity, 1e-9),
    "info_compactness": (lambda *arrays: info_mc(*arrays).compactness, 1e-9),
    "info_explicitness": (info_e, 1e-3),
    "information": (lambda *arrays: mutual_information(*arrays).sum(), 1e-9),
    "information_by_neighbours": (lambda *arrays: mutual_information(*arrays, estimator="neighbours").sum(), 1e-9),
    # The penalty of the standard setting is in units of the codes, so that their scale matters; not without it.
    "sap": (on_halves(sap, C=1e5), 2e-3),
    "sap_continuous": (sap_continuous, 1e-9),
    "explicitness": (on_halves(explicitness), 1e-6),
    "dci_disentanglement": (lambda *a: on_halves(dci, rounds=5, threads=1)(*a).disentanglement, DRAWN),
    "dci_completeness": (lambda *a: on_halves(dci, rounds=5, threads=1)(*a).completeness, DRAWN),
    "dci_informativeness": (lambda *a: on_halves(dci, rounds=5, threads=1)(*a).informativeness, DRAWN),
    "dci_es_explicitness": (lambda *a: on_halves(dci_es, trees=3, threads=1)(*a).explicitness, DRAWN),
    "factor_vae": (partial(factor_vae_score, min_std=0, train_votes=500, eval_votes=500), DRAWN),
    "beta_vae": (partial(beta_vae_score, train_points=500, eval_points=500), DRAWN),
    "dhsic": (lambda codes, factors: dhsic(codes), 1e-12),
    "udr": (lambda codes, factors: udr([codes, codes], [np.ones(codes.shape[1])] * 2).scores[0], 1e-6),
    "active_codes": (lambda codes, factors: active_codes(codes).sum(), 0),
}


def rows(codes, factors):
    order = np.random.default_rng(1).permutation(len(codes))
    return codes[order], factors[order]


CHANGES = {
    "rows": rows,
    "codes": lambda codes, factors: (codes[:, [2, 0, 3, 1]], factors),
    "signs": lambda codes, factors: (codes * [1, -1, -1, 1], factors),
    "scale": lambda codes, factors: (codes * 8.0, factors),
    "factors": lambda codes, factors: (codes, factors[:, ::-1]),
}


@pytest.fixture(scope="module")
def mixed():
    """Four codes, of which the first three hold a factor each in the main: (600, 4), factors (600, 3)."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=600) for size in (3, 4, 5)], axis=1)
    matrix = np.eye(3, 4) + 0.2 * rng.normal(size=(3, 4))
    return (factors / factors.std(axis=0)) @ matrix + 0.3 * rng.normal(size=(600, 4)), factors


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", METRICS)
def test_a_score_stays_the_same(mixed, name, change):
    metric, tolerance = METRICS[name]
    assert metric(*CHANGES[change](*mixed)) == pytest.approx(metric(*mixed), abs=tolerance)
