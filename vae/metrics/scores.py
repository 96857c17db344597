"""All supervised scores of one representation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Continuous, Labelled, check_least, checked_codes, rows_of, told_apart
from vae.metrics.beta_vae import beta_vae_of
from vae.metrics.dci import dci
from vae.metrics.dci_es import dci_es_of
from vae.metrics.dcimig import dcimig_of
from vae.metrics.dhsic import dhsic
from vae.metrics.explicitness import explicitness
from vae.metrics.factor_vae import factor_vae_of
from vae.metrics.info_mec import info_e, info_mc
from vae.metrics.information import factor_entropies, information_of
from vae.metrics.irs import irs_of
from vae.metrics.med import med_of
from vae.metrics.mig import mig_of
from vae.metrics.mig_sup import mig_sup_of
from vae.metrics.modularity import modularity_of
from vae.metrics.posterior import active_codes
from vae.metrics.sap import sap

Level = Literal["full", "quick"]


@dataclass(frozen=True)
class MetricSettings:
    """Every constant of the scores; the defaults are those of disentanglement_lib's unsupervised study.

    Attributes:
        train_rows, test_rows: the most that are used; of more, so many are drawn.
        bins: of the histograms for mutual information.
        neighbours: of mutual information without bins, in InfoM and InfoC.
        svm_C: of SAP.
        dci_rounds: of gradient boosting.
        batch, train_batches, eval_batches: of the FactorVAE and BetaVAE scores.
        min_std: below which a code is pruned in the FactorVAE score.
        irs_quantile: of the deviations in IRS.
        active: variance above which a code counts as active.
        dhsic_rows: of which dHSIC compares all pairs; its least value is about one over this.
        es_trees: of each forest in DCI-ES; the authors' 100 move its score by less than 0.01, in five times the time.
    """

    train_rows: int = 10_000
    test_rows: int = 5_000
    bins: int = 20
    neighbours: int = 3
    svm_C: float = 0.01
    dci_rounds: int = 100
    batch: int = 64
    train_batches: int = 10_000
    eval_batches: int = 5_000
    min_std: float = 0.05
    irs_quantile: float = 0.99
    active: float = 0.01
    es_trees: int = 20
    dhsic_rows: int = 2_000


FULL = MetricSettings()
QUICK = MetricSettings(
    train_rows=3_000,
    test_rows=1_500,
    dci_rounds=20,
    train_batches=1_000,
    eval_batches=500,
    es_trees=10,
    dhsic_rows=1_000,
)
LEVELS: Mapping[Level, MetricSettings] = {"full": FULL, "quick": QUICK}

SCORES: Mapping[str, str] = {
    "mig": "MIG",
    "mig_sup": "MIG-sup",
    "dcimig": "DCIMIG",
    "med": "MED",
    "sap": "SAP",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "dci_es_explicitness": "DCI-ES explicitness",
    "dci_es_size": "DCI-ES size",
    "factor_vae": "FactorVAE score",
    "beta_vae": "BetaVAE score",
    "info_modularity": "InfoM",
    "info_compactness": "InfoC",
    "info_explicitness": "InfoE",
    "modularity": "modularity",
    "explicitness": "explicitness",
    "irs": "IRS",
    "dhsic": "dHSIC, best at 0",
    "active_units": "active units",
}
"""Names of what `score_codes` returns, in order, and what tables call them."""


# Of those, the ones that only classes have: without classes there is no value that rows could share, nor an entropy.
OF_CLASSES = (
    "mig",
    "mig_sup",
    "dcimig",
    "med",
    "dci_es_explicitness",
    "dci_es_size",
    "factor_vae",
    "beta_vae",
    "modularity",
    "irs",
)


def score_codes(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    level: Level = "full",
    settings: MetricSettings | None = None,
    factor_bins: int | None = None,
    continuous: Continuous = False,
    with_dci: bool = True,
    seed: int = 0,
    threads: int | None = None,
) -> dict[str, float]:
    """Every score in `SCORES`, by name; higher is better, but for `dhsic`, whose best value is 0, and for `dci_es_size`
    and `active_units`, which describe.

    Args:
        train_codes, test_codes: (N, D), (M, D), posterior means of two sets of images.
        train_factors, test_factors: (N, F), (M, F) integers.
        level: "full" has the settings `FULL`, "quick" those of `QUICK`, which take seconds: their scores compare with
            each other, not with full ones.
        settings: other constants than the level's.
        factor_bins: of continuous factors; see `vae.metrics`.
        continuous: score continuous factors without bins by the metrics that have an estimator for them; what is for
            classes (`OF_CLASSES`) is then missing. A mask (F,) says which factors are continuous.
        with_dci: False leaves DCI out, which takes longest.
        seed: of all draws.
        threads: of the models that DCI and DCI-ES fit; all processors without it.
    Raises:
        GanwalkError: arrays that do not match, too few rows, values that are not finite, no factor that varies,
            continuous factors without bins or `continuous`, or an unknown level.
    """
    if level not in LEVELS:
        raise GanwalkError(f"unknown level of metrics {level!r}: choose from {', '.join(LEVELS)}")
    check_least(0, seed=seed)
    settings = settings or LEVELS[level]
    whole = told_apart(train_codes, train_factors, factor_bins, continuous=continuous)
    whole.test(test_codes, test_factors)
    rng = np.random.default_rng(seed)
    train = _at_most(settings.train_rows, rng, train_codes, train_factors)
    test = _at_most(settings.test_rows, rng, test_codes, test_factors)
    # What factors are is not asked again of fewer rows.
    kinds: dict[str, Any] = {"factor_bins": factor_bins, "continuous": whole.continuous}
    given = told_apart(*train, **kinds)
    # What takes long comes last: arrays that some metric refuses are refused at once.
    scores = scores_of_arrays(*train, settings=settings, **kinds)
    scores["sap"] = sap(*train, *test, C=settings.svm_C, **kinds)
    scores["explicitness"] = explicitness(*train, *test, **kinds)
    scores["info_explicitness"] = info_e(*train, **kinds)
    scores["dhsic"] = dhsic(train[0], rows=settings.dhsic_rows, seed=seed)
    if not given.continuous.any():
        scores |= _scores_of_draws(given.classes, settings=settings, seed=seed)
        tested = given.classes.test(*test)
        extended = dci_es_of(given.classes, *tested, trees=settings.es_trees, seed=seed, threads=threads)
        scores |= {"dci_es_explicitness": extended.explicitness, "dci_es_size": extended.size}
    if with_dci:
        inferred = dci(*train, *test, rounds=settings.dci_rounds, seed=seed, threads=threads, **kinds)
        scores |= {
            "dci_disentanglement": inferred.disentanglement,
            "dci_completeness": inferred.completeness,
            "dci_informativeness": inferred.informativeness,
        }
    return {name: scores[name] for name in SCORES if name in scores}


def scores_of_arrays(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    settings: MetricSettings = FULL,
    factor_bins: int | None = None,
    continuous: Continuous = False,
) -> dict[str, float]:
    """Those of `score_codes` that neither draw nor fit anything, of one set; arguments as there."""
    given = told_apart(codes, factors, factor_bins, continuous=continuous)
    active = active_codes(given.classes.codes, threshold=settings.active)
    concentrated = info_mc(
        codes, factors, neighbours=settings.neighbours, factor_bins=factor_bins, continuous=given.continuous
    )
    scores = {
        "info_modularity": concentrated.modularity,
        "info_compactness": concentrated.compactness,
        "active_units": float(active.sum()),
    }
    if given.continuous.any():
        return scores
    information, entropies = information_of(given.classes, settings.bins), factor_entropies(given.classes)
    return scores | {
        "mig": mig_of(information, entropies),
        "mig_sup": mig_sup_of(information, entropies, active),
        "dcimig": dcimig_of(information, entropies),
        "med": med_of(information),
        "modularity": modularity_of(information),
        "irs": irs_of(given.classes, settings.irs_quantile),
    }


def _scores_of_draws(given: Labelled, *, settings: MetricSettings, seed: int) -> dict[str, float]:
    return {
        "factor_vae": factor_vae_of(
            given,
            batch=settings.batch,
            train_votes=settings.train_batches,
            eval_votes=settings.eval_batches,
            min_std=settings.min_std,
            seed=seed,
        ),
        "beta_vae": beta_vae_of(
            given,
            batch=settings.batch,
            train_points=settings.train_batches,
            eval_points=settings.eval_batches,
            seed=seed,
        ),
    }


def _at_most(rows: int, rng: np.random.Generator, codes: ArrayLike, factors: ArrayLike) -> tuple[ArrayLike, ArrayLike]:
    """The arrays, or so many of their rows drawn at random, in their order."""
    n = len(checked_codes(codes))
    kept = np.arange(n) if n <= rows else np.sort(rng.choice(n, rows, replace=False))
    return rows_of(codes, kept, "codes"), rows_of(factors, kept, "factors")
