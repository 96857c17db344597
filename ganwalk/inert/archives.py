"""Directories of zip archives, which torch.save and numpy write: parsed only if that is harmless."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

from ganwalk.errors import GanwalkError
from ganwalk.files import open_regular
from ganwalk.inert.pickle_reader import PickleError

# torch.save's directory has some 70 bytes an entry; a checkpoint has thousands of entries, not a million.
_MAX_DIRECTORY_BYTES = 2**22
# What zipfile raises, whatever a damaged archive leads it to.
ZIP_ERRORS = (
    zipfile.BadZipFile,
    ValueError,
    OverflowError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


def archive_entries(path: Path) -> dict[str, zipfile.ZipInfo]:
    """The entries of an archive by name.

    Raises:
        PickleError: it is damaged or truncated, its directory is too large, or its entries overlap.
        GanwalkError: it is no regular file.
        OSError: it cannot be read.
    """
    try:
        with open_regular(path) as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                entries = {entry.filename: entry for entry in archive.infolist()}
            size = os.fstat(file.fileno()).st_size
    except ZIP_ERRORS as error:
        if isinstance(error, GanwalkError):
            raise
        raise PickleError("its zip directory is damaged or truncated") from error
    _check_places(entries, size)
    return entries


def _check_places(entries: dict[str, zipfile.ZipInfo], size: int) -> None:
    """Raises PickleError if entries share bytes of the file, and so take more memory than it has, or lie beyond it."""
    end = 0
    for entry in sorted(entries.values(), key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise PickleError("its zip entries overlap, which torch's never do")
        end = entry.header_offset + 30 + entry.compress_size
        if end > size:
            raise PickleError("a zip entry is cut off")


def _check_directory(file: BinaryIO) -> None:
    """Raises PickleError if the archive's directory is too large to be parsed without harm."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - 2**16 - 22))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise PickleError("its zip directory is missing: the file is truncated, download it again")
    size = struct.unpack("<I", tail[at + 12 : at + 16])[0]
    if tail[max(0, at - 20) :].startswith(b"PK\x06\x07"):
        # A record of 64 bits replaces this one, whatever it says.
        wide = tail.rfind(b"PK\x06\x06", 0, at)
        size = struct.unpack("<Q", tail[wide + 40 : wide + 48])[0] if wide >= 0 else 2**64
    if size > _MAX_DIRECTORY_BYTES:
        raise PickleError("its zip directory is larger than any checkpoint's or array's")
