"""Saliency maps: where in the picture a direction changes it, as numbers, in words and as a heat map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from ganwalk.pictures.sheets import fitted

# Pixels on a side of a map: what is finer is no place that anybody would name.
MAP_SIZE = 64
# Largest mean change of a pixel, as a share of the range of its values, that nobody sees: five grey levels.
HARDLY_SEEN = 0.02
_HALF, _OTHER_HALF, _MIDDLE, _ALL = (1.0, 0.5, 0.0), (0.0, 0.5, 1.0), (0.5, 1.0, 0.5), (1.0, 1.0, 1.0)
# How the change of each place is distributed over a grid of 3×3: the weights of the rows and of the columns.
_PLACES = {
    "everywhere": np.outer(_ALL, _ALL),
    "in the centre": np.outer(_MIDDLE, _MIDDLE),
    "in the background": 1 - np.outer((0, 1, 0), (0, 1, 0)),
    "on the left": np.outer(_ALL, _HALF),
    "on the right": np.outer(_ALL, _OTHER_HALF),
    "at the top": np.outer(_HALF, _ALL),
    "at the bottom": np.outer(_OTHER_HALF, _ALL),
    "at the top left": np.outer(_HALF, _HALF),
    "at the top right": np.outer(_HALF, _OTHER_HALF),
    "at the bottom left": np.outer(_OTHER_HALF, _HALF),
    "at the bottom right": np.outer(_OTHER_HALF, _OTHER_HALF),
}
# Colours of the heat map, from little change to the most of a map, and how much of the grey picture they hide.
_COLOURS = np.array([(49, 24, 107), (150, 30, 110), (232, 89, 47), (253, 226, 106)], np.float64)
_VEIL = 0.85
# Brightness of the grey picture below, so that no white of it looks like a change.
_DIMMED = 0.6


def saliency_map(walks: Sequence[np.ndarray]) -> np.ndarray:
    """Mean absolute change (h, w) of each pixel from one picture to the next, as a share of the values' range.

    Args:
        walks: one for each sample, all of one size: pictures (steps, h, w, 3) along a direction, from 0 to 1 as
            `reduced` gives them, at least two.
    """
    return np.mean([np.abs(np.diff(walk, axis=0)).mean(axis=(0, 3)) for walk in walks], axis=0)


def reduced(pictures: np.ndarray, size: int = MAP_SIZE) -> np.ndarray:
    """Pictures (n, h, w, 3) uint8 as float32 in [0, 1], the larger side reduced to `size` pixels if it is longer."""
    if max(pictures.shape[1:3]) > size:
        height, width = fitted(pictures.shape[1:3], size)
        box = Image.Resampling.BOX
        pictures = np.stack([np.asarray(Image.fromarray(one).resize((width, height), box)) for one in pictures])
    return pictures.astype(np.float32) / 255


def thirds(saliency: np.ndarray) -> np.ndarray:
    """Shares (3, 3) of all change that are in each ninth of the picture; zeros where nothing changes."""
    third = Image.fromarray(saliency.astype(np.float32)).resize((3, 3), Image.Resampling.BOX)
    cells = np.asarray(third, np.float64)
    return cells / cells.sum() if cells.sum() > 0 else cells


def place_of(saliency: np.ndarray) -> str:
    """Where most of the change is, such as "on the left"; "nowhere" where it is too little to be seen.

    Of its squares: a faint change of the whole picture does not hide a strong one of a part.
    """
    if saliency.max() < HARDLY_SEEN:
        return "nowhere"
    cells = thirds(np.square(saliency))
    return max(_PLACES, key=lambda place: float((cells * _PLACES[place]).sum() / np.linalg.norm(_PLACES[place])))


def change_words(saliency: np.ndarray) -> str:
    """What a map (h, w) per σ says of a direction, such as "changes most on the left"."""
    place = place_of(saliency)
    return {"nowhere": "changes hardly anything", "everywhere": "changes everywhere"}.get(
        place, f"changes most {place}"
    )


def heat_picture(saliency: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """A map on a picture (h, w, 3) uint8, dimmed and grey, which shows through where little changes; same shape.

    The scale ends at the most that changes, but for the few pixels beyond all others; a map whose largest change
    nobody sees stays empty.
    """
    height, width = picture.shape[:2]
    smooth = Image.fromarray(saliency.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    top = max(float(np.quantile(saliency, 0.995)), HARDLY_SEEN)
    share = np.clip(np.asarray(smooth, np.float64) / top, 0, 1)
    ends = np.linspace(0, 1, len(_COLOURS))
    colours = np.stack([np.interp(share, ends, channel) for channel in _COLOURS.T], axis=-1)
    grey = np.repeat(picture.mean(axis=2, keepdims=True) * _DIMMED, 3, axis=2)
    veil = _VEIL * np.sqrt(share)[..., None]
    return np.clip(np.rint((1 - veil) * grey + veil * colours), 0, 255).astype(np.uint8)
