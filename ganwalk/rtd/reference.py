"""The engine "ripser": ripser.py on the filtration of 2n points, the independent reference."""

from __future__ import annotations

import numpy as np


def reference_positions(w: np.ndarray, v: np.ndarray, mode: str, swapped: bool = False) -> np.ndarray:
    """Bars as `ganwalk.rtd.relative.terms_positions` gives those of one term.

    ripser.py works in single precision and reports values only: the entries are looked up by value, so that among equal
    values the entry is arbitrary.
    """
    from ripser import ripser

    n = len(w)
    if n < 2:
        return np.empty((2, 0), np.int64)
    if swapped:
        # What was found in v lies in the first of the stacked matrices, and the other way round.
        return (reference_positions(v, w, mode) + n * n) % (2 * n * n)
    small = v if mode == "max" else np.minimum(w, v)
    large = w if mode == "min" else np.maximum(w, v)
    matrix = np.zeros((2 * n, 2 * n), np.float32)
    matrix[n:, n:] = small
    matrix[n:, :n] = large
    matrix[:n, n:] = large.T
    births, deaths = ripser(matrix, maxdim=1, distance_matrix=True)["dgms"][1].astype(np.float32).T
    i, j = np.triu_indices(n, 1)
    # The entries of K, then those of L, each by its place in the stacked (w, v).
    both = np.concatenate([small[i, j], large[i, j]]).astype(np.float32)
    from_v = np.concatenate([small[i, j] != w[i, j], large[i, j] != w[i, j]])
    places = from_v * n * n + np.tile(i * n + j, 2)
    birth, birth_found = _find(both[: len(i)], births)
    death, death_found = _find(both, deaths)
    if not (birth_found.all() and death_found.all()):
        raise AssertionError("ripser.py reported a value that is no entry of the matrices")
    return np.stack([places[birth], places[death]]).astype(np.int64)


def _find(values: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Index of each wanted value among the values, and whether it is there exactly."""
    order = np.argsort(values, kind="stable")
    at = order[np.searchsorted(values[order], wanted).clip(max=len(values) - 1)]
    return at, values[at] == wanted
