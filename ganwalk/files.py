"""Atomic writes (a file is there whole or not at all), locks between processes, and the cache folder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from ganwalk.errors import GanwalkError

# In the metadata of directions files; others tell by it what they were given.
DIRECTIONS_KEY = "ganwalk-directions-1"


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path`, with its suffix; renamed to `path` on success, removed on any failure.

    Raises:
        GanwalkError: the folder cannot be written to, the disk is full, or `path` is a folder or a device.
    """
    path = Path(path)
    try:
        # A rename would replace even /dev/null.
        if path.exists() and not path.is_file():
            raise GanwalkError(f"cannot write {path}: it is a folder or a device; choose another name")
        handle, name = tempfile.mkstemp(prefix=f".{path.stem[:40]}-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _cannot_write(path, error) from error
    partial = Path(name)
    try:
        yield partial
        publish(partial, path)
    except OSError as error:
        raise _cannot_write(path, error) from error
    finally:
        partial.unlink(missing_ok=True)


def publish(partial: Path, path: Path) -> None:
    """Renames a finished file to `path`, once its bytes have reached the disk; OSError if that fails."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read.
    partial.chmod(0o666 & ~_umask())
    os.replace(partial, path)


def is_web_page(head: bytes) -> bool:
    """Whether a file with these first bytes is HTML or XML, as servers send instead of what they do not have."""
    return head.lstrip().lower().startswith((b"<!doctype", b"<html", b"<?xml"))


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


def write_json(path: Path | str, value: Any) -> None:
    """Writes a JSON file atomically; NaN and infinity are refused, since JSON has none."""
    write_text(path, json.dumps(value, indent=1, allow_nan=False) + "\n")


def cache_folder() -> Path:
    """Where downloads and what is made of them are kept: $GANWALK_CACHE, or the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("GANWALK_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("ganwalk", appauthor=False)


@contextlib.contextmanager
def locked(path: Path, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Holds the lock beside `path` (`x.npy.lock`), which ends with its process; the lock's file goes at the end.

    Args:
        path: what only one process at a time may make; its folder must exist.
        waiting: called now and then while another process holds the lock.
    """
    while True:
        with try_locked(path) as held:
            if held:
                yield
                return
        if waiting:
            waiting()
        time.sleep(0.2)


@contextlib.contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Holds the lock of `locked` if it is free, and tells whether it was."""
    lock = path.with_name(path.name + ".lock")
    file = _open_locked(lock)
    if file is None:
        yield False
        return
    with file:
        try:
            yield True
        finally:
            # While it is held: whoever opened the file meanwhile sees that it is no longer the one of that name.
            # Windows removes no open file, and there it stays; so it does in a folder of others.
            with contextlib.suppress(OSError):
                lock.unlink()


def _open_locked(lock: Path) -> BinaryIO | None:
    """The lock's file, locked, or None while another process holds it."""
    while True:
        file = lock.open("ab")
        if not _try_lock(file.fileno()):
            file.close()
            return None
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                return file
        file.close()


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _cannot_write(path: Path, error: OSError) -> GanwalkError:
    reason = error.strerror or str(error)
    return GanwalkError(
        f"cannot write {path}: {reason}; free some space or choose another place (--out, GANWALK_CACHE)"
    )
