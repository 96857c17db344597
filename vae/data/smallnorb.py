"""`smallnorb`: SmallNORB (LeCun, Huang & Bottou, CVPR 2004), photographs of toys in grey, read from its public files.

Training and test set are three files each, gzipped or not: pictures of 96×96 by two cameras, of which the first is
read, categories, and the other factors. Together they are a whole grid. An instance is one of the ten toys of its
category: instance 3 of the cars and of the planes have nothing in common, which is why disentanglement_lib draws
instances instead of counting them as a factor. Images are resized to 64 px by means of areas, where
disentanglement_lib resamples.
"""

from __future__ import annotations

import gzip
import math
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from ganwalk.files.data_place import DataPlace
from ganwalk.files.download import OnBytes
from vae.data.base import grid_indices
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.stored import StoredImages, halved, keep, kept, scratch

FACTOR_NAMES = ("category", "instance", "elevation", "azimuth", "lighting")
FACTOR_SIZES = (5, 10, 9, 18, 6)
_PAGE = "https://cs.nyu.edu/~ylclab/data/norb-v1.0-small"
_SETS = ("5x46789x9x18x6x2x96x96-training", "5x01235x9x18x6x2x96x96-testing")
PARTS = ("dat", "cat", "info")
FILES = {
    (k, part): PublicFile(f"smallnorb-{name}-{part}.mat.gz", _PAGE, f"{_PAGE}/smallnorb-{name}-{part}.mat.gz")
    for k, name in enumerate(_SETS)
    for part in PARTS
}
FILE = FILES[0, "dat"]
_SIDE, _CAMERAS = 96, 2
# The format's words for arrays of bytes and of 32-bit integers.
_BYTES, _INTEGERS = 0x1E3D4C55, 0x1E3D4C54
_ROWS = 256


def load(resolution: int, place: DataPlace, sizes: tuple[int, ...] = FACTOR_SIZES) -> StoredImages:
    """The data set; `sizes` are those of the grid. Raises GanwalkError: its files cannot be had, or are others."""
    key, shape = f"smallnorb-{resolution}", (math.prod(sizes), resolution, resolution, 1)
    source = _path(FILE, place)
    array = kept(key, shape, source=source)
    if array is None:
        # What is not even the first file is found out before the others are fetched.
        first = _obtain(FILE, place)
        with reading(first, FILE), _open(first) as file:
            _header(file, _BYTES, (shape[0] // 2, _CAMERAS, _SIDE, _SIDE))
        paths = {part: _obtain(file, place) for part, file in FILES.items()}
        array = keep(key, shape, lambda: _blocks(paths, sizes, resolution, place.progress), source=source)
    return StoredImages("smallnorb", resolution, 1, FACTOR_NAMES, sizes, array)


def _path(file: PublicFile, place: DataPlace) -> Path:
    """Where a file lies, unpacked or as it was published; with a root that is a file, beside that."""
    published = path_of(file, place)
    if place.root is not None and published == place.root:
        published = place.root.parent / file.name
    unpacked = published.with_suffix("")
    return unpacked if unpacked.is_file() and not published.is_file() else published


def _obtain(file: PublicFile, place: DataPlace) -> Path:
    path = _path(file, place)
    return path if path.is_file() else obtained(file, replace(place, root=path.parent))


def _blocks(
    paths: dict[tuple[int, str], Path], sizes: tuple[int, ...], resolution: int, progress: OnBytes | None
) -> Iterator[np.ndarray]:
    """The images in the order of the grid, in which the files do not have them."""
    n = math.prod(sizes)
    with scratch((n, resolution, resolution, 1)) as images:
        seen = np.zeros(n, bool)
        done = 0
        for k in range(len(_SETS)):
            with reading(paths[k, "cat"], FILES[k, "cat"]), _open(paths[k, "cat"]) as file:
                categories = np.frombuffer(file.read(4 * _header(file, _INTEGERS, (n // 2,))), "<i4")
            with reading(paths[k, "info"], FILES[k, "info"]), _open(paths[k, "info"]) as file:
                rest = np.frombuffer(file.read(4 * _header(file, _INTEGERS, (n // 2, 4))), "<i4").reshape(-1, 4)
                # Azimuths are in units of 10°, of which every other one occurs.
                positions = np.column_stack([categories, rest[:, :2], rest[:, 2] // 2, rest[:, 3]])
                if (rest[:, 2] % 2).any() or (positions < 0).any() or (positions >= sizes).any():
                    raise ValueError("it has factors beyond their ranges")
                at = grid_indices(positions, sizes)
                seen[at] = True
            with reading(paths[k, "dat"], FILES[k, "dat"]), _open(paths[k, "dat"]) as file:
                row = _header(file, _BYTES, (n // 2, _CAMERAS, _SIDE, _SIDE)) // (n // 2)
                for start in range(0, n // 2, _ROWS):
                    rows = min(_ROWS, n // 2 - start)
                    pictures = np.frombuffer(_exactly(file, rows * row), np.uint8)
                    small = _two_thirds(pictures.reshape(rows, _CAMERAS, _SIDE, _SIDE)[:, 0, :, :, None])
                    images[at[start : start + rows]] = small if resolution == 64 else halved(small)
                    done += rows
                    if progress:
                        progress(images.nbytes * done // n, images.nbytes)
        if not seen.all():
            with reading(paths[0, "info"], FILES[0, "info"]):
                raise ValueError("some combinations of factors are missing, others come twice")
        for start in range(0, n, _ROWS):
            yield images[start : start + _ROWS]


def _open(path: Path) -> IO[bytes]:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # type: ignore[return-value]


def _header(file: IO[bytes], kind: int, shape: tuple[int, ...]) -> int:
    """Number of entries of an array of this type and shape, at whose first one the file then stands."""
    found, axes = struct.unpack("<2i", _exactly(file, 8))
    if found != kind or axes != len(shape):
        raise ValueError(f"it has an array of type {found:#x} with {axes} axes")
    # Three sizes at least are in the file.
    sizes = struct.unpack(f"<{max(3, axes)}i", _exactly(file, 4 * max(3, axes)))[:axes]
    if sizes != shape:
        raise ValueError(f"it has an array of shape {sizes} instead of {shape}")
    return math.prod(shape)


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data


def _two_thirds(images: np.ndarray) -> np.ndarray:
    """Means over areas of 1.5×1.5 pixels, (n, 2h/3, 2w/3, c) uint8 of images (n, h, w, c) uint8."""
    whole = images.astype(np.uint16)
    for axis in (1, 2):
        first, middle, last = (np.take(whole, range(k, whole.shape[axis], 3), axis) for k in range(3))
        parts = np.stack([2 * first + middle, middle + 2 * last], axis=axis + 1)
        shape = list(whole.shape)
        shape[axis] = 2 * first.shape[axis]
        whole = parts.reshape(shape)
    return ((whole + 4) // 9).astype(np.uint8)
