"""Gradient boosting of trees (Friedman 2001), as scikit-learn's defaults have it, compiled.

The model of `GradientBoostingClassifier()`: 100 rounds, one tree of depth 3 per class and round on the gradient of the
log loss, exact splits by squared error, one Newton step per leaf, learning rate 0.1. The order of the rows by each
code is found once instead of in each node. Equally good splits are common where classes are small; codes are tried in
random order, so that none of them is preferred. Numbers are predicted by `GradientBoostingRegressor()`: one tree per
round on the residuals, whose means are the leaves' values.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganwalk.compute.compiled import entry, jit
from vae.metrics.arrays import Array

_DEPTH = 3
_NODES = 2 ** (_DEPTH + 1) - 1
_RATE = 0.1
# Values closer than this are not told apart, and nodes with less variance are not split (scikit-learn's bounds).
_RESOLUTION = np.float32(1e-7)
_PURE = np.finfo(np.float64).eps


@dataclass(frozen=True)
class Boosted:
    """What DCI needs of a fitted model.

    Attributes:
        importances: (D,) share of each code in the reduction of the squared error; 0 everywhere if nothing was split.
        train_accuracy, test_accuracy: shares of rows whose label is found; of numbers, R² or 0 if that is less.
    """

    importances: Array
    train_accuracy: float
    test_accuracy: float


def boost(x: Array, labels: Array, x_test: Array, labels_test: Array, *, rounds: int = 100, seed: int = 0) -> Boosted:
    """Fits labels (N,) from 0 to K - 1, K at least 2, to codes (N, D), and tries it on a test set."""
    x, order, x_test = _sorted_columns(x, x_test)
    shares = np.bincount(labels) / len(labels)
    # Two classes are one problem, and its tree is that of the second one.
    start = np.log(shares) if len(shares) > 2 else np.log(shares[1:] / shares[0])
    gains, raw, raw_test = _boost(x, order, labels, x_test, start, _tried(rounds, len(start), len(x), seed))
    return Boosted(
        importances=_shares(gains),
        train_accuracy=float((_found(raw) == labels).mean()),
        test_accuracy=float((_found(raw_test) == labels_test).mean()),
    )


def boost_numbers(x: Array, y: Array, x_test: Array, y_test: Array, *, rounds: int = 100, seed: int = 0) -> Boosted:
    """Fits numbers (N,) to codes (N, D), and tries it on a test set."""
    x, order, x_test = _sorted_columns(x, x_test)
    # In units of their deviation: the bounds below are absolute, and accuracy and importances do not depend on it.
    mean, deviation = y.mean(), y.std()
    y, y_test = (y - mean) / deviation, (y_test - mean) / deviation
    gains, raw, raw_test = _boost_numbers(x, order, y, x_test, _tried(rounds, 1, len(x), seed)[:, 0])
    return Boosted(_shares(gains), _explained(raw, y), _explained(raw_test, y_test))


def _explained(predicted: Array, y: Array) -> float:
    variance = ((y - y.mean()) ** 2).mean()
    return max(0.0, float(1 - ((y - predicted) ** 2).mean() / variance)) if variance > 0 else 0.0


def _shares(gains: Array) -> Array:
    total = gains.sum()
    return gains / total if total > 0 else gains


def _sorted_columns(x: Array, x_test: Array) -> tuple[Array, Array, Array]:
    """Codes (D, N), the order of their rows by each, and codes (D, M) of the test set."""
    columns, test_columns = (np.ascontiguousarray(part.T, np.float32) for part in (x, x_test))
    return columns, np.argsort(columns, axis=1, kind="stable").astype(np.int32), test_columns


def _tried(rounds: int, trees: int, codes: int, seed: int) -> Array:
    """The order (rounds, trees, depth, D) in which codes are tried."""
    tried = np.tile(np.arange(codes, dtype=np.int16), (rounds * trees * _DEPTH, 1))
    return np.random.default_rng(seed).permuted(tried, axis=1).reshape(rounds, trees, _DEPTH, codes)


def _found(scores: Array) -> Array:
    """Labels (N,) by scores (K, N), or (1, N) where there are two classes."""
    return scores.argmax(axis=0) if len(scores) > 1 else (scores[0] >= 0).astype(np.int64)


@entry
def _boost(x, order, labels, x_test, start, tried):
    """Gains (D,) of the codes over all splits, and scores (K, N) and (K, M) of both sets.

    `tried` (rounds, K, depth, D) has the order in which codes are tried.
    """
    d, n = x.shape
    k = len(start)
    raw, raw_test = np.empty((k, n)), np.empty((k, x_test.shape[1]))
    for c in range(k):
        raw[c], raw_test[c] = start[c], start[c]
    ordered = _in_order(x, order)
    gains, p, gradient = np.zeros(d), np.empty((k, n)), np.empty(n)
    inverse = 1.0 / np.maximum(np.arange(n + 1), 1)
    place, place_test = np.empty(n, np.int8), np.empty(x_test.shape[1], np.int8)
    feature, threshold, value = np.empty(_NODES, np.int64), np.empty(_NODES), np.empty(_NODES)
    for r in range(len(tried)):
        _probabilities(raw, p)
        for c in range(k):
            own = c if k > 1 else 1
            for i in range(n):
                gradient[i] = (1.0 if labels[i] == own else 0.0) - p[c, i]
            _grow(x, ordered, order, tried[r, c], gradient, inverse, place, feature, threshold, gains)
            _leaf_values(place, gradient, p[c], labels, own, 1.0 if k == 1 else (k - 1) / k, value)
            for i in range(n):
                raw[c, i] += _RATE * value[place[i]]
            _descend(x_test, feature, threshold, place_test)
            for i in range(len(place_test)):
                raw_test[c, i] += _RATE * value[place_test[i]]
    return gains, raw, raw_test


@entry
def _boost_numbers(x, order, y, x_test, tried):
    """Gains (D,), and predictions (N,) and (M,); `tried` (rounds, depth, D)."""
    d, n = x.shape
    raw, raw_test = np.full(n, y.mean()), np.full(x_test.shape[1], y.mean())
    ordered = _in_order(x, order)
    gains, inverse = np.zeros(d), 1.0 / np.maximum(np.arange(n + 1), 1)
    place, place_test = np.empty(n, np.int8), np.empty(x_test.shape[1], np.int8)
    feature, threshold = np.empty(_NODES, np.int64), np.empty(_NODES)
    for r in range(len(tried)):
        residual = y - raw
        _grow(x, ordered, order, tried[r], residual, inverse, place, feature, threshold, gains)
        count, value = np.zeros(_NODES), np.zeros(_NODES)
        for i in range(n):
            count[place[i]] += 1
            value[place[i]] += residual[i]
        value /= np.maximum(count, 1)
        for i in range(n):
            raw[i] += _RATE * value[place[i]]
        _descend(x_test, feature, threshold, place_test)
        for i in range(len(place_test)):
            raw_test[i] += _RATE * value[place_test[i]]
    return gains, raw, raw_test


@jit
def _in_order(x, order):
    """Codes in the order of their rows, so that the scans read them one after the other."""
    d, n = x.shape
    ordered = np.empty((d, n), np.float32)
    for j in range(d):
        for s in range(n):
            ordered[j, s] = x[j, order[j, s]]
    return ordered


@jit
def _probabilities(raw, p):
    """Softmax over classes, or the logistic function of a single score."""
    k, n = raw.shape
    if k == 1:
        p[0] = 1.0 / (1.0 + np.exp(-raw[0]))
        return
    for i in range(n):
        top = raw[0, i]
        for c in range(1, k):
            top = max(top, raw[c, i])
        total = 0.0
        for c in range(k):
            p[c, i] = np.exp(raw[c, i] - top)
            total += p[c, i]
        for c in range(k):
            p[c, i] /= total


@jit
def _grow(x, ordered, order, tried, gradient, inverse, place, feature, threshold, gains):
    """Grows one tree on the gradient, level by level; each row's leaf goes to `place`, each split's gain to `gains`.

    Node q has the children 2q + 1 and 2q + 2; `feature` is -1 at leaves.
    """
    n = ordered.shape[1]
    feature[:] = -1
    place[:] = 0
    count, total, squares = np.zeros(_NODES, np.int64), np.zeros(_NODES), np.zeros(_NODES)
    for i in range(n):
        total[0] += gradient[i]
        squares[0] += gradient[i] ** 2
    count[0] = n
    open_, best = np.zeros(_NODES, np.bool_), np.empty(_NODES)
    left, left_total, previous = np.empty(_NODES, np.int64), np.empty(_NODES), np.empty(_NODES, np.float32)
    for level in range(_DEPTH):
        first, end = 2**level - 1, 2 ** (level + 1) - 1
        open_[:] = False
        any_open = False
        for q in range(first, end):
            if count[q] >= 2 and squares[q] / count[q] - (total[q] / count[q]) ** 2 > _PURE:
                open_[q] = True
                any_open = True
            best[q] = -np.inf
        if not any_open:
            break
        for j in tried[level]:
            for q in range(first, end):
                left[q], left_total[q] = 0, 0.0
            for s in range(n):
                i = order[j, s]
                q = place[i]
                if not open_[q]:
                    continue
                v = ordered[j, s]
                if left[q] > 0 and v > previous[q] + _RESOLUTION:
                    right_total = total[q] - left_total[q]
                    gain = (
                        left_total[q] * left_total[q] * inverse[left[q]]
                        + right_total * right_total * inverse[count[q] - left[q]]
                    )
                    if gain > best[q]:
                        best[q] = gain
                        feature[q] = j
                        threshold[q] = np.float64(previous[q]) / 2 + np.float64(v) / 2
                left[q] += 1
                left_total[q] += gradient[i]
                previous[q] = v
        for q in range(first, end):
            if feature[q] >= 0:
                gains[feature[q]] += best[q] - total[q] * total[q] / count[q]
        for i in range(n):
            q = place[i]
            if feature[q] >= 0 and q >= first:
                child = 2 * q + 1 if x[feature[q], i] <= threshold[q] else 2 * q + 2
                place[i] = child
                count[child] += 1
                total[child] += gradient[i]
                squares[child] += gradient[i] ** 2


@jit
def _leaf_values(place, gradient, p, labels, own, factor, value):
    """One Newton step of the log loss in each leaf, times a factor (Friedman's (K - 1) / K)."""
    numerator, denominator = np.zeros(_NODES), np.zeros(_NODES)
    for i in range(len(place)):
        numerator[place[i]] += gradient[i]
        denominator[place[i]] += p[i] * (1.0 - p[i])
    for q in range(_NODES):
        value[q] = factor * numerator[q] / denominator[q] if denominator[q] > 1e-150 else 0.0


@jit
def _descend(x, feature, threshold, place):
    """The leaf of each column of x (D, M)."""
    for i in range(x.shape[1]):
        q = 0
        while feature[q] >= 0:
            q = 2 * q + 1 if x[feature[q], i] <= threshold[q] else 2 * q + 2
        place[i] = q
