"""Correlated variants of data sets: pairs of factors that are drawn together, as hidden confounders do it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ganwalk.errors import GanwalkError
from vae.data.base import ImageData, grid_indices


class Correlated:
    """The same images as another data set, of which `draw` prefers those on a ridge. See vae.data.base.ImageData.

    Each pair of factors is drawn from p(a, b) ∝ exp(-(a - b)² / 2σ²), with the values of a factor spread evenly over
    [0, 1] (Träuble et al., "On Disentangled Representations Learned from Correlated Data", ICML 2021);
    all other factors are uniform and independent.

    Args:
        data: the data set, which must have factors.
        pairs: names of the factors; no factor may be in two pairs.
        width: σ, the smaller the stronger the correlation: at 0.2 the coefficient of two factors is about 0.8.
    Raises:
        GanwalkError: a name is unknown or there twice, the data set has no factors, or the width is not positive.
    """

    def __init__(self, data: ImageData, pairs: Sequence[tuple[str, str]], width: float = 0.2):
        if not (math.isfinite(width) and width > 0):
            raise GanwalkError(f"the width of a correlation must be positive, not {width}")
        self.name, self.resolution, self.channels = data.name, data.resolution, data.channels
        self.factor_names, self.factor_sizes = data.factor_names, data.factor_sizes
        self._data = data
        self._pairs = _columns(data, pairs)
        self._cumulative = [
            np.cumsum(ridge(data.factor_sizes[first], data.factor_sizes[second], width))
            for first, second in self._pairs
        ]

    def __len__(self) -> int:
        return len(self._data)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self._data.images(indices)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return self._data.factors(indices)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        positions = rng.integers(self.factor_sizes, size=(n, len(self.factor_sizes)))
        for (first, second), cumulative in zip(self._pairs, self._cumulative, strict=True):
            cells = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
            positions[:, first], positions[:, second] = np.divmod(cells, self.factor_sizes[second])
        return grid_indices(positions, self.factor_sizes)


def ridge(first: int, second: int, width: float) -> np.ndarray:
    """Probabilities (first, second) of two factors with so many values: a Gaussian ridge along the diagonal."""
    a, b = np.linspace(0, 1, first)[:, None], np.linspace(0, 1, second)
    with np.errstate(over="ignore"):
        p = np.exp(-(((a - b) / width) ** 2) / 2)
    return p / p.sum()


def _columns(data: ImageData, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """Columns of the factors with these names."""
    if not data.factor_names:
        raise GanwalkError(f"{data.name} has no known factors that could be correlated")
    names = [name for pair in pairs for name in pair]
    for name in names:
        if name not in data.factor_names:
            raise GanwalkError(
                f"{data.name} has no factor {name} to correlate: choose from {', '.join(data.factor_names)}"
            )
        if names.count(name) > 1:
            raise GanwalkError(f"the factor {name} can be correlated only once: choose pairs without common factors")
    return [(data.factor_names.index(first), data.factor_names.index(second)) for first, second in pairs]
