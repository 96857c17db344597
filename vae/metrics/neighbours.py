"""Mutual information by nearest neighbours: no bins, and continuous variables need none."""

from __future__ import annotations

import numpy as np

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, ToldApart, check_least, lone_rows, values_and_labels


def information_by_neighbours(given: ToldApart, neighbours: int) -> Array:
    """Mutual information (D, F) in nats of each code and each factor; 0 for what does not vary.

    Of a continuous code and classes as Ross (2014), of two continuous variables as Kraskov et al. (2004, algorithm 1).
    Codes whose values repeat are classes themselves, whose information with classes is counted.

    Args:
        neighbours: k, whose distance sets the scale at each row.
    """
    codes, labels = given.classes.codes, given.classes.labels
    check_least(1, neighbours=neighbours)
    if neighbours >= len(codes):
        raise GanwalkError(f"neighbours must be fewer than the {len(codes)} rows, not {neighbours}")
    matrix = np.zeros((codes.shape[1], given.classes.factors))
    for d, column in enumerate(codes.T.astype(np.float64)):
        if column.max() == column.min():
            continue
        _, own = values_and_labels(column)
        discrete = not lone_rows(own)
        order = np.argsort(column, kind="stable")
        for f, factor in enumerate(given.classes.columns):
            matrix[d, factor] = (
                _counted(own, labels[:, f]) if discrete else with_classes(column[order], labels[order, f], neighbours)
            )
        for f, factor in enumerate(given.columns):
            values = given.numbers[:, f]
            if discrete:
                ranked = np.argsort(values, kind="stable")
                matrix[d, factor] = with_classes(values[ranked], own[ranked], neighbours)
            else:
                matrix[d, factor] = with_numbers(column, values, neighbours)
    return matrix


def with_classes(x: Array, labels: Array, neighbours: int) -> float:
    """Mutual information in nats of a variable (N,), in ascending order, and classes (N,) from 0 on; never below 0.

    Rows whose class no other row has are left out. Where the nearest neighbours are at distance 0, the rows with the
    same value are counted instead (Gao et al., 2017): equal values are no scale.
    """
    from scipy.special import digamma

    counts = np.bincount(labels)
    if (counts == 1).any():
        kept = counts[labels] > 1
        x, labels = x[kept], labels[kept]
        counts = np.bincount(labels)
    if not len(x):
        return 0.0
    # The rows of each class one after the other, in ascending order.
    order = np.argsort(labels, kind="stable")
    own = x[order]
    ends = np.repeat(np.cumsum(counts), counts)
    starts = ends - np.repeat(counts, counts)
    k = np.minimum(neighbours, ends - starts - 1)
    place = np.arange(len(x))
    radius = np.full(len(x), np.inf)
    for below in range(neighbours + 1):
        low = place - below
        high = low + k
        inside = (low >= starts) & (high < ends)
        if (k < below).any():
            inside &= below <= k
        low, high = np.maximum(low, 0), np.minimum(high, len(x) - 1)
        width = np.maximum(own - own[low], own[high] - own)
        np.minimum(radius, width, out=radius, where=inside)
    tied = radius == 0
    near = _within(x, own, radius)
    if tied.any():
        near[tied] = (np.searchsorted(x, own[tied], "right") - np.searchsorted(x, own[tied], "left")).astype(np.int64)
        _, same, sizes = np.unique(
            np.stack([labels[order], np.searchsorted(x, own)]), axis=1, return_inverse=True, return_counts=True
        )
        k = np.where(tied, sizes[same.reshape(-1)], k)
    # Of whole numbers up to n, by the place; each many times.
    psi = digamma(np.arange(len(x) + 1))
    counts = counts[counts > 0]
    found = psi[-1] + psi[k].mean() - (psi[counts] * counts).sum() / len(x) - psi[near].mean()
    return max(0.0, float(found))


def with_numbers(x: Array, y: Array, neighbours: int) -> float:
    """Mutual information in nats of two continuous variables (N,), each scaled to unit variance; never below 0."""
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    n = len(x)
    points = np.stack([x / x.std(), y / y.std()], axis=1)
    k = min(neighbours, n - 1)
    radius = cKDTree(points).query(points, k=[k + 1], p=np.inf)[0][:, 0]
    counts = [_within(np.sort(part), part, radius) for part in points.T]
    # Equal points are at distance 0, where none is nearer: each counts itself at least.
    counts = [np.maximum(count, 1) for count in counts]
    found = digamma(n) + digamma(k) - sum(digamma(count).mean() for count in counts)
    return max(0.0, float(found))


def most_with_numbers(n: int, neighbours: int) -> float:
    """The mutual information in nats that n rows of a continuous variable have with themselves, by the estimator.

    The true one is infinite.
    """
    from scipy.special import digamma

    return float(digamma(n) - digamma(min(neighbours, n - 1)))


def _within(ordered: Array, x: Array, radius: Array) -> Array:
    """How many of the ordered values are nearer to each x than its radius, itself among them."""
    low = np.searchsorted(ordered, x - radius, "right")
    high = np.searchsorted(ordered, x + radius, "left")
    # A sum is rounded otherwise than a difference: the neighbour that set the radius must fall outside.
    n = len(ordered)
    for _ in range(2):
        high -= (high > 0) & (ordered[np.maximum(high - 1, 0)] - x >= radius)
        high += (high < n) & (ordered[np.minimum(high, n - 1)] - x < radius)
        low += (low < n) & (x - ordered[np.minimum(low, n - 1)] >= radius)
        low -= (low > 0) & (x - ordered[np.maximum(low - 1, 0)] < radius)
    return high - low


def _counted(first: Array, second: Array) -> float:
    """Mutual information in nats of two labels (N,), by counting."""
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1 / len(first))
    product = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True)
    seen = table > 0
    return max(0.0, float((table[seen] * np.log(table[seen] / product[seen])).sum()))
