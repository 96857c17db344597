"""Pictures in a page: one strip per direction and sample, small enough that a page can be sent."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ganwalk.pictures.sheets import cell_of, resize

# Of all strips of one direction as text: twenty directions stay below 15 MB with everything else.
DIRECTION_BYTES = 700_000
# Tried in turn until a strip fits: ordinary pictures fit at the first.
_QUALITIES = (85, 70, 55, 40, 25)
# A WebP compresses squares of 16 pixels: cells of whole squares run into each other at their rims at most.
_BLOCK = 16
_MAX_SIDE = 16383


@dataclass(frozen=True)
class Strip:
    """One sample along one direction.

    Attributes:
        uri: data URI of a picture of cells side by side.
        cell, height: width and height of a cell in pixels.
        steps: how many cells.
    """

    uri: str
    cell: int
    height: int
    steps: int


def encode_strip(pictures: np.ndarray, limit: int = DIRECTION_BYTES, widest: int = _MAX_SIDE) -> Strip:
    """A strip of pictures (steps, h, w, 3) uint8 whose URI has at most `limit` characters, if that can be had.

    Large pictures are reduced to the size of a grid's cell; where not even a low quality is small enough, so are the
    cells, to no less than 16 pixels.

    Args:
        widest: larger side of a cell at most.
    """
    steps = len(pictures)
    size = pictures.shape[1:3]
    # Heights per width: where pictures are high, their widths have less room.
    slope = size[0] / size[1]
    most = max(_BLOCK, min(widest, _MAX_SIDE // steps, int(widest / slope)) // _BLOCK * _BLOCK)
    cell = min(most, -(-cell_of(size)[1] // _BLOCK) * _BLOCK)
    while True:
        height = max(1, round(cell * slope))
        sheet = Image.new("RGB", (cell * steps, height))
        for column, picture in enumerate(pictures):
            sheet.paste(resize(picture, (height, cell)), (column * cell, 0))
        for quality in _QUALITIES:
            file = io.BytesIO()
            sheet.save(file, "WEBP", quality=quality)
            uri = f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
            if len(uri) <= limit:
                return Strip(uri, cell, height, steps)
        if cell <= _BLOCK:
            return Strip(uri, cell, height, steps)
        cell = max(_BLOCK, cell * 3 // 4 // _BLOCK * _BLOCK)
