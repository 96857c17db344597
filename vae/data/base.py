"""What every data set offers: images by index, their factors, and a way to draw from them."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class ImageData(Protocol):
    """Images with or without known factors.

    Data sets with factors are whole grids: index and factor values are the same thing, the last factor changing
    fastest. Those without have empty `factor_names` and `factor_sizes`.

    Attributes:
        name: as in `--dataset`.
        resolution: height and width in pixels.
        channels: 1 or 3.
        factor_names, factor_sizes: names and numbers of values, in the order of the columns of every factor array.
    """

    name: str
    resolution: int
    channels: int
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]

    def __len__(self) -> int:
        """Number of images."""
        ...

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Images (n, resolution, resolution, channels) uint8 of indices (n,)."""
        ...

    def factors(self, indices: np.ndarray) -> np.ndarray:
        """Grid positions (n, F) int64 of indices (n,), each column below its entry of `factor_sizes`."""
        ...

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """Indices (n,) int64 of a training batch: uniform, unless the data set says otherwise."""
        ...


def grid_positions(indices: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Positions (n, F) int64 on a grid of these sizes, the last factor changing fastest; no columns without sizes."""
    indices = np.asarray(indices, np.int64)
    if not sizes:
        return np.empty((len(indices), 0), np.int64)
    return np.stack(np.unravel_index(indices, sizes), axis=1).astype(np.int64)


def grid_indices(positions: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Indices (n,) int64 of positions (n, F): undoes `grid_positions`."""
    return np.ravel_multi_index(tuple(np.asarray(positions).T), sizes).astype(np.int64)
