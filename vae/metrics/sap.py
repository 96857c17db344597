"""Separated attribute predictability (Kumar et al., ICLR 2018, section 3)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, Continuous, Labelled, gap, near_zero, numeric, told_apart


def sap(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    C: float = 0.01,
    factor_bins: int | None = None,
    continuous: Continuous = False,
) -> float:
    """Mean over the factors of the gap in test accuracy between the two codes that predict the factor best alone.

    Each prediction is a linear support vector machine on one code: squared hinge, one class against the rest, balanced
    class weights, as scikit-learn's `LinearSVC(C=0.01, class_weight="balanced")`, solved exactly. In [0, 1]. Of a
    continuous factor the gap is that in squared correlation over the training rows, as in the paper.

    Args:
        train_codes, test_codes: (N, D), (M, D).
        train_factors, test_factors: (N, F), (M, F) integers.
        C: of the support vector machine, whose penalty is in units of the codes: their scale matters while it is small.
        factor_bins, continuous: of a continuous factor; see `vae.metrics`.
    """
    given = told_apart(train_codes, train_factors, factor_bins, continuous=continuous)
    if not C > 0:
        raise GanwalkError(f"C must be above 0, not {C}")
    codes, labels, _ = given.test(test_codes, test_factors)
    columns = []
    if len(given.classes.columns):
        columns.append(_accuracies(given.classes, codes, labels, C))
    if len(given.columns):
        columns.append(_squared_correlations(given.classes.codes.astype(np.float64), given.numbers))
    return float(gap(np.concatenate(columns, axis=1), axis=0).mean())


def sap_continuous(codes: ArrayLike, factors: ArrayLike) -> float:
    """SAP of factors taken as numbers: the gap in squared correlation, mean over the factors, in [0, 1].

    Args:
        codes: (N, D).
        factors: (N, F), continuous or not, whose order and distances mean something.
    """
    return float(gap(_squared_correlations(*numeric(codes, factors)), axis=0).mean())


def _squared_correlations(x: Array, y: Array) -> Array:
    """(D, f) of codes (N, D) and factors (N, f), none of which is constant; 0 for constant codes."""
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    variances = (x**2).sum(axis=0) / (len(x) - 1)
    # The reference's bound: below it a code is taken as constant.
    moving = variances > 1e-12
    scale = np.where(moving, variances * (len(x) - 1), 1.0)[:, None] * (y**2).sum(axis=0)
    return np.where(moving[:, None], (x.T @ y) ** 2 / scale, 0.0)


def _accuracies(train: Labelled, codes: Array, labels: Array, C: float) -> Array:
    """Test accuracies (D, f) of each code alone for each factor."""
    starts = np.cumsum([0, *train.sizes])
    # All classes of all factors are one list of problems.
    members = train.labels + starts[:-1]
    result = np.empty((codes.shape[1], len(train.sizes)))
    own, codes = near_zero(train.codes, codes)
    for d in range(codes.shape[1]):
        slopes, intercepts = _separate(own[:, d].astype(np.float64), members, train.sizes, C)
        x = codes[:, d].astype(np.float64)[:, None]
        for f, (start, end) in enumerate(pairwise(starts)):
            predicted = (x * slopes[start:end] + intercepts[start:end]).argmax(axis=1)
            result[d, f] = (predicted == labels[:, f]).mean()
    return result


class _Sums:
    """Numbers, sums and sums of squares of x over the rows of each class, or the rest, on one side of a threshold.

    Sorted once, every sum is a difference of two prefix sums. So a step of the solver costs a binary search for each
    class, whatever the number of rows.
    """

    def __init__(self, x: Array, members: Array):
        n = len(members)
        order = np.argsort(x)
        self._x = x[order]
        self._n = n
        keys = np.sort((members[order] * n + np.arange(n)[:, None]).ravel())
        self._keys = keys
        self._all = _prefix_sums(self._x)
        self._by_class = _prefix_sums(self._x[keys % n])
        self._class_starts = np.arange(members.max() + 1) * n

    def below(self, thresholds: Array, classes: bool) -> Array:
        """(3, K) sums over rows with x below each class's threshold: of its own rows, or of the other ones."""
        rank = np.searchsorted(self._x, thresholds)
        own = self._own(rank)
        return own if classes else self._all[:, rank] - own

    def total(self, classes: bool) -> Array:
        """(3, K) sums over all rows of each class, or the other ones."""
        own = self._own(np.full(len(self._class_starts), self._n))
        return own if classes else self._all[:, -1:] - own

    def _own(self, rank: Array) -> Array:
        ends = np.searchsorted(self._keys, self._class_starts + rank)
        return self._by_class[:, ends] - self._by_class[:, np.searchsorted(self._keys, self._class_starts)]


