"""Metrics of disentanglement: pure functions on codes (N, D) and factors (N, F), arrays, tensors or lists.

    from vae.metrics import score_codes

    scores = score_codes(train_codes, train_factors, test_codes, test_factors, level="quick")     # {"mig": 0.31, …}

score_codes(train and test arrays, *, level="full"|"quick", seed=0, threads=None) -> dict, all scores named in SCORES
MetricSettings, FULL, QUICK, LEVELS: their constants · SCORES: names and what tables call them

With factors, of one set of arrays:
mig(codes, factors, *, bins=20) -> float · mig_sup(…, *, bins=20, active=0.01) · modularity(…, *, bins=20)
irs(…, *, quantile=0.99) · sap_continuous(…)
factor_vae_score(…, *, batch=64, train_votes=10_000, eval_votes=5_000, min_std=0.05, seed=0)
beta_vae_score(…, *, batch=64, train_points=10_000, eval_points=5_000, seed=0)
dcimig(…, *, bins=20) · med(…, *, bins=20) · info_mc(…, *, neighbours=3, inactive=1/8) -> InfoMC · info_e(…)
of training and test arrays:
sap(…, *, C=0.01) -> float · explicitness(…) -> float
dci(…, *, rounds=100, seed=0, threads=None) -> DCI · dci_es(…, *, trees=100, …) -> ExplicitnessAndSize
matrices (D, F) for heat maps:
mutual_information(codes, factors, *, bins=20, estimator="histogram"|"neighbours") · dci(…).importance

Without factors:
dhsic(codes, *, rows=2000, seed=0) -> float
udr(codes of each run, KL of each run, *, similarity="lasso"|"spearman") -> UDR
reconstruction(images, probabilities) -> Reconstruction (bce, mse, psnr)
kl_per_dimension(means, log_variances) -> (D,) · active_units(means) -> int · active_codes(means) -> mask (D,)

Factors are classes: integers, booleans, or any numbers that repeat. One is continuous (`continuous_factors` tells), and
refused, where more than a quarter of the rows hold a value that no other row has, unless
`factor_bins=10`, of each of these functions, bins it: every factor that takes more values than that is cut into so
many ranges, of equal width between the least and the greatest value of the (training) rows; or
`continuous=True`, of sap, explicitness, dci, info_mc, info_e and score_codes, scores it by an estimator for numbers;
a mask (F,) in its place says which factors are continuous, for rows that are part of more.
`sap_continuous` takes all factors as the numbers that they are. What is left of `score_codes` is for classes.

Arrays may be lists, tensors, with a gradient or without, or frames of pandas or polars, whose factors may be text, too.
score_intervals(codes, factors, scores_of_arrays, *, draws=50) -> intervals by name, from halves of the rows

Factors that do not vary are left out. Bad arrays raise GanwalkError. The first `dci` on a machine compiles its model,
which takes some seconds.
"""

from vae.metrics.arrays import continuous_factors
from vae.metrics.beta_vae import beta_vae_score
from vae.metrics.dci import DCI, dci
from vae.metrics.dci_es import ExplicitnessAndSize, dci_es
from vae.metrics.dcimig import dcimig
from vae.metrics.dhsic import dhsic
from vae.metrics.explicitness import explicitness
from vae.metrics.factor_vae import factor_vae_score
from vae.metrics.info_mec import InfoMC, info_e, info_mc
from vae.metrics.information import mutual_information
from vae.metrics.intervals import score_intervals
from vae.metrics.irs import irs
from vae.metrics.med import med
from vae.metrics.mig import mig
from vae.metrics.mig_sup import mig_sup
from vae.metrics.modularity import modularity
from vae.metrics.posterior import active_codes, active_units, kl_per_dimension
from vae.metrics.reconstruction import Reconstruction, reconstruction
from vae.metrics.sap import sap, sap_continuous
from vae.metrics.scores import FULL, LEVELS, OF_CLASSES, QUICK, SCORES, MetricSettings, score_codes, scores_of_arrays
from vae.metrics.udr import UDR, udr

__all__ = [
    "DCI",
    "FULL",
    "LEVELS",
    "OF_CLASSES",
    "QUICK",
    "SCORES",
    "UDR",
    "ExplicitnessAndSize",
    "InfoMC",
    "MetricSettings",
    "Reconstruction",
    "active_codes",
    "active_units",
    "beta_vae_score",
    "continuous_factors",
    "dci",
    "dci_es",
    "dcimig",
    "dhsic",
    "explicitness",
    "factor_vae_score",
    "info_e",
    "info_mc",
    "irs",
    "kl_per_dimension",
    "med",
    "mig",
    "mig_sup",
    "modularity",
    "mutual_information",
    "reconstruction",
    "sap",
    "sap_continuous",
    "score_codes",
    "score_intervals",
    "scores_of_arrays",
    "udr",
]
