"""Files that nobody vouches for: regular ones only, of bounded size, and web pages in their place."""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, BinaryIO

from ganwalk.errors import GanwalkError

# How pages begin, and what may stand before that: the marks of encodings.
_MARKUP = (b"<!doctype", b"<!--", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta ", b"<?xml")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NOT_REGULAR = "is not a regular file: give a file"


def check_regular(path: Path) -> None:
    """Refuses what only looks like a file to read, such as a pipe, which would be waited for."""
    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "not a regular file"
        raise GanwalkError(f"{path} is {kind}: give a file")


def open_regular(path: Path) -> BinaryIO:
    """A file opened for reading, if it is one: a pipe, a socket or a device is refused without waiting for it.

    Raises:
        GanwalkError: it is no regular file; without its name in front.
        OSError: it cannot be opened.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    # Devices do something when they are opened, some of them; a pipe can take the file's place right after the look.
    if path.exists() and not path.is_file():
        raise GanwalkError(_NOT_REGULAR)
    wait_for_none = getattr(os, "O_NONBLOCK", 0)
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | wait_for_none))  # noqa: SIM115 (the caller closes it)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise GanwalkError(_NOT_REGULAR)
    return file


def hash_file(path: Path) -> str:
    """SHA-256 of a regular file."""
    with open_regular(path) as file:
        # hashlib.file_digest would do, but Python 3.10 does not have it.
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def is_web_page(head: bytes) -> bool:
    """Whether a file with these first bytes is HTML or XML, as servers send instead of what they do not have."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            head = head[len(mark) :].decode(encoding, errors="replace").encode()
    # Nothing shorter: a safetensors file begins with any byte, eight of them, and few of its beginnings are long.
    return head.lstrip().lower().startswith(_MARKUP)


def read_text(path: Path, largest: int = 2**24) -> str:
    """The text in a small file of somebody's.

    Args:
        largest: bytes that it may have.
    Raises:
        ValueError: it has more, or is no UTF-8; as GanwalkError, without its name in front, if it is no regular file.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise ValueError("it is too large")
    return data.decode()


def read_json(path: Path, wanted: str, largest: int = 2**24) -> Any:
    """The value in a JSON file of somebody's.

    Args:
        wanted: what the file should be, for the message.
        largest: bytes that it may have.
    Raises:
        GanwalkError: it cannot be read, is too large, or is no JSON.
    """
    check_regular(path)
    try:
        if path.stat().st_size > largest:
            raise GanwalkError(f"{path} is too large: give {wanted}")
        return json.loads(read_text(path, largest))
    except GanwalkError:
        raise
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise GanwalkError(f"{path} is no JSON: give {wanted}") from error
