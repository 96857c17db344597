"""Batches of pairs that share factors: the weak supervision of Locatello et al. (ICML 2020)."""

from __future__ import annotations

import numpy as np

from ganwalk.errors import GanwalkError
from vae.data.base import ImageData, grid_indices


class Pairs:
    """A data set whose batches are pairs, row i and row i + n / 2, that differ in some factors. See base.ImageData.

    Args:
        data: with two factors or more.
        changes: how many factors are drawn anew for the second of a pair; None draws that too, from 1 to all but one.
    Raises:
        GanwalkError: the data set has too few factors.
    """

    def __init__(self, data: ImageData, changes: int | None = None):
        most = len(data.factor_sizes) - 1
        if most < 1:
            raise GanwalkError(
                f"{data.name} has too few known factors for pairs that share some: choose another data set"
            )
        if changes is not None and changes > most:
            raise GanwalkError(f"changes must be at most {most} on {data.name}: pairs share a factor at least")
        self.data, self.changes, self.most = data, changes, most
        self.name, self.resolution, self.channels = data.name, data.resolution, data.channels
        self.factor_names, self.factor_sizes = data.factor_names, data.factor_sizes

    def __len__(self) -> int:
        return len(self.data)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self.data.images(indices)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return self.data.factors(indices)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Indices (n,) int64; GanwalkError if n is odd."""
        if n % 2:
            raise GanwalkError(f"a batch of {n} is no number of pairs: give an even --batch")
        first = self.data.draw(n // 2, rng)
        values = self.data.factors(first)
        count = np.full(len(first), self.changes) if self.changes else rng.integers(1, self.most + 1, size=len(first))
        # The factors with the least keys change.
        ranks = rng.random(values.shape).argsort(axis=1).argsort(axis=1)
        anew = np.stack([rng.integers(size, size=len(first)) for size in self.factor_sizes], axis=1)
        second = np.where(ranks < count[:, None], anew, values)
        return np.concatenate([first, grid_indices(second, self.factor_sizes)])
