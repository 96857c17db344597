"""`shapes3d`: 3D Shapes (Burgess & Kim, 2018), read from its public .h5; RGB of 64 px.

The file is compressed in pieces of thousands of images, so it is converted once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError
from ganwalk.files.data_place import DataPlace
from vae.data.base import grid_positions
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.stored import StoredImages, halved, keep, kept

FACTOR_NAMES = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
FACTOR_SIZES = (10, 10, 10, 8, 4, 15)
FILE = PublicFile(
    "3dshapes.h5",
    "https://github.com/google-deepmind/3d-shapes",
    "https://storage.googleapis.com/3d-shapes/3dshapes.h5",
    "0a0f6ed98baff276",
)
# What a piece, and a block of rows, may have in memory.
_MAX_BYTES = 2**28
_ROWS = 2**10


def load(resolution: int, place: DataPlace, sizes: tuple[int, ...] = FACTOR_SIZES) -> StoredImages:
    """The data set; `sizes` are those of the grid.

    Raises:
        GanwalkError: its file cannot be had, or is another, or h5py is not installed.
    """
    key, shape = f"shapes3d-{resolution}", (int(np.prod(sizes)), resolution, resolution, 3)
    source = path_of(FILE, place)
    array = kept(key, shape, source=source)
    if array is None:
        _require_h5py()
        path = obtained(FILE, place)
        array = keep(key, shape, lambda: _blocks(path, sizes, resolution), source=source, progress=place.progress)
    return StoredImages("shapes3d", resolution, 3, FACTOR_NAMES, sizes, array)


def _require_h5py() -> None:
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise GanwalkError("shapes3d is read with h5py, which is not here: pip install 'ganwalk[data]'") from error


def _blocks(path: Path, sizes: tuple[int, ...], resolution: int) -> Iterator[np.ndarray]:
    import h5py

    n = int(np.prod(sizes))
    with reading(path, FILE), h5py.File(path, "r") as file:
        labels = _dataset(file, "labels", (n, len(sizes)), np.float64)[:]
        ranks = [np.unique(column, return_inverse=True)[1] for column in labels.T]
        if not np.array_equal(np.stack(ranks, axis=1), grid_positions(np.arange(n), sizes)):
            raise ValueError("its images are in another order")
        images = _dataset(file, "images", (n, 64, 64, 3), np.uint8)
        # Whole pieces: each is decompressed once.
        rows = images.chunks[0] if images.chunks else 4096
        rows = min(rows, _MAX_BYTES // (64 * 64 * 3))
        for start in range(0, n, rows):
            block = images[start : start + rows]
            for part in range(0, len(block), _ROWS):
                part_images = block[part : part + _ROWS]
                yield part_images if resolution == 64 else halved(part_images)


def _dataset(file: Any, name: str, shape: tuple[int, ...], dtype: type) -> Any:
    """An array of the file itself (none that is linked to or mapped from another), of this shape and type."""
    import h5py

    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise ValueError(f"it has no array {name}")
    found = file[name]
    if found.shape != shape or found.dtype != dtype:
        raise ValueError(f"{name} has shape {found.shape} and type {found.dtype}, not {shape} and {np.dtype(dtype)}")
    if found.is_virtual or found.external:
        raise ValueError(f"{name} lies in another file")
    if found.chunks and np.prod(found.chunks, dtype=np.float64) * found.dtype.itemsize > _MAX_BYTES:
        raise ValueError(f"{name} is compressed in pieces of {found.chunks}")
    return found
