"""Disentanglement, completeness, informativeness (Eastwood & Williams, ICLR 2018)."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Continuous, check_least, near_zero, told_apart

if TYPE_CHECKING:
    from vae.metrics.boosting import Boosted


@dataclass(frozen=True)
class DCI:
    """The three scores and what they come from.

    Attributes:
        disentanglement: 1 - entropy of the factors within each code, codes weighted by their importance.
        completeness: 1 - entropy of the codes within each factor, factors weighted likewise.
        informativeness: accuracy on the test set (of continuous factors R², at least 0), mean over the factors.
        informativeness_train: the same on the training set.
        importance: (D, F) of each code for each factor; columns sum to 1, or are 0 for factors that do not vary.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    informativeness_train: float
    importance: Array


def dci(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    rounds: int = 100,
    factor_bins: int | None = None,
    continuous: Continuous = False,
    seed: int = 0,
    threads: int | None = None,
) -> DCI:
    """Scores of the importances of the codes in a classifier of each factor by gradient boosting, all in [0, 1].

    A continuous factor has a regressor of the same kind.

    With 100 rounds it is the model of disentanglement_lib. The fast model has 20: its scores rank representations
    alike, but its disentanglement and completeness are higher, as late rounds spread importance over all codes.
    Compare scores of equal rounds only.

    Args:
        train_codes, test_codes: (N, D), (M, D).
        train_factors, test_factors: (N, F), (M, F) integers.
        rounds: of boosting (see vae.metrics.boosting).
        factor_bins, continuous: of a continuous factor; see `vae.metrics`.
        seed: of the order in which equally good splits are tried.
        threads: factors that are fitted at the same time; all processors without it.
    """
    # Compiled at its first call on a machine; at import even loading it would take numba's second.
    from vae.metrics.boosting import boost, boost_numbers

    given = told_apart(train_codes, train_factors, factor_bins, continuous=continuous)
    train = given.classes
    check_least(1, rounds=rounds)
    check_least(0, seed=seed)
    codes, labels, numbers = given.test(test_codes, test_factors)
    own, codes = near_zero(train.codes, codes)
    columns = np.concatenate([train.columns, given.columns])

    def fit(f: int) -> Boosted:
        c = f - len(train.columns)
        if c < 0:
            return boost(own, train.labels[:, f], codes, labels[:, f], rounds=rounds, seed=seed + f)
        return boost_numbers(own, given.numbers[:, c], codes, numbers[:, c], rounds=rounds, seed=seed + f)

    # The factors with most values take longest: they go first.
    order = [*np.argsort(-train.sizes, kind="stable").tolist(), *range(len(train.columns), len(columns))]
    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        fitted = dict(zip(order, pool.map(fit, order), strict=True))
    importance = np.zeros((train.codes.shape[1], train.factors))
    for f, column in enumerate(columns):
        importance[:, column] = fitted[f].importances
    varying = np.sort(columns)
    return DCI(
        disentanglement=disentanglement(importance[:, varying]),
        completeness=disentanglement(importance[:, varying].T),
        informativeness=float(np.mean([found.test_accuracy for found in fitted.values()])),
        informativeness_train=float(np.mean([found.train_accuracy for found in fitted.values()])),
        importance=importance,
    )


def disentanglement(importance: Array) -> float:
    """Mean over the rows of 1 - entropy of a row to the base of its length, rows weighted by their sums.

    Of an importance matrix (D, F) this is the disentanglement, of its transpose the completeness. A row with a single
    entry scores 1; 0 if there is no importance at all.
    """
    rows = importance.sum(axis=1)
    if not rows.sum() > 0:
        return 0.0
    if importance.shape[1] == 1:
        return 1.0
    shares = importance[rows > 0] / rows[rows > 0][:, None]
    entropies = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1) / np.log(importance.shape[1])
    # Rounding would make the score of equal shares a little less than 0.
    return max(0.0, float(((1 - entropies) * rows[rows > 0]).sum() / rows.sum()))
