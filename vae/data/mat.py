"""Arrays of bytes inside MATLAB .mat files of level 5 (`save -v6` and `-v7`), unpacked and never loaded whole.

Only what the caller expects is read, and nothing is allocated because a header says so. The format: "MAT-File Format"
(The MathWorks), chapter 1.
"""

from __future__ import annotations

import math
import struct
import tempfile
import zlib
from collections.abc import Collection
from pathlib import Path
from typing import IO, Protocol

import numpy as np

_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15
_UINT8_CLASS = 9
_HEADER = 128
_BLOCK = 2**20


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def unpacked_bytes(path: Path, shapes: Collection[tuple[int, ...]], folder: Path) -> np.ndarray:
    """The first uint8 array in the file that has one of the shapes, in MATLAB's order (first axis fastest).

    It is mapped from a copy without a name, which vanishes with the array: nobody can cut that while it is used.

    Args:
        path: the file.
        shapes: sizes as MATLAB's `size` gives them.
        folder: where the copy is made.
    Raises:
        ValueError: there is none, or this is no such file.
    """
    with path.open("rb") as file:
        order = _byte_order(file.read(_HEADER))
        position, end = _HEADER, path.stat().st_size
        while position < end:
            file.seek(position)
            kind, size, small = _tag(file, order)
            if small:
                raise ValueError("it has a small element where an array should be")
            if position + 8 + size > end:
                raise ValueError("it ends too early")
            if kind == _MATRIX and (shape := _shape_of_bytes(file, order, shapes)):
                return _unpacked(file, shape, folder)
            if kind == _COMPRESSED:
                stream = _Inflated(file, size)
                if _tag(stream, order)[0] == _MATRIX and (shape := _shape_of_bytes(stream, order, shapes)):
                    return _unpacked(stream, shape, folder)
            position += 8 + size
    expected = " or ".join("×".join(map(str, shape)) for shape in shapes)
    raise ValueError(f"it has no array of bytes of size {expected}")


class _Inflated:
    """What a zlib stream of `size` bytes, from the file's position on, unpacks to; read in order."""

    def __init__(self, file: IO[bytes], size: int):
        self._file, self._left = file, size
        self._inflate = zlib.decompressobj()
        self._pending = b""

    def read(self, size: int) -> bytes:
        """The next bytes: fewer than `size` only at the end."""
        parts: list[bytes] = []
        while size > 0:
            if not self._pending and self._left:
                self._pending = self._file.read(min(self._left, _BLOCK))
                self._left = self._left - len(self._pending) if self._pending else 0
            part = self._inflate.decompress(self._pending, size)
            stuck = not part and not self._inflate.unconsumed_tail and not self._left
            self._pending = self._inflate.unconsumed_tail
            if stuck or (self._inflate.eof and not part):
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


def _byte_order(header: bytes) -> str:
    """The byte order that the header tells, as struct has it."""
    if header.startswith(b"MATLAB 7.3"):
        raise ValueError("it is of MATLAB 7.3; save it with -v7")
    order = {b"IM": "<", b"MI": ">"}.get(header[126:128])
    if order is None or not header.startswith(b"MATLAB 5.0"):
        raise ValueError("it is no MATLAB file")
    return order


def _tag(stream: _Stream, order: str) -> tuple[int, int, bool]:
    """Type and size of the next element, and whether it is a small one, whose data takes the rest of the tag.

    The data of a small element is at most 4 bytes and is left to be read.
    """
    first = _exactly(stream, 4)
    kind = struct.unpack(order + "I", first)[0]
    if kind >> 16:
        return kind & 0xFFFF, kind >> 16, True
    return kind, struct.unpack(order + "I", _exactly(stream, 4))[0], False


def _shape_of_bytes(stream: _Stream, order: str, shapes: Collection[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The shape of a uint8 array if it is one of `shapes`, with the stream at its first byte; None otherwise."""
    flags = _small_data(stream, order, _UINT32)
    dimensions = _small_data(stream, order, _INT32)
    if flags is None or dimensions is None or _small_data(stream, order, _INT8) is None:
        return None
    # The lowest byte is the class; the next has bits that say complex, global and logical.
    flag = struct.unpack(order + "I", flags[:4])[0] & 0xFFFF
    shape = tuple(struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions))
    if flag != _UINT8_CLASS or shape not in shapes:
        return None
    kind, size, small = _tag(stream, order)
    if kind != _UINT8 or size != math.prod(shape) or small:
        raise ValueError("its array is not as long as its size says")
    return shape


def _small_data(stream: _Stream, order: str, kind: int) -> bytes | None:
    """The data of the next element if it has this type and is as short as facts about an array are."""
    found, size, small = _tag(stream, order)
    if found != kind or size > 256 or (small and size > 4):
        return None
    data = _exactly(stream, size)
    _exactly(stream, -size % (4 if small else 8))
    return data if size % 4 == 0 or kind == _INT8 else None


def _unpacked(stream: _Stream, shape: tuple[int, ...], folder: Path) -> np.ndarray:
    folder.mkdir(parents=True, exist_ok=True)
    left = math.prod(shape)
    with tempfile.TemporaryFile(dir=folder) as file:
        while left:
            data = stream.read(min(left, _BLOCK))
            if not data:
                raise ValueError("its array ends too early")
            file.write(data)
            left -= len(data)
        file.flush()
        return np.asarray(np.memmap(file, np.uint8, "r", 0, shape, order="F"))


def _exactly(stream: _Stream, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("it ends too early")
    return data
