"""A file as a stream that pickles are read from."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from ganwalk.inert.pickle_reader import PickleError

# No tensor of a network takes more bytes, and what is read in one piece may be copied into text of four times its size.
MAX_PIECE = 2**27


class FileSource:
    """An open file whose read reserves no more than is left of it, whatever length a pickle announces.

    It is read and not mapped: a mapped file that somebody cuts while it is read kills the process.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._position = file.tell()

    def read(self, count: int) -> bytes:
        if count > MAX_PIECE:
            raise PickleError(f"it announces a value of {count} bytes, more than any checkpoint's")
        data = self._file.read(min(count, max(0, self._size - self._position)))
        self._position += len(data)
        return data

    def readline(self) -> bytes:
        data = self._file.readline(MAX_PIECE)
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = self._file.seek(offset, whence)
        return self._position
