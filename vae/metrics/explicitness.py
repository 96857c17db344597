"""Explicitness (Ridgeway & Mozer, NeurIPS 2018, section 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Continuous, told_apart


def explicitness(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    factor_bins: int | None = None,
    continuous: Continuous = False,
) -> float:
    """Area under the ROC curve of telling a factor's value from the codes linearly: mean over values, then factors.

    For each value, a logistic regression against the rest on all codes, standardised, with scikit-learn's default
    penalty (C = 1). 0.5 is chance, 1 perfect. Values that the test set lacks are left out.

    Of a continuous factor, the share of pairs of rows that ridge regression (penalty 1) ranks as the factor does:
    Harrell's concordance, of which the area under the ROC curve is the case of two values.

    Args:
        train_codes, test_codes: (N, D), (M, D).
        train_factors, test_factors: (N, F), (M, F) integers.
        factor_bins, continuous: of a continuous factor; see `vae.metrics`.
    """
    from threadpoolctl import threadpool_limits

    given = told_apart(train_codes, train_factors, factor_bins, continuous=continuous)
    train = given.classes
    codes, labels, numbers = given.test(test_codes, test_factors)
    mean, std = train.codes.mean(axis=0, dtype=np.float64), train.codes.std(axis=0, dtype=np.float64)
    moving = std > 0
    x, x_test = ((part[:, moving] - mean[moving]) / std[moving] for part in (train.codes, codes))
    areas = []
    # The products are too small for more threads, which on a busy machine wait for each other most of the time.
    with threadpool_limits(limits=1, user_api="blas"):
        for f, size in enumerate(train.sizes):
            weights, intercepts = _one_against_the_rest(x, train.labels[:, f], size)
            areas.append(_areas(x_test @ weights + intercepts, labels[:, f]))
        predicted = x_test @ _ridge(x, given.numbers - given.numbers.mean(axis=0))
    areas += [np.array([_concordance(p, y)]) for p, y in zip(predicted.T, numbers.T, strict=True)]
    found = [np.nanmean(area) for area in areas if np.isfinite(area).any()]
    return float(np.mean(found)) if found else 0.5


def _areas(scores: Array, labels: Array) -> Array:
    """Areas (K,) under the ROC curves of scores (M, K), by their ranks; NaN for values that are absent or alone."""
    from scipy.stats import rankdata

    own = labels[:, None] == np.arange(scores.shape[1])
    positives = own.sum(axis=0)
    pairs = positives * (len(labels) - positives)
    ranks = (rankdata(scores, axis=0) * own).sum(axis=0)
    return np.where(pairs > 0, (ranks - positives * (positives + 1) / 2) / np.where(pairs > 0, pairs, 1), np.nan)


def _ridge(x: Array, y: Array) -> Array:
    """Weights (D, c) of ridge regression with penalty 1 of centred columns on centred codes."""
    return np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ y)


def _concordance(predicted: Array, y: Array) -> float:
    """Share of pairs with different y whose predictions are in the same order, equal ones by half; NaN without any."""
    from scipy.stats import kendalltau

    # Kendall's tau_b is (concordant - discordant) / sqrt(pairs untied in predictions · pairs untied in y).
    untied = [_untied_pairs(values) for values in (predicted, y)]
    if not untied[1]:
        return np.nan
    return 0.5 + 0.5 * kendalltau(predicted, y).statistic * np.sqrt(untied[0] / untied[1]) if untied[0] else 0.5


def _untied_pairs(values: Array) -> float:
    counts = np.unique(values, return_counts=True)[1].astype(np.float64)
    return float((len(values) ** 2 - (counts**2).sum()) / 2)


def _one_against_the_rest(x: Array, labels: Array, classes: int, C: float = 1.0) -> tuple[Array, Array]:
    """Weights (D, K) and intercepts (K,) of K logistic regressions, by Newton steps on all of them at once.

    Each minimises ½|w|² + C Σ log(1 + exp(-y (w·x + b))), y = ±1. The Hessians are made in single precision: they set
    the way to the minimum, not its place.
    """
    n, d = x.shape
    features = np.concatenate([x, np.ones((n, 1))], axis=1)
    rows, columns = np.triu_indices(d + 1)
    products = (features[:, rows] * features[:, columns]).astype(np.float32)
    own = labels[:, None] == np.arange(classes)
    penalty = np.append(np.ones(d), 0.0)

    def loss_of(parameters: Array) -> tuple[Array, Array]:
        scores = features @ parameters
        losses = np.logaddexp(0, np.where(own, -scores, scores)).sum(axis=0)
        return C * losses + 0.5 * (penalty[:, None] * parameters**2).sum(axis=0), scores

    # Class frequencies are the minimum without features.
    frequency = own.mean(axis=0)
    parameters = np.zeros((d + 1, classes))
    parameters[-1] = np.log(frequency / (1 - frequency))
    loss, scores = loss_of(parameters)
    for _ in range(50):
        p = 1 / (1 + np.exp(-scores))
        gradient = C * (features.T @ (p - own)) + penalty[:, None] * parameters
        hessian = np.empty((classes, d + 1, d + 1))
        hessian[:, rows, columns] = C * ((p * (1 - p)).astype(np.float32).T @ products)
        hessian[:, columns, rows] = hessian[:, rows, columns]
        hessian += np.diag(np.append(np.ones(d), 1e-6))
        step = np.linalg.solve(hessian, gradient.T[:, :, None])[:, :, 0].T
        decrease = (gradient * step).sum(axis=0)
        if (decrease <= 1e-8 * loss).all():
            break
        size = np.ones(classes)
        for _ in range(30):
            tried, scores = loss_of(parameters - size * step)
            poor = tried > loss - 1e-4 * size * decrease + 1e-12 * loss
            if not poor.any():
                break
            size = np.where(poor, size / 2, size)
        parameters, loss = parameters - size * step, tried
    return parameters[:-1], parameters[-1]
