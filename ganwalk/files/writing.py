"""Atomic writes: a file is there whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.files.places import cannot_write, made_folder
from ganwalk.files.temporaries import temporary_beside


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; renamed to `path` on success, removed on any failure.

    Folders that are missing are made, and removed again on a failure. What killed processes left in the folder on their
    way to files goes.

    Raises:
        GanwalkError: the folder cannot be written to, the disk is full, or `path` is a folder or a device.
    """
    path = Path(path)
    with contextlib.ExitStack() as stack:
        try:
            # A rename would replace even /dev/null.
            if path.exists() and not path.is_file():
                raise GanwalkError(f"cannot write {path}: it is a folder or a device; choose another name")
            stack.enter_context(made_folder(path.parent))
            partial, handle = stack.enter_context(temporary_beside(path))
        except OSError as error:
            raise cannot_write(path, error) from error
        try:
            yield partial
            if sys.platform == "win32":
                # It renames no open file.
                handle.close()
            publish(partial, path)
        except OSError as error:
            raise cannot_write(path, error) from error


def publish(partial: Path, path: Path) -> None:
    """Renames a finished file to `path`, once its bytes have reached the disk; OSError if that fails."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read.
    partial.chmod(0o666 & ~_umask())
    os.replace(partial, path)


def write_bytes(path: Path | str, data: bytes) -> None:
    """Writes a binary file atomically.

    Some libraries' own writers report a full disk with an error of theirs, or not at all: they write into memory, and
    this writes the file.
    """
    with atomic_path(path) as partial:
        partial.write_bytes(data)


def write_text(path: Path | str, text: str) -> None:
    """Writes a text file atomically."""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a table atomically: the columns that rows have, in the order in which they come, empty where one lacks."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def write_json(path: Path | str, value: Any) -> None:
    """Writes a JSON file atomically; NaN and infinity are refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
