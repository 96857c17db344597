"""Arrays inside .npz files, read where they lie or streamed, and never unpickled.

What a file says of itself is compared with what the caller expects, before anything is allocated.
"""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from ganwalk.files.npy import read_npy_header
from vae.data.file_rows import FileRows

_LOCAL_HEADER = struct.Struct("<4s22x2H")


def rows_in_place(path: Path, member: str, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8) -> FileRows | None:
    """The array of that name, to be read where it lies; None if it is compressed, so that it cannot be.

    Raises:
        ValueError, KeyError, zipfile.BadZipFile: it is not there, or not of this shape and type.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{member}.npy")
        with archive.open(info) as stream:
            check_header(stream, member, shape, dtype)
            start = stream.tell()
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        if info.file_size != start + math.prod(shape) * np.dtype(dtype).itemsize:
            raise ValueError(f"{member} is not as long as its shape says")
    with path.open("rb") as file:
        file.seek(info.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise ValueError("its table of contents points elsewhere")
        offset = info.header_offset + _LOCAL_HEADER.size + name_length + extra_length + start
        return FileRows(file, offset, shape, dtype)


def array_blocks(
    path: Path, member: str, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8, rows: int = 4096
) -> Iterator[np.ndarray]:
    """The rows of the array of that name, in blocks of at most `rows`, in order. Errors as of `rows_in_place`."""
    dtype = np.dtype(dtype)
    with zipfile.ZipFile(path) as archive, archive.open(f"{member}.npy") as stream:
        check_header(stream, member, shape, dtype)
        for start in range(0, shape[0], rows):
            block_shape = (min(rows, shape[0] - start), *shape[1:])
            size = math.prod(block_shape) * dtype.itemsize
            data = stream.read(size)
            if len(data) != size:
                raise ValueError(f"{member} ends too early")
            yield np.frombuffer(data, dtype).reshape(block_shape)
        # The checksum is compared at the end.
        if stream.read(1):
            raise ValueError(f"{member} goes on beyond its shape")


def check_header(stream: IO[bytes], member: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> None:
    """Reads the header of a .npy; ValueError unless it is that of an array of this shape and type, in C order."""
    try:
        found = read_npy_header(stream)
    except ValueError as error:
        raise ValueError(f"the header of {member} cannot be read") from error
    order = " in Fortran order" if found.by_columns else ""
    if (found.shape, found.by_columns, found.dtype) != (shape, False, np.dtype(dtype)):
        raise ValueError(
            f"{member} has shape {found.shape}{order} and type {found.dtype}, not {shape}{order and ' in C order'} and "
            f"{np.dtype(dtype)}"
        )
