"""dHSIC: how far codes are from being independent of one another (Pfister et al., JRSS B 2018)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import check_least, checked_codes

# Rows whose kernels are in memory at a time.
_CHUNK = 256


def dhsic(codes: ArrayLike, *, rows: int = 2000, seed: int = 0) -> float:
    """The d-variable Hilbert-Schmidt independence criterion of the codes; 0 at best, without a largest value.

    Gaussian kernels exp(-(x - x')² / m), m the median of the squared distances that are not 0, so that scale does not
    matter. The biased estimator: independent codes score about as much as one over the number of rows. It compares
    representations with as many codes and rows only: kernels of many codes multiply to nothing.

    Args:
        codes: (N, D), of which those that vary are looked at.
        rows: the most that are used, since all pairs are; of more, so many are drawn.
        seed: of the draw.
    """
    check_least(2, rows=rows)
    check_least(0, seed=seed)
    checked = checked_codes(codes)
    if len(checked) > rows:
        checked = checked[np.sort(np.random.default_rng(seed).choice(len(checked), rows, replace=False))]
    moving = checked.max(axis=0) > checked.min(axis=0)
    if not moving.any():
        return 0.0
    x = checked[:, moving].astype(np.float64)
    scales = np.array([_median_square(column) for column in x.T])
    n = len(x)
    means, joint = np.empty_like(x), 0.0
    for start in range(0, n, _CHUNK):
        part = x[start : start + _CHUNK]
        product = np.ones((len(part), n))
        for j, scale in enumerate(scales):
            kernel = np.exp(-((part[:, j, None] - x[None, :, j]) ** 2) / scale)
            means[start : start + _CHUNK, j] = kernel.mean(axis=1)
            product *= kernel
        joint += product.sum()
    found = joint / n**2 + means.mean(axis=0).prod() - 2 * means.prod(axis=1).mean()
    # A squared distance, of which rounding may leave less than nothing.
    return max(0.0, float(found))


def _median_square(x: np.ndarray) -> float:
    """Median of the squared distances of pairs (x_i, x_j) that are not 0."""
    first, second = np.triu_indices(len(x), 1)
    squares = (x[first] - x[second]) ** 2
    return float(np.median(squares[squares > 0]))