def _prefix_sums(x: Array) -> Array:
    """(3, n + 1) sums of 1, x and x² over the first rows."""
    return np.concatenate([np.zeros((3, 1)), np.cumsum(np.stack([np.ones_like(x), x, x * x]), axis=1)], axis=1)


def _separate(x: Array, members: Array, sizes: Array, C: float) -> tuple[Array, Array]:
    """Slopes and intercepts (K,) that separate each of the K classes of all factors from the rest of their factor.

    The minimum of ½(w² + b²) + Σ c (1 ∓ (w x + b))₊², the intercept regularised as in liblinear, by Newton steps with
    a line search on all classes at once. The positive class has weight C · n / (K n_k); the rest has C, or its own
    balanced weight where there are two classes (liblinear's rule).
    """
    n = len(members)
    per_factor = np.repeat(sizes, sizes)
    counts = np.bincount(members.ravel(), minlength=len(per_factor))
    own_weight = C * n / (per_factor * counts)
    rest_weight = np.where(per_factor == 2, C * n / (per_factor * np.maximum(n - counts, 1)), C)
    sums = _Sums(x, members)
    totals = {own: sums.total(own) for own in (True, False)}

    def terms(w: Array, b: Array, own: bool) -> Array:
        """(3, K) sums over the rows within the margin: y(w x + b) < 1, y = 1 for own rows and -1 for the rest."""
        y = 1.0 if own else -1.0
        # y(w x + b) < 1 is a half line: x below (y - b) / w if y w > 0, above it if y w < 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            threshold = np.where(w == 0, np.where(y * b < 1, np.inf, -np.inf), (y - b) / w)
        below = sums.below(threshold, own)
        return np.where(y * w >= 0, below, totals[own] - below)

    def value_and_parts(w: Array, b: Array) -> tuple[Array, tuple[Array, Array]]:
        own, rest = terms(w, b, True), terms(w, b, False)
        losses = [
            (y - b) ** 2 * part[0] - 2 * (y - b) * w * part[1] + w**2 * part[2]
            for y, part in ((1.0, own), (-1.0, rest))
        ]
        return 0.5 * (w**2 + b**2) + own_weight * losses[0] + rest_weight * losses[1], (own, rest)

    w, b = np.zeros(len(per_factor)), np.zeros(len(per_factor))
    value, (own, rest) = value_and_parts(w, b)
    first = None
    for _ in range(100):
        s = 2 * (own_weight * own + rest_weight * rest)
        signed = 2 * (own_weight * own - rest_weight * rest)
        gw = w + w * s[2] + b * s[1] - signed[1]
        gb = b + w * s[1] + b * s[0] - signed[0]
        size = np.hypot(gw, gb)
        first = size if first is None else first
        if (size <= 1e-9 * first).all():
            break
        determinant = (1 + s[2]) * (1 + s[0]) - s[1] ** 2
        dw = -((1 + s[0]) * gw - s[1] * gb) / determinant
        db = -((1 + s[2]) * gb - s[1] * gw) / determinant
        slope = gw * dw + gb * db
        step = np.ones_like(w)
        for _ in range(40):
            tried, parts = value_and_parts(w + step * dw, b + step * db)
            poor = tried > value + 1e-4 * step * slope + 1e-12 * np.abs(value)
            if not poor.any():
                break
            step = np.where(poor, step / 2, step)
        w, b, value, (own, rest) = w + step * dw, b + step * db, tried, parts
    return w, b
