"""Locks between processes, which end with them."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from ganwalk.errors import one_line
from ganwalk.files.temporaries import try_lock
from ganwalk.files.times import timestamp

# Of a lock's file: the owner in words.
_MAX_OWNER = 500


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
