"""Headers of arrays in numpy's own format, of files that nobody vouches for."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import IO

import numpy as np

START = b"\x93NUMPY"
# Headers are as long as their shape is; numpy would read as much as one announces before it looks at its length.
_MAX_HEADER = 10_000


@dataclass(frozen=True)
class NpyHeader:
    """What stands before the values of an array.

    Attributes:
        shape, dtype: of the array.
        by_columns: whether the first axis runs fastest (Fortran's order).
        start: bytes before the values.
    """

    shape: tuple[int, ...]
    by_columns: bool
    dtype: np.dtype
    start: int

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize


def read_npy_header(stream: IO[bytes]) -> NpyHeader:
    """Reads a header, after which the stream stands at the first value.

    Raises:
        ValueError: it is none.
    """
    head = stream.read(12)
    first = head.startswith(START + b"\x01")
    length = int.from_bytes(head[8:10] if first else head[8:12], "little")
    start = (10 if first else 12) + length
    if not head.startswith(START) or not 12 <= start <= _MAX_HEADER:
        raise ValueError("no header of an array")
    whole = io.BytesIO(head + stream.read(start - len(head)))
    try:
        version = np.lib.format.read_magic(whole)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = read(whole, max_header_size=_MAX_HEADER)
    except Exception as error:
        # numpy's parser raises more than it says, such as tokenize.TokenError.
        raise ValueError("the header of an array cannot be read") from error
    if min(shape, default=0) < 0:
        raise ValueError("an array with fewer than no entries")
    return NpyHeader(shape, by_columns, dtype, start)
