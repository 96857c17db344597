"""`scenes`: the factor grid of 3D Shapes (Burgess & Kim, 2018), rendered by us: 480,000 pictures of a solid in a room.

Only the 480 geometries (scale, shape, azimuth) are cast, once, and kept in the cache; hues are painted when a picture
is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganwalk.errors import GanwalkError
from vae.data.base import grid_positions
from vae.data.scene_renderer import FACTOR_NAMES, FACTOR_SIZES, grid_factors, paint, shadings_of
from vae.data.stored import keep

_GEOMETRY = FACTOR_SIZES[3:]
# A change of the renderer's pictures needs another number, or the cache would go on to show the old ones.
_RENDERER = 1


class Scenes:
    """Ten hues each of floor, wall and object, 8 scales, 4 shapes, 15 azimuths; RGB. See vae.data.base.ImageData."""

    name = "scenes"
    channels = 3
    factor_names: tuple[str, ...] = FACTOR_NAMES
    factor_sizes: tuple[int, ...] = FACTOR_SIZES

    def __init__(self, resolution: int = 64):
        self.resolution = resolution
        self._shadings = _shadings(resolution)

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


def _shadings(resolution: int) -> np.ndarray:
    """Shadings (480, resolution, resolution, 3) float32 of all geometries in the order of the grid."""
    positions = np.zeros((int(np.prod(_GEOMETRY)), len(FACTOR_SIZES)), np.int64)
    positions[:, 3:] = grid_positions(np.arange(len(positions)), _GEOMETRY)
    geometries = grid_factors(positions)[:, 3:]

    def blocks() -> Iterator[np.ndarray]:
        for start in range(0, len(geometries), 60):
            yield shadings_of(geometries[start : start + 60], resolution)

    shape = (len(geometries), resolution, resolution, 3)
    try:
        return keep(f"scenes-{resolution}-r{_RENDERER}", shape, blocks, dtype=np.float32)[np.arange(len(geometries))]
    except GanwalkError:
        # Without a cache the same is made in seconds.
        return np.concatenate(list(blocks()))
