"""Rows of an array that lies in a file: read when they are asked for, and never mapped."""

from __future__ import annotations

import math
import os
import threading
import weakref
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from ganwalk.errors import GanwalkError


class FileRows:
    """An array (N, …) in a file, of which the rows that are asked for are read. Several threads may ask at once.

    It is read and not mapped: a mapped file that somebody cuts while it is used kills the process.

    Args:
        file: the file, open; it may be closed afterwards, and another may take its place.
        offset: bytes before the array.
        shape, dtype: of the array, which is in C order.
    Raises:
        ValueError: the file ends before the array does.
    """

    def __init__(self, file: IO[bytes], offset: int, shape: tuple[int, ...], dtype: npt.DTypeLike = np.uint8):
        self.path, self.shape, self.dtype = Path(file.name), shape, np.dtype(dtype)
        self._offset, self._row = offset, math.prod(shape[1:]) * self.dtype.itemsize
        self._file = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
        weakref.finalize(self, self._file.close)
        # Where the file stands is the same for all threads.
        self._turn = threading.Lock()
        if os.fstat(self._file.fileno()).st_size < offset + shape[0] * self._row:
            raise ValueError("it ends before its array does")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, indices: np.ndarray) -> np.ndarray:
        """Rows (n, …) of indices (n,), none of which counts from the end.

        Raises:
            IndexError: there is no such row.
            GanwalkError: the file has become shorter since it was opened, or cannot be read any more.
        """
        indices = np.asarray(indices, np.int64)
        if len(indices) and not 0 <= indices.min() <= indices.max() < len(self):
            raise IndexError(f"{self.path} has rows 0 to {len(self) - 1}")
        rows = np.empty((len(indices), *self.shape[1:]), self.dtype)
        data = rows.reshape(-1).view(np.uint8).data
        # Neighbours are read together.
        ends = [*(np.flatnonzero(np.diff(indices) != 1) + 1).tolist(), len(indices)] if len(indices) else []
        start = 0
        for end in ends:
            self._read(int(indices[start]), data[start * self._row : end * self._row])
            start = end
        return rows

    def _read(self, row: int, into: memoryview) -> None:
        try:
            with self._turn:
                self._file.seek(self._offset + row * self._row)
                done = 0
                while done < len(into):
                    count = self._file.readinto(into[done:])
                    if not count:
                        raise GanwalkError(
                            f"{self.path} has become shorter while it was in use: start again, which makes it anew or "
                            "says where to get it"
                        )
                    done += count
        except OSError as error:
            raise GanwalkError(f"cannot read {self.path} any more: {error.strerror}; check its disk") from error
