"""Mutual information of codes and factors, by histograms."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, Labelled, check_least, labelled, told_apart

ESTIMATORS = ("histogram", "neighbours")
# Nats that are rounding: less than one row in a million tells, and far more than differences of entropies are off.
_ROUNDING = 1e-12


def mutual_information(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    bins: int = 20,
    factor_bins: int | None = None,
    estimator: str = "histogram",
    neighbours: int = 3,
) -> Array:
    """Mutual information (D, F) in nats of each code and each factor; 0 for what does not vary.

    Args:
        codes: (N, D).
        factors: (N, F) integers; of "neighbours", continuous ones too.
        bins: of "histogram": of equal width between a code's least and greatest value.
        factor_bins: of a continuous factor; see `vae.metrics`.
        estimator: "histogram" of each code, or "neighbours"; see vae.metrics.neighbours.
        neighbours: of "neighbours", how many.
    Raises:
        GanwalkError: as `labelled`, or the estimator is unknown.
    """
    if estimator not in ESTIMATORS:
        raise GanwalkError(f"unknown estimator {estimator!r}: choose from {', '.join(ESTIMATORS)}")
    if estimator == "neighbours":
        from vae.metrics.neighbours import information_by_neighbours

        return information_by_neighbours(told_apart(codes, factors, factor_bins, continuous=True), neighbours)
    given = labelled(codes, factors, factor_bins)
    matrix = np.zeros((given.codes.shape[1], given.factors))
    matrix[:, given.columns] = information_of(given, bins)
    return matrix


def information_of(given: Labelled, bins: int) -> Array:
    """Mutual information (D, f) in nats with the factors that vary."""
    check_least(1, bins=bins)
    binned = histogram_bins(given.codes, bins)
    n, d = binned.shape
    offsets = binned + bins * np.arange(d)
    code_entropies = _entropy(np.bincount(offsets.ravel(), minlength=d * bins).reshape(d, bins), n)
    columns = []
    for labels, size in zip(given.labels.T, given.sizes, strict=True):
        joint = np.bincount((offsets * size + labels[:, None]).ravel(), minlength=d * bins * size)
        factor_entropy = _entropy(np.bincount(labels, minlength=size), n)
        columns.append(code_entropies + factor_entropy - _entropy(joint.reshape(d, -1), n))
    found = np.stack(columns, axis=1)
    # Of what does not vary, and of what is independent, rounding leaves a little more or less than nothing.
    return np.where(found < _ROUNDING, 0.0, found)


def factor_entropies(given: Labelled) -> Array:
    """Entropies (f,) in nats of the factors that vary."""
    n = len(given.labels)
    return np.array([_entropy(np.bincount(labels), n) for labels in given.labels.T])


def histogram_bins(values: Array, bins: int) -> Array:
    """Bin (N, D) int64 from 0 to bins - 1 of each value, bins of equal width from least to greatest per column.

    The edges are in the precision of the values, as numpy's histograms have them.
    """
    edges = np.linspace(values.min(axis=0), values.max(axis=0), bins + 1)[:-1]
    found = [np.searchsorted(e, column, side="right") - 1 for e, column in zip(edges.T, values.T, strict=True)]
    return np.stack(found, axis=1).astype(np.int64)


def _entropy(counts: Array, n: int) -> Array:
    """Entropy in nats along the last axis of counts that sum to n."""
    logs = np.log(np.where(counts > 0, counts, 1))
    return np.log(n) - (counts * logs).sum(axis=-1) / n
