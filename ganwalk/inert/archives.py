"""Directories of zip archives, which torch.save and numpy write: parsed only if that is harmless."""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

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
    """The entries of an archive by name; raises as `open_archive`."""
    with open_archive(path) as archive:
        return dict(archive.NameToInfo)


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An archive whose directory is harmless.

    Raises:
        PickleError: it is damaged or truncated, its directory is too large, or its entries overlap.
        GanwalkError: it is no regular file.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        _check_directory(file)
        try:
            archive = zipfile.ZipFile(file)
        except ZIP_ERRORS as error:
            raise PickleError("its zip directory is damaged or truncated") from error
        with archive:
            _check_places(archive.NameToInfo, os.fstat(file.fileno()).st_size)
            yield archive


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
    locator = end - len(tail) + at - 20
    file.seek(max(0, locator))
    if file.read(20).startswith(b"PK\x06\x07"):
        # A record of 64 bits replaces this one, whatever it says.
        size = _size_in_wide_record(file, locator)
    if size > _MAX_DIRECTORY_BYTES:
        raise PickleError("its zip directory is larger than any checkpoint's or array's")


def _size_in_wide_record(file: BinaryIO, locator: int) -> int:
    """Bytes of the directory that the record of 64 bits announces which a locator, at this place of the file, leads to.

    Versions of zipfile read the record right before the locator, or where that points to: the larger size counts.
    """
    file.seek(locator + 8)
    sizes: list[int] = []
    for place in (locator - 56, struct.unpack("<Q", file.read(8))[0]):
        if 0 <= place <= locator - 56:
            file.seek(place)
            record = file.read(56)
            sizes += struct.unpack("<Q", record[40:48]) if record.startswith(b"PK\x06\x06") else ()
    return max(sizes, default=2**64)
