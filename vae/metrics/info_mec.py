"""InfoM, InfoE and InfoC: modularity, explicitness and compactness as information (Hsu et al., NeurIPS 2023)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Continuous, ToldApart, told_apart
from vae.metrics.information import factor_entropies
from vae.metrics.neighbours import information_by_neighbours, most_with_numbers


@dataclass(frozen=True)
class InfoMC:
    """Attributes:
    modularity: InfoM: 1 if each active code informs of one factor only, 0 if of all alike.
    compactness: InfoC: 1 if one active code alone informs of each factor, 0 if all do alike.
    information: (D, F) information of each code on each factor, as a share of the factor's entropy.
    """

    modularity: float
    compactness: float
    information: Array


def info_mc(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    neighbours: int = 3,
    inactive: float = 1 / 8,
    factor_bins: int | None = None,
    continuous: Continuous = False,
) -> InfoMC:
    """Shares of the largest information in the sum, over each active code and each factor; both in [0, 1].

    A share s of n parts counts (s - 1/n) / (1 - 1/n). Information is that of nearest neighbours, where a code's values
    do not repeat, and else counted, as the authors recommend. What informs of nothing is left out of InfoM and counts 0
    in InfoC; where one factor varies InfoM is 1, where one code is active InfoC.

    Defaults are those of the code behind the paper (kylehkhsu/disentangle). The file that the authors gave out later
    (infomec.py in kylehkhsu/latent_quantization) has 10 neighbours and 1/20, counts every quantised code that varies,
    and gives InfoE such codes as one-hot vectors, not as numbers.

    Args:
        codes: (N, D).
        factors: (N, F).
        neighbours: k of the estimators.
        inactive: codes whose range is at most this share of the widest one's do not count.
        factor_bins, continuous: of a continuous factor; see `vae.metrics`. As its entropy is infinite, the most that
            the estimator can find in N rows takes its place.
    """
    given = told_apart(codes, factors, factor_bins, continuous=continuous)
    matrix = information_by_neighbours(given, neighbours)
    entropies = np.ones(given.classes.factors)
    entropies[given.classes.columns] = factor_entropies(given.classes)
    entropies[given.columns] = most_with_numbers(len(given.numbers), neighbours)
    matrix /= entropies
    varying = np.sort(np.concatenate([given.classes.columns, given.columns]))
    ranges = np.ptp(given.classes.codes, axis=0)
    counted = matrix[ranges > inactive * ranges.max()][:, varying]
    if not counted.size or not counted.any():
        return InfoMC(0.0, 0.0, matrix)
    informative = counted.sum(axis=1) > 0
    return InfoMC(_concentration(counted[informative]), _concentration(counted.T), matrix)


def _concentration(matrix: Array) -> float:
    """Mean over the rows of the largest entry's share in the sum, moved such that equal entries have 0."""
    n = matrix.shape[1]
    if n == 1:
        return 1.0
    sums = matrix.sum(axis=1)
    shares = np.where(sums > 0, matrix.max(axis=1) / np.where(sums > 0, sums, 1), 1 / n)
    return max(0.0, float((shares.mean() - 1 / n) / (1 - 1 / n)))


def info_e(
    codes: ArrayLike, factors: ArrayLike, *, factor_bins: int | None = None, continuous: Continuous = False
) -> float:
    """Information on a factor that a linear model finds in all codes, as a share of what there is; mean over factors.

    Of classes, by multinomial logistic regression without a penalty and with balanced classes, fitted in at most 100
    steps (the authors' settings, on which the score depends): one minus its mean cross-entropy over the log of the
    number of classes. Of numbers, the share of variance that linear regression explains. Models are tried on the rows
    that they were fitted to. At most 1; below 0 where rare classes are bought at the expense of frequent ones.

    Args:
        codes: (N, D).
        factors: (N, F).
        factor_bins, continuous: of a continuous factor; see `vae.metrics`.
    """
    given = told_apart(codes, factors, factor_bins, continuous=continuous)
    x = _standardised(given.classes.codes)
    scores = [_found_of_classes(x, labels) for labels in given.classes.labels.T]
    return float(np.mean(scores + _explained(x, given)))


def _standardised(codes: Array) -> Array:
    moving = codes.max(axis=0) > codes.min(axis=0)
    x = codes[:, moving].astype(np.float64)
    return (x - x.mean(axis=0)) / x.std(axis=0)


def _found_of_classes(x: Array, labels: Array) -> float:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    if not x.shape[1]:
        return 0.0
    with warnings.catch_warnings(), threadpool_limits(limits=1, user_api="blas"):
        # To stop after so many steps is part of the score.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-4, max_iter=100).fit(x, labels)
        found = model.predict_proba(x)[np.arange(len(labels)), labels]
    return float(1 + np.log(np.maximum(found, np.finfo(float).tiny)).mean() / np.log(labels.max() + 1))


def _explained(x: Array, given: ToldApart) -> list[float]:
    """The share of variance that linear regression on the codes explains, for each continuous factor."""
    y = given.numbers - given.numbers.mean(axis=0)
    if not x.shape[1]:
        return [0.0] * y.shape[1]
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return (1 - residual.var(axis=0) / y.var(axis=0)).tolist()
