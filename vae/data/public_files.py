"""The public files of data sets: where they are looked for, downloaded from, and what is said of wrong ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files.data_place import DataPlace
from ganwalk.files.download import Limits, first_read, obtain
from vae.data.stored import data_folder

# MPI3D has 12.7 GB.
_LIMITS = Limits(max_bytes=16 * 2**30)


@dataclass(frozen=True)
class PublicFile:
    """A file that holds a data set.

    Attributes:
        name: what its publisher calls it.
        page: where it is described, with its licence.
        url: a stable address to download it from, or empty.
        sha256: first hex digits of its SHA-256, as far as they are known.
    """

    name: str
    page: str
    url: str = ""
    sha256: str = ""


def path_of(file: PublicFile, place: DataPlace) -> Path:
    """Where the file lies, or would lie once it is downloaded."""
    if place.root is None:
        return data_folder() / file.name
    is_file = place.root.is_file() or place.root.suffix == Path(file.name).suffix
    return place.root if is_file else place.root / file.name


def obtained(file: PublicFile, place: DataPlace) -> Path:
    """The file, downloaded first if it is not there and may be; GanwalkError if it cannot be had."""
    path = path_of(file, place)
    if path.is_file():
        return path
    if place.download and file.url:
        return obtain(file.url, path, sha256=file.sha256, progress=place.progress, limits=_LIMITS)
    raise GanwalkError(
        f"{path} is not there: get {file.name} from {file.url or file.page} and put it there, "
        "or say where it lies with --data-root"
    )


@contextlib.contextmanager
def reading(path: Path, file: PublicFile) -> Iterator[None]:
    """Turns whatever goes wrong in reading `path` into a GanwalkError that says where to get the right file.

    A file that has been read is one whose hash must not change any more.
    """
    import struct
    import tarfile
    import zipfile
    import zlib

    # RuntimeError and its NotImplementedError are what zipfile has for passwords and unknown compressions; h5py has
    # OSError without a number for what is no HDF5.
    wrong = (OSError, ValueError, KeyError, EOFError, RuntimeError, SyntaxError, OverflowError, struct.error)
    try:
        with first_read(path):
            yield
    except GanwalkError:
        raise
    except (*wrong, zipfile.BadZipFile, tarfile.TarError, zlib.error) as error:
        if isinstance(error, OSError) and error.strerror:
            raise GanwalkError(
                f"cannot read {path}: {error.strerror}; check its permissions, and the free space"
            ) from error
        reason = one_line(str(error).strip("'\"") or type(error).__name__, 200)
        raise GanwalkError(
            f"{path} is not the {file.name} of {file.page} ({reason}): delete it, and get it again"
            + (f" from {file.url}" if file.url else "")
        ) from error
