"""Data sets whose images are an array, in a file or in memory; and what `vae.data` keeps in the cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ganwalk.errors import GanwalkError
from ganwalk.files import cache_errors, cache_folder, locked, publish, write_json
from ganwalk.files.download import OnBytes
from vae.data.base import grid_positions
from vae.data.file_rows import FileRows
from vae.data.npz import check_header

# A change of what is kept under a name needs another version.
_VERSION = 1
# What is read of a file to tell it from another: the table of contents of a zip, with its checksums, is at the end.
_SAMPLES, _SAMPLE_BYTES = 16, 2**16
_BLOCK = 2**20


@dataclass(eq=False)
class StoredImages:
    """Images that lie in an array in the order of the grid. See vae.data.base.ImageData.

    Attributes:
        array: (N, …) one entry for each image.
        decode: makes images (n, resolution, resolution, channels) uint8 of n entries.
    """

    name: str
    resolution: int
    channels: int
    factor_names: tuple[str, ...]
    factor_sizes: tuple[int, ...]
    array: np.ndarray | FileRows
    decode: Callable[[np.ndarray], np.ndarray] = np.asarray

    def __len__(self) -> int:
        return len(self.array)

    def images(self, indices: np.ndarray) -> np.ndarray:
        return self.decode(self.array[np.asarray(indices, np.int64)])

    def factors(self, indices: np.ndarray) -> np.ndarray:
        return grid_positions(indices, self.factor_sizes)

    def draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.integers(len(self), size=n)


def halved(images: np.ndarray) -> np.ndarray:
    """Means of 2×2 pixels, (n, h / 2, w / 2, channels) uint8 of images (n, h, w, channels) uint8."""
    # Rows first: they are contiguous.
    rows = images[:, ::2].astype(np.uint16) + images[:, 1::2]
    return ((rows[:, :, ::2] + rows[:, :, 1::2] + 2) >> 2).astype(np.uint8)


def data_folder() -> Path:
    """Where data sets are looked for and kept, unless another folder is named."""
    return cache_folder().absolute() / "datasets"


def kept(
    name: str, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8, source: Path | None = None
) -> FileRows | None:
    """The array that `keep` has kept under this name; None if there is none, or it is of another source.

    The source may be gone by now, from the place where it was.
    """
    path = _path(name)
    try:
        with path.open("rb") as file:
            check_header(file, name, shape, dtype)
            offset = file.tell()
            if source:
                file.seek(offset + math.prod(shape) * np.dtype(dtype).itemsize)
                if not _is_of(json.loads(file.read(2**16)), source):
                    return None
            return FileRows(file, offset, shape, dtype)
    except (OSError, ValueError):
        return None


def check_once(name: str, source: Path, check: Callable[[], None]) -> None:
    """Calls `check`, which raises if the file is damaged, unless it has passed for this very file before."""
    path = cache_folder().absolute() / "checked" / f"{name}.json"
    try:
        if _is_of(json.loads(path.read_text(encoding="utf-8")), source):
            return
    except (OSError, ValueError):
        pass
    origin = _origin(source)
    check()
    # Where nothing can be kept the file is checked again.
    with contextlib.suppress(OSError, GanwalkError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, origin)


def _origin(source: Path) -> dict[str, Any]:
    """What tells a file from others of its name: where it lies, its size and time, and samples of its bytes."""
    facts = source.stat()
    digest = hashlib.sha256()
    with source.open("rb") as file:
        for k in range(_SAMPLES):
            file.seek(max(0, facts.st_size - _SAMPLE_BYTES) * k // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return {
        "path": str(source.resolve()),
        "size": facts.st_size,
        "changed_ns": facts.st_mtime_ns,
        "samples": digest.hexdigest(),
    }


def _is_of(origin: Any, source: Path) -> bool:
    """Whether something was made of this file, or of the one that was in its place if there is none now."""
    if source.exists():
        return origin == _origin(source)
    return isinstance(origin, dict) and origin.get("path") == str(source.resolve())


def keep(
    name: str,
    shape: tuple[int, ...],
    blocks: Callable[[], Iterable[np.ndarray]],
    *,
    dtype: npt.DTypeLike = np.uint8,
    source: Path | None = None,
    progress: OnBytes | None = None,
) -> FileRows:
    """An array made once and kept in the cache: there whole or not at all.

    Args:
        name: names the file.
        shape: of the array.
        blocks: gives its rows in order, in blocks of any length; called only if the array must be made.
        dtype: of the array and of all blocks.
        source: the file of which the array is made; of another one, or if it is replaced, the array is made again.
        progress: called with the bytes that are written, and those of the whole.
    Raises:
        GanwalkError: the cache cannot hold the array.
    """
    path, part = _path(name), _path(name, ".part")
    # Where nothing can be written, too.
    array = kept(name, shape, dtype, source)
    if array is not None:
        return array
    with cache_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two processes that want the same array take turns: the second finds it.
        with locked(path):
            array = kept(name, shape, dtype, source)
            if array is not None:
                return array
            try:
                origin = _origin(source) if source else None
                _write(part, shape, np.dtype(dtype), blocks, progress)
                if origin:
                    # Behind the array, where readers of .npy do not look.
                    with part.open("ab") as file:
                        file.write(json.dumps(origin).encode())
                publish(part, path)
            finally:
                part.unlink(missing_ok=True)
    array = kept(name, shape, dtype, source)
    if array is None:
        raise GanwalkError(f"{path} cannot be read back: check the disk, or choose another folder with GANWALK_CACHE")
    return array


def _write(
    part: Path,
    shape: tuple[int, ...],
    dtype: np.dtype,
    blocks: Callable[[], Iterable[np.ndarray]],
    progress: OnBytes | None,
) -> None:
    total = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    part.unlink(missing_ok=True)
    free = shutil.disk_usage(part.parent).free
    if free < total:
        raise GanwalkError(
            f"{part.parent} has {free / 2**30:.1f} GiB free, but {total / 2**30:.1f} GiB are needed: "
            "free some space, or choose another folder with GANWALK_CACHE"
        )
    rows = 0
    with part.open("wb") as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        for block in blocks():
            rows += len(block)
            if block.shape[1:] != shape[1:] or block.dtype != dtype or rows > shape[0]:
                raise ValueError(f"a block of shape {block.shape} does not fit into {shape}")
            file.write(np.ascontiguousarray(block).data)
            if progress:
                progress(total * rows // shape[0], total)
    if rows != shape[0]:
        raise ValueError(f"{rows} rows came instead of {shape[0]}")


@contextlib.contextmanager
def scratch(shape: tuple[int, ...]) -> Iterator[np.ndarray]:
    """Zeros (…) uint8 to write to, in a file without a name beside the data sets, which goes at the end.

    It is mapped: nobody can cut what has no name, and a disk without room for it is told here, by OSError.
    """
    data_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=data_folder()) as file:
        left = math.prod(shape)
        while left:
            left -= file.write(bytes(min(left, _BLOCK)))
        file.flush()
        yield np.asarray(np.memmap(file, np.uint8, "r+", 0, shape))


def _path(name: str, suffix: str = "") -> Path:
    return data_folder() / f"{name}-v{_VERSION}.npy{suffix}"
