"""`sprites`: the factor grid of dSprites (Matthey et al., 2017), drawn by us: 737,280 pictures of a white shape.

Neighbouring positions are one pixel of the 64 px picture apart, so only the 720 masks of shape, scale and orientation
are drawn, and pasted when a picture is asked for. At 32 px a pixel is the mean of four.
"""

from __future__ import annotations

import math

import numpy as np

from ganwalk.compute.compiled import entry, jit
from vae.data.base import grid_positions

FACTOR_NAMES = ("shape", "scale", "orientation", "pos_x", "pos_y")
FACTOR_SIZES = (3, 6, 40, 32, 32)
SHAPE_NAMES = ("square", "ellipse", "heart")

# Of the 64 px picture: a sprite at position k is centred at 16.5 + k, and reaches no further than 16 pixels.
_MASK = 33
_REACH = 15.5


class Sprites:
    """3 shapes, 6 scales, 40 orientations, 32 × 32 positions; one channel, 0 or 255. See vae.data.base.ImageData."""

    name = "sprites"
    channels = 1
    factor_names: tuple[str, ...] = FACTOR_NAMES
    factor_sizes: tuple[int, ...] = FACTOR_SIZES

    def __init__(self, resolution: int = 64):
        self.resolution = resolution
        masks = draw_masks()
        self._masks = masks[:, None, None] if resolution == 64 else _halved(masks)

    def __len__(self) -> int:
        return int(np.prod(FACTOR_SIZES))

    def images(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices, np.int64)
        images = np.zeros((len(indices), self.resolution, self.resolution, 1), np.uint8)
        positions = self.factors(indices)
        which = indices // (FACTOR_SIZES[3] * FACTOR_SIZES[4])
        _paste(which, positions[:, 4], positions[:, 3], 64 // self.resolution, self._masks, images[..., 0])
        return images

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return grid_positions(indices, FACTOR_SIZES)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self), size=n)


def draw_masks() -> np.ndarray:
    """Masks (720, 33, 33) uint8, 0 or 255, of every shape, scale and orientation, in the order of the grid.

    Scales are 0.5 to 1. Orientations are 40 equal steps of the whole turn, so that none is drawn twice.
    """
    positions = grid_positions(np.arange(int(np.prod(FACTOR_SIZES[:3]))), FACTOR_SIZES[:3])
    masks = np.zeros((len(positions), _MASK, _MASK), np.uint8)
    _draw(positions[:, 0], 0.5 + positions[:, 1] / 10, positions[:, 2] * (2 * math.pi / FACTOR_SIZES[2]), masks)
    return masks


def _halved(masks: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels, (720, 2, 2, 17, 17), for masks that start at even or odd rows and columns."""
    size = (_MASK + 1) // 2
    halved = np.empty((len(masks), 2, 2, size, size), np.uint8)
    for row in (0, 1):
        for column in (0, 1):
            padded = np.pad(masks, ((0, 0), (row, 1 - row), (column, 1 - column))).astype(np.float32)
            halved[:, row, column] = np.rint(padded.reshape(len(masks), size, 2, size, 2).mean(axis=(2, 4)))
    return halved


@jit
def _inside(shape, x, y):
    """Whether a point is in a shape of reach 1, x to the right and y upwards."""
    if shape == 0:
        return max(abs(x), abs(y)) < math.sqrt(0.5)
    if shape == 1:
        return x * x + 4.0 * y * y < 1.0
    # A heart: the sextic curve (u² + v² - 1)³ = u² v³; its points are less than 1.36 from (0, 0.1).
    u, v = x * 1.36, y * 1.36 + 0.1
    ring = u * u + v * v - 1.0
    return ring * ring * ring < u * u * v * v * v


@entry
def _draw(shapes, scales, angles, masks):
    n, size = masks.shape[0], masks.shape[1]
    for i in range(n):
        cosine, sine = math.cos(angles[i]) / (_REACH * scales[i]), math.sin(angles[i]) / (_REACH * scales[i])
        for row in range(size):
            for column in range(size):
                x, y = column - size // 2, size // 2 - row
                if _inside(shapes[i], cosine * x + sine * y, cosine * y - sine * x):
                    masks[i, row, column] = 255


@entry
def _paste(which, tops, lefts, ratio, masks, images):
    size = masks.shape[3]
    for i in range(len(which)):
        top, left = tops[i] // ratio, lefts[i] // ratio
        images[i, top : top + size, left : left + size] = masks[which[i], tops[i] % ratio, lefts[i] % ratio]
