"""Atomic writes (a file is there whole or not at all), locks between processes, folders of results, the cache."""

from __future__ import annotations

import codecs
import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import socket
import stat
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, BinaryIO

from ganwalk.errors import GanwalkError, one_line
from ganwalk.temporaries import temporary_beside, try_lock

# Of a lock's file: the owner in words.
_MAX_OWNER = 500
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some space, or choose another place",
    errno.EACCES: "choose a place that you may write to",
    errno.EPERM: "choose a place that you may write to",
    errno.EROFS: "choose a place that you may write to",
    errno.ENOTDIR: "a part of its path is a file; choose another folder",
    errno.EEXIST: "a part of its path is a file; choose another folder",
    errno.ENAMETOOLONG: "choose a shorter name",
}
# How pages begin, and what may stand before that: the marks of encodings.
_MARKUP = (b"<!doctype", b"<!--", b"<html", b"<head", b"<body", b"<script", b"<title", b"<meta ", b"<?xml")
_MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NOT_REGULAR = "is not a regular file: give a file"

# In the metadata of directions files; others tell by it what they were given.
DIRECTIONS_KEY = "ganwalk-directions-1"


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
            raise _cannot_write(path, error) from error
        try:
            yield partial
            if sys.platform == "win32":
                # It renames no open file.
                handle.close()
            publish(partial, path)
        except OSError as error:
            raise _cannot_write(path, error) from error


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Makes a folder and its parents; at the end those of them that are empty go again.

    Raises:
        GanwalkError: a file is in its place, or it cannot be made.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise GanwalkError(f"{folder} is a file: choose another folder") from None
    except OSError as error:
        raise _cannot_write(folder, error) from error
    try:
        yield
    finally:
        for place in missing:
            with contextlib.suppress(OSError):
                place.rmdir()


@contextlib.contextmanager
def owned_folder(folder: Path) -> Iterator[None]:
    """Makes a folder for the results of one run, which has it for itself; a run that leaves nothing leaves no folder.

    On a file system without locks, as `try_locked`.

    Raises:
        GanwalkError: another run writes into it, or it cannot be made.
    """
    lock = folder / ".run"
    with made_folder(folder), contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(try_locked(lock))
        except OSError as error:
            raise _cannot_write(folder, error) from error
        if not held:
            owner = lock_owner(lock)
            raise GanwalkError(
                f"{folder} belongs to another run{owner}: wait for it, or choose another folder with --out"
            )
        yield


def check_free(path: Path, force: bool) -> None:
    """Refuses, before anything slow is done, a file that nobody asked to replace or that cannot be written.

    Raises:
        GanwalkError: with the remedy.
    """
    if path.exists() and not force:
        raise GanwalkError(f"{path} exists: choose another name, or replace it with --force")
    check_writable(path)


def check_writable(path: Path) -> None:
    """Raises GanwalkError if a file cannot be written here, as far as that can be known before it is."""
    place = next(place for place in (path.parent.absolute(), *path.parent.absolute().parents) if place.exists())
    if not place.is_dir():
        raise _cannot_write(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    try:
        # Permissions say nothing of folders where nobody can make a file, such as those of /proc.
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise _cannot_write(path, error) from error


def timestamp() -> str:
    """The time as files hold it, in UTC: 2026-01-31T12:00:00Z.

    The environment variable SOURCE_DATE_EPOCH (reproducible-builds.org) stands for the clock, so that equal results can
    be equal files.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return as_timestamp(int(fixed) if fixed.isdecimal() else time.time())


def as_timestamp(seconds: float) -> str:
    """Seconds since 1970 as `timestamp` writes them; of no possible time, an empty text."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""


def publish(partial: Path, path: Path) -> None:
    """Renames a finished file to `path`, once its bytes have reached the disk; OSError if that fails."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    # mkstemp makes files that only their owner can read.
    partial.chmod(0o666 & ~_umask())
    os.replace(partial, path)


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


def cache_folder() -> Path:
    """Where downloads and what is made of them are kept: $GANWALK_CACHE, or the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("GANWALK_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("ganwalk", appauthor=False)


@contextlib.contextmanager
def cache_errors(target: Path) -> Iterator[None]:
    """Troubles with a file that is kept in the cache, in one line with what helps."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise GanwalkError(
            f"cannot keep {target}: {reason}; free some space, or choose another folder with GANWALK_CACHE"
        ) from error


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
    """Holds the lock of `locked` if it is free, and tells whether it was.

    On a file system without locks it always is: a file that stands for one would outlive a killed process, and stop
    all later ones. Then two that make the same thing at once both do, and what is whole last stays.

    Raises:
        OSError: the lock's file cannot be made or locked.
    """
    lock = _lock_of(path)
    file = _open_locked(lock)
    if file is None:
        yield False
        return
    with file:
        try:
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}, since {timestamp()}".encode())
            file.flush()
            yield True
        finally:
            # While it is held: whoever opened the file meanwhile sees that it is no longer the one of that name.
            # Windows removes no open file, and there it stays; so it does in a folder of others.
            with contextlib.suppress(OSError):
                lock.unlink()


def lock_owner(path: Path) -> str:
    """Who holds the lock of `path`, in brackets; nothing if that cannot be read."""
    try:
        with _lock_of(path).open("rb") as file:
            owner = file.read(_MAX_OWNER).decode(errors="replace").strip()
    except OSError:
        return ""
    return f" ({one_line(owner, _MAX_OWNER)})" if owner else ""


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _open_locked(lock: Path) -> BinaryIO | None:
    """The lock's file, locked, or None while another process holds it."""
    while True:
        made = not lock.exists()
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(lock.open("ab"))
            try:
                free = try_lock(file.fileno())
            except OSError:
                if made:
                    lock.unlink(missing_ok=True)
                raise
            if free is False:
                return None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), lock.stat()):
                    stack.pop_all()
                    return file


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _cannot_write(path: Path, error: OSError) -> GanwalkError:
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "choose another place")
    in_cache = cache_folder() in path.parents
    return GanwalkError(f"cannot write {path}: {reason}; {remedy}{' with GANWALK_CACHE' if in_cache else ''}")
