"""`scenes`: the factor grid of 3D Shapes (Burgess & Kim, 2018), rendered by us: 480,000 pictures of a solid in a room.

Only the 480 geometries (scale, shape, azimuth) are cast, once; hues are painted when a picture is asked for.
"""

from __future__ import annotations

import numpy as np

from vae.data.base import grid_positions
from vae.data.scene_renderer import FACTOR_NAMES, FACTOR_SIZES, grid_factors, paint, shadings_of

_GEOMETRY = FACTOR_SIZES[3:]


class Scenes:
    """Ten hues each of floor, wall and object, 8 scales, 4 shapes, 15 azimuths; RGB. See vae.data.base.ImageData."""

    name = "scenes"
    channels = 3
    factor_names: tuple[str, ...] = FACTOR_NAMES
    factor_sizes: tuple[int, ...] = FACTOR_SIZES

    def __init__(self, resolution: int = 64):
        self.resolution = resolution
        positions = np.zeros((int(np.prod(_GEOMETRY)), len(FACTOR_SIZES)), np.int64)
        positions[:, 3:] = grid_positions(np.arange(len(positions)), _GEOMETRY)
        self._shadings = shadings_of(grid_factors(positions)[:, 3:], resolution)

    def __len__(self) -> int:
        return int(np.prod(FACTOR_SIZES))

    def images(self, indices: np.ndarray) -> np.ndarray:
        positions = self.factors(indices)
        which = np.asarray(indices, np.int64) % len(self._shadings)
        return paint(which, positions[:, :3] / 10, self._shadings)

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return grid_positions(indices, FACTOR_SIZES)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self), size=n)
