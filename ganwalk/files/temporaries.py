"""Temporary files beside what they become; the next write into a folder removes what killed processes left there."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

# No other program's files are called so.
PREFIX = ".ganwalk-"
_LONGEST = 40
# What file systems answer that have no locks, such as Lustre as it is mounted by default, or some of FUSE.
_NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK)


@contextlib.contextmanager
def temporary_beside(path: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A new empty file in the folder of `path`, with its suffix, which goes at the end unless it was renamed.

    As long as the handle that comes with it is open, no other process takes the file for abandoned. Where there are no
    locks, none ever does, and what killed processes left stays.

    Raises:
        OSError: the folder cannot be written to.
    """
    remove_abandoned(path.parent)
    partial, handle = _held(path)
    with handle:
        try:
            yield partial, handle
        finally:
            if sys.platform == "win32":
                handle.close()
            partial.unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Removes temporary files of processes that are gone; what cannot be removed stays."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    _remove_abandoned(Path(entry.path))


def try_lock(descriptor: int) -> bool | None:
    """Locks a file until it is closed or its process ends.

    Returns:
        False if another process, or handle, has locked it; None if its file system has no locks.
    Raises:
        OSError: it cannot be locked for another reason.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        raise
    return True


def _held(path: Path) -> tuple[Path, BinaryIO]:
    while True:
        descriptor, name = tempfile.mkstemp(
            prefix=f"{PREFIX}{path.stem[:_LONGEST]}-", suffix=path.suffix, dir=path.parent
        )
        handle = os.fdopen(descriptor, "r+b")
        try:
            # Windows removes no open file, and a lock would keep out those who write it.
            if sys.platform == "win32" or (try_lock(descriptor) is not False and _is_at(handle, Path(name))):
                return Path(name), handle
        except OSError:
            handle.close()
            Path(name).unlink(missing_ok=True)
            raise
        # Another process took it for abandoned before it was locked.
        handle.close()


def _remove_abandoned(path: Path) -> None:
    if sys.platform == "win32":
        path.unlink()
        return
    with path.open("r+b") as handle:
        # It may have been published meanwhile. Without locks, nobody knows whether somebody writes it.
        if try_lock(handle.fileno()) and _is_at(handle, path):
            path.unlink()


def _is_at(handle: BinaryIO, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    return False
