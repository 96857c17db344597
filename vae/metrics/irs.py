"""Interventional robustness score (Suter et al., ICML 2019)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, Labelled, labelled


def irs(codes: ArrayLike, factors: ArrayLike, *, quantile: float = 0.99, factor_bins: int | None = None) -> float:
    """How little each code moves while its best factor is held, in [0, 1]; codes weigh by their largest deviation.

    For a code and a factor, the deviations from the mean among rows that share the factor's value are taken at a
    quantile, averaged over the values, and divided by the code's largest deviation from its overall mean. Constant
    codes have weight 0, and the score of codes that are all constant is 0. A factor is held at one value, as in the
    paper; disentanglement_lib by default merges a factor's values into 20 ranges first, which lowers the score.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        quantile: 1 is the maximum of the paper; 0.99 the setting of disentanglement_lib, robust to noise.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    return irs_of(labelled(codes, factors, factor_bins), quantile)


def irs_of(given: Labelled, quantile: float) -> float:
    """The score of checked arrays."""
    if not 0 <= quantile <= 1:
        raise GanwalkError(f"quantile must be between 0 and 1, not {quantile}")
    moving = given.codes.max(axis=0) > given.codes.min(axis=0)
    if not moving.any():
        return 0.0
    values = np.ascontiguousarray(given.codes[:, moving].T, np.float64)
    largest = np.abs(values - values.mean(axis=1, keepdims=True)).max(axis=1)
    held = np.stack([_held_deviations(values, labels, quantile) for labels in given.labels.T], axis=1)
    return float(np.average((1 - held / largest[:, None]).max(axis=1), weights=largest))


def _held_deviations(values: Array, labels: Array, quantile: float) -> Array:
    """Mean over labels of the quantile of |value - mean of its label|: (D,) for values (D, N) and labels (N,)."""
    sizes = np.bincount(labels)
    groups = np.split(values[:, np.argsort(labels, kind="stable")], np.cumsum(sizes)[:-1], axis=1)
    return np.mean([_quantile(np.abs(group - group.mean(axis=1, keepdims=True)), quantile) for group in groups], axis=0)


def _quantile(values: Array, quantile: float) -> Array:
    """Quantile of each row, interpolated linearly; numpy's own takes five times as long on so few values."""
    position = quantile * (values.shape[1] - 1)
    low = int(position)
    high = min(low + 1, values.shape[1] - 1)
    ranked = np.partition(values, (low, high), axis=1)
    return ranked[:, low] + (position - low) * (ranked[:, high] - ranked[:, low])
