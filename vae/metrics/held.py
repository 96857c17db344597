"""Rows drawn so that they share the value of one factor."""

from __future__ import annotations

import numpy as np

from vae.metrics.arrays import Array


class HeldFactor:
    """Draws rows by the value of one factor, with replacement; values that one row alone has are never drawn.

    Args:
        labels: (N,) value of the factor in each row, from 0; some rows share theirs, as `labelled` sees to.
    """

    def __init__(self, labels: Array):
        counts = np.bincount(labels)
        self._order = np.argsort(labels, kind="stable")
        self._start = (np.cumsum(counts) - counts)[labels]
        self._count = counts[labels]
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(labels))
        self._shared = np.flatnonzero(self._count > 1)

    def batches(self, n: int, size: int, rng: np.random.Generator) -> Array:
        """Rows (n, size): each batch shares one value, drawn as often as it occurs."""
        first = self._shared[rng.integers(len(self._shared), size=n)]
        steps = (rng.random((n, size)) * self._count[first][:, None]).astype(np.int64)
        return self._order[self._start[first][:, None] + steps]

    def pairs(self, shape: tuple[int, ...], rng: np.random.Generator) -> tuple[Array, Array]:
        """Rows of this shape, twice: the two of a pair are different rows with the same value."""
        first = self._shared[rng.integers(len(self._shared), size=shape)]
        start, count = self._start[first], self._count[first]
        # One to count - 1 places on, round the rows of the value: never back to the row itself.
        steps = 1 + (rng.random(shape) * (count - 1)).astype(np.int64)
        return first, self._order[start + (self._place[first] - start + steps) % count]
