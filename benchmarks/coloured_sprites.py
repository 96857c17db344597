"""Coloured sprites with known factors: one shape on a floor under a sky, for networks that no setting was chosen on.

Six factors, in the order of the columns of every factor array:

    0 sky_hue     [0, 1)    hue of the upper half
    1 floor_hue   [0, 1)    hue of the lower half
    2 sprite_hue  [0, 1)    hue of the sprite
    3 scale       [0.5, 1]  size of the sprite
    4 shape       0..2      square, ellipse, heart
    5 pos_x       [-1, 1]   place of the sprite, from left to right

The sprite stands in the middle of the height. Unlike in `scenes`, no factor is a turn of the whole picture, and the
place of the sprite moves what the other factors act on.
"""

from __future__ import annotations

import colorsys

import numpy as np

from vae.data.sprites import FACTOR_SIZES, SHAPE_NAMES, draw_masks

FACTOR_NAMES = ("sky_hue", "floor_hue", "sprite_hue", "scale", "shape", "pos_x")
RESOLUTION = 64
SCALES = (0.5, 1.0)
_SATURATION = (0.45, 0.6, 0.9)
_VALUE = (0.9, 0.6, 0.85)
# Pixels that the sprite's centre moves to each side.
_TRAVEL = 15


def sample_factors(n: int, seed: int) -> np.ndarray:
    """Factor values (n, 6) float32, independent and uniform."""
    rng = np.random.default_rng(seed)
    values = np.empty((n, 6), np.float32)
    values[:, :3] = rng.random((n, 3))
    values[:, 3] = rng.uniform(*SCALES, n)
    values[:, 4] = rng.integers(len(SHAPE_NAMES), size=n)
    values[:, 5] = rng.uniform(-1, 1, n)
    return values


def to_unit(factors: np.ndarray) -> np.ndarray:
    """Factor values (n, 6) with the scale, too, from -1 to 1 over its range."""
    values = np.array(factors)
    values[:, 3] = (values[:, 3] - SCALES[0]) / (SCALES[1] - SCALES[0]) * 2 - 1
    return values


def render(factors: np.ndarray) -> np.ndarray:
    """Images (n, 64, 64, 3) uint8 of factor values (n, 6)."""
    masks = draw_masks().reshape(*FACTOR_SIZES[:3], 33, 33)[:, :, 0].astype(np.float32) / 255
    images = np.empty((len(factors), RESOLUTION, RESOLUTION, 3), np.uint8)
    for image, row in zip(images, np.asarray(factors, np.float64), strict=True):
        image[:] = _picture(row, masks[int(row[4])])
    return images


def _picture(row: np.ndarray, masks: np.ndarray) -> np.ndarray:
    colours = [colorsys.hsv_to_rgb(row[k] % 1, _SATURATION[k], _VALUE[k]) for k in range(3)]
    ground = np.repeat(np.array(colours[:2])[:, None, None], RESOLUTION // 2, axis=1).reshape(RESOLUTION, 1, 3)
    cover = _cover(masks, row[3], row[5])[..., None]
    return np.rint(255 * ((1 - cover) * ground + cover * np.array(colours[2])))


def _cover(masks: np.ndarray, scale: float, place: float) -> np.ndarray:
    """How much of each pixel (64, 64) the sprite covers: a mixture of neighbouring scales' masks, moved by shares."""
    at = np.clip((scale - 0.5) * 10, 0, 5)
    low = min(int(at), 4)
    mask = masks[low] + (at - low) * (masks[low + 1] - masks[low])
    left = (RESOLUTION - mask.shape[1]) / 2 + place * _TRAVEL
    column, share = int(np.floor(left)), left - np.floor(left)
    cover = np.zeros((RESOLUTION, RESOLUTION + 1))
    top = (RESOLUTION - mask.shape[0]) // 2
    for shift, weight in ((0, 1 - share), (1, share)):
        cover[top : top + mask.shape[0], column + shift : column + shift + mask.shape[1]] += weight * mask
    return cover[:, :RESOLUTION]
