"""`dsprites`: dSprites (Matthey et al., 2017), read from its public .npz; binary pictures of 64 px.

Bits are kept as bits: 377 MB for both resolutions. At 32 px a pixel is the mean of four.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganwalk.files.data_place import DataPlace
from vae.data.base import grid_positions
from vae.data.npz import array_blocks
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.sprites import FACTOR_NAMES, FACTOR_SIZES
from vae.data.stored import StoredImages, halved, keep, kept

FILE = PublicFile(
    "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
    "https://github.com/google-deepmind/dsprites-dataset",
    "https://github.com/google-deepmind/dsprites-dataset/raw/master/dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz",
)


def load(resolution: int, place: DataPlace, sizes: tuple[int, ...] = FACTOR_SIZES) -> StoredImages:
    """The data set; `sizes` are those of the grid. Raises GanwalkError: its file cannot be had, or is another."""
    n, source = int(np.prod(sizes)), path_of(FILE, place)
    shape = (n, 64 * 64 // 8)
    array = kept("dsprites", shape, source=source)
    if array is None:
        path = obtained(FILE, place)
        array = keep("dsprites", shape, lambda: _packed(path, sizes), source=source, progress=place.progress)
    return StoredImages(
        "dsprites", resolution, 1, FACTOR_NAMES, sizes, array, _unpacked if resolution == 64 else _small
    )


def _packed(path: Path, sizes: tuple[int, ...]) -> Iterator[np.ndarray]:
    n = int(np.prod(sizes))
    with reading(path, FILE):
        # The first column is the colour, which is always white.
        start = 0
        for classes in array_blocks(path, "latents_classes", (n, 1 + len(sizes)), np.int64, rows=2**16):
            expected = grid_positions(np.arange(start, start + len(classes)), sizes)
            if not np.array_equal(classes[:, 1:], expected):
                raise ValueError("its images are in another order")
            start += len(classes)
        for images in array_blocks(path, "imgs", (n, 64, 64)):
            if images.max() > 1:
                raise ValueError("its images are not binary")
            yield np.packbits(images.reshape(len(images), -1), axis=1)


def _unpacked(rows: np.ndarray) -> np.ndarray:
    return np.unpackbits(rows, axis=1).reshape(len(rows), 64, 64, 1) * np.uint8(255)


def _small(rows: np.ndarray) -> np.ndarray:
    return halved(_unpacked(rows))
