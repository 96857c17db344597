"""Places to write to: folders that are made, that belong to one run, and what is wrong with a place, in one line."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ganwalk.errors import GanwalkError
from ganwalk.files.cache import cache_folder
from ganwalk.files.locks import lock_owner, try_locked

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
        raise cannot_write(folder, error) from error
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
            raise cannot_write(folder, error) from error
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
        raise cannot_write(path, NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    try:
        # Permissions say nothing of folders where nobody can make a file, such as those of /proc.
        tempfile.TemporaryFile(dir=place).close()
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> GanwalkError:
    """What is wrong with a place, in one line with what helps; to be raised."""
    reason = error.strerror or str(error)
    remedy = _REMEDIES.get(error.errno or 0, "choose another place")
    in_cache = cache_folder() in path.parents
    return GanwalkError(f"cannot write {path}: {reason}; {remedy}{' with GANWALK_CACHE' if in_cache else ''}")
