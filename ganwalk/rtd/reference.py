"""The engine "ripser": ripser.py on the filtration of 2n points, the independent reference."""

from __future__ import annotations

import numpy as np


def reference_bars(w: np.ndarray, v: np.ndarray, mode: str) -> np.ndarray:
    """Bars as `ganwalk.rtd.relative.relative_bars` gives them.

    ripser.py works in single precision and reports values only: the entries are looked up by value, so that among equal
    values the entry is arbitrary.
    """
    from ripser import ripser

    n = len(w)
    small, large = (np.minimum(w, v), w) if mode == "min" else (v, np.maximum(w, v))
    matrix = np.zeros((2 * n, 2 * n), np.float32)
    matrix[n:, n:] = small
    matrix[n:, :n] = large
    matrix[:n, n:] = large.T
    if n < 2:
        return np.empty((0, 5), np.int64)
    births, deaths = ripser(matrix, maxdim=1, distance_matrix=True)["dgms"][1].astype(np.float32).T
    i, j = np.triu_indices(n, 1)
    m = len(i)
    edge, _ = _find(small[i, j].astype(np.float32), births)
    both = np.concatenate([small[i, j], large[i, j]]).astype(np.float32)
    death, exact = _find(both, deaths)
    if not exact.all():
        raise AssertionError("ripser.py reported a death that is no entry of the matrices")
    of_large = death >= m
    death = death % m
    return np.stack([i[edge], j[edge], i[death], j[death], of_large], axis=1).astype(np.int64)


def _find(values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each wanted value among the values, and whether it is there exactly."""
    order = np.argsort(values, kind="stable")
    at = order[np.searchsorted(values[order], wanted).clip(max=len(values) - 1)]
    return at, values[at] == wanted
