"""All supervised scores of one representation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.arrays import host_array
from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, checked_codes, labelled
from vae.metrics.beta_vae import beta_vae_score
from vae.metrics.dci import dci
from vae.metrics.dci_es import dci_es
from vae.metrics.explicitness import explicitness
from vae.metrics.factor_vae import factor_vae_score
from vae.metrics.irs import irs
from vae.metrics.mig import mig
from vae.metrics.mig_sup import mig_sup
from vae.metrics.modularity import modularity
from vae.metrics.posterior import active_units
from vae.metrics.sap import sap

Level = Literal["full", "quick"]


@dataclass(frozen=True)
class MetricSettings:
    """Every constant of the scores; the defaults are those of disentanglement_lib's unsupervised study.

    Attributes:
        train_rows, test_rows: the most that are used; of more, so many are drawn.
        bins: of the histograms for mutual information.
        svm_C: of SAP.
        dci_rounds: of gradient boosting.
        batch, train_batches, eval_batches: of the FactorVAE and BetaVAE scores.
        min_std: below which a code is pruned in the FactorVAE score.
        irs_quantile: of the deviations in IRS.
        active: variance above which a code counts as active.
        es_trees: of each forest in DCI-ES; the authors' 100 move its score by less than 0.01, in five times the time.
    """

    train_rows: int = 10_000
    test_rows: int = 5_000
    bins: int = 20
    svm_C: float = 0.01
    dci_rounds: int = 100
    batch: int = 64
    train_batches: int = 10_000
    eval_batches: int = 5_000
    min_std: float = 0.05
    irs_quantile: float = 0.99
    active: float = 0.01
    es_trees: int = 20


FULL = MetricSettings()
QUICK = MetricSettings(
    train_rows=3_000, test_rows=1_500, dci_rounds=20, train_batches=1_000, eval_batches=500, es_trees=10
)
LEVELS: Mapping[Level, MetricSettings] = {"full": FULL, "quick": QUICK}

SCORES: Mapping[str, str] = {
    "mig": "MIG",
    "mig_sup": "MIG-sup",
    "sap": "SAP",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "dci_es_explicitness": "DCI-ES explicitness",
    "dci_es_size": "DCI-ES size",
    "factor_vae": "FactorVAE score",
    "beta_vae": "BetaVAE score",
    "modularity": "modularity",
    "explicitness": "explicitness",
    "irs": "IRS",
    "active_units": "active units",
}
"""Names of what `score_codes` returns, in order, and what tables call them."""


def score_codes(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    level: Level = "full",
    factor_bins: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> dict[str, float]:
    """Every score in `SCORES`, by name; higher is better, but for `dci_es_size` and `active_units`, which describe.

    Args:
        train_codes, test_codes: (N, D), (M, D), posterior means of two sets of images.
        train_factors, test_factors: (N, F), (M, F) integers.
        level: "full" has the settings `FULL`, "quick" those of `QUICK`, which take seconds: their scores compare with
            each other, not with full ones.
        factor_bins: of continuous factors; see `vae.metrics`.
        seed: of all draws.
        threads: of the models that DCI and DCI-ES fit; all processors without it.
    Raises:
        GanwalkError: arrays that do not match, too few rows, values that are not finite, no factor that varies,
            continuous factors without bins, or an unknown level.
    """
    if level not in LEVELS:
        raise GanwalkError(f"unknown level of metrics {level!r}: choose from {', '.join(LEVELS)}")
    settings = LEVELS[level]
    given = labelled(train_codes, train_factors, factor_bins)
    given.test(test_codes, test_factors)
    rng = np.random.default_rng(seed)
    train = _at_most(settings.train_rows, rng, given.codes, host_array(train_factors, "factors"))
    test = _at_most(settings.test_rows, rng, checked_codes(test_codes), host_array(test_factors, "factors"))
    # What takes long comes last: arrays that some metric refuses are refused at once.
    scores = {
        "factor_vae": factor_vae_score(
            *train,
            batch=settings.batch,
            train_votes=settings.train_batches,
            eval_votes=settings.eval_batches,
            min_std=settings.min_std,
            factor_bins=factor_bins,
            seed=seed,
        ),
        "beta_vae": beta_vae_score(
            *train,
            batch=settings.batch,
            train_points=settings.train_batches,
            eval_points=settings.eval_batches,
            factor_bins=factor_bins,
            seed=seed,
        ),
        "mig": mig(*train, bins=settings.bins, factor_bins=factor_bins),
        "mig_sup": mig_sup(*train, bins=settings.bins, factor_bins=factor_bins, active=settings.active),
        "sap": sap(*train, *test, C=settings.svm_C, factor_bins=factor_bins),
        "modularity": modularity(*train, bins=settings.bins, factor_bins=factor_bins),
        "explicitness": explicitness(*train, *test, factor_bins=factor_bins),
        "irs": irs(*train, quantile=settings.irs_quantile, factor_bins=factor_bins),
        "active_units": float(active_units(train[0], threshold=settings.active)),
    }
    extended = dci_es(*train, *test, trees=settings.es_trees, factor_bins=factor_bins, seed=seed, threads=threads)
    scores |= {"dci_es_explicitness": extended.explicitness, "dci_es_size": extended.size}
    inferred = dci(*train, *test, rounds=settings.dci_rounds, factor_bins=factor_bins, seed=seed, threads=threads)
    scores |= {
        "dci_disentanglement": inferred.disentanglement,
        "dci_completeness": inferred.completeness,
        "dci_informativeness": inferred.informativeness,
    }
    return {name: scores[name] for name in SCORES}


def _at_most(rows: int, rng: np.random.Generator, codes: Array, factors: Array) -> tuple[Array, Array]:
    """The arrays, or so many of their rows drawn at random, in their order."""
    if len(codes) <= rows:
        return codes, factors
    kept = np.sort(rng.choice(len(codes), rows, replace=False))
    return codes[kept], factors[kept]
