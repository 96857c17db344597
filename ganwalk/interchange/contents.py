"""What a file of another tool holds: arrays and plain values by name, read without running anything in it."""

from __future__ import annotations

import contextlib
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import DIRECTIONS_KEY, open_regular
from ganwalk.files.npy import START as NPY_START
from ganwalk.files.npy import NpyHeader, read_npy_header
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.generators.checkpoints import format_of
from ganwalk.generators.checkpoints.native import KEY
from ganwalk.inert import torch_reader
from ganwalk.inert.archives import open_archive
from ganwalk.inert.numpy_values import plain_number, stored_array
from ganwalk.inert.pickle_reader import PickleError, Record
from ganwalk.inert.reading import PICKLE_STARTS, ZIP_START, read_inert
from ganwalk.inert.tensors import StoredTensor

# More than any directions or latents that are read (`ganwalk.interchange.matrices`, `.latents`).
MAX_VALUES = 2**25
_PIECE = 2**20
_MAX_DEPTH = 8
_MAX_ENTRIES = 20_000
# Of a numpy archive, whose directory is read anew with each array that is read.
_MAX_MEMBERS = 1000
# Entries of all kinds, which one dict in many places has many times.
_MAX_LOOKED_AT = 500_000
_MAX_NAME = 200
# Where pickled modules of torch's keep what state dicts name without them.
_LEVELS = ("_modules", "_parameters", "_buffers")
_DAMAGED = "is damaged, or no file of directions"


@dataclass(frozen=True)
class Array:
    """An array that still lies in its file.

    Attributes:
        shape: of it.
        span: how many values are read for it, which may lie between its own.
        read: its values as float32; GanwalkError if they are no numbers, or too many.
    """

    shape: tuple[int, ...]
    span: int
    read: Callable[[], Tensor]


@dataclass(frozen=True)
class Contents:
    """Arrays and plain values in a file.

    Attributes:
        kind: "npy", "npz", "pt", "pkl" or "safetensors".
        entries: an `Array`, a plain value, or a `Record` of something else, by name; dots stand between the names of
            dicts inside of one another, and "" is the name of what lies in the file alone.
    """

    kind: str
    entries: Mapping[str, Any]


@contextlib.contextmanager
def one_line_errors(path: Path, *, missing: str, holds: str = "directions") -> Iterator[None]:
    """Whatever reading a file raises, as a GanwalkError of one line that names the file.

    Args:
        missing: what to do if there is no such file.
        holds: what is looked for in it; the reader's own words are of directions.
    """
    try:
        yield
    except FileNotFoundError:
        raise GanwalkError(f"{path} does not exist: {missing}") from None
    except IsADirectoryError:
        raise GanwalkError(f"{path} is a folder: give the file in it") from None
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except PickleError as error:
        raise GanwalkError(f"{path} is damaged: {one_line(str(error))}") from error
    except GanwalkError as error:
        reason = str(error).replace("file of directions", f"file of {holds}").replace("not directions", f"not {holds}")
        raise GanwalkError(f"{path} {one_line(reason)}") from error


def is_contents(head: bytes) -> bool:
    """Whether a file that begins so is of a kind that `read_contents` knows, sound or not."""
    return head.startswith((NPY_START, *PICKLE_STARTS, ZIP_START)) or head[8:9] == b"{"


def read_contents(path: Path) -> Contents:
    """What a file holds, told apart by its first bytes.

    Raises:
        GanwalkError: it is damaged, of another kind, or a checkpoint; without the file's name in front.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(64)
    if head.startswith(NPY_START):
        return Contents("npy", {"": _npy(path)})
    if head[8:9] == b"{":
        return Contents("safetensors", _safetensors(path))
    if head.startswith(ZIP_START) and (members := _members(path)):
        return Contents("npz", members)
    if not head.startswith((*PICKLE_STARTS, ZIP_START)):
        raise GanwalkError(f"{_DAMAGED}: they are read from .npy, .npz, .pt, .pkl and .safetensors")
    if head.startswith(ZIP_START) and torch_reader.is_torchscript(path):
        raise GanwalkError("is a TorchScript program: save its matrix of directions alone, as .npy")
    try:
        value = read_inert(path)
    except PickleError as error:
        raise GanwalkError(f"{_DAMAGED}: {error}") from error
    if found := format_of(value):
        raise GanwalkError(f"is a checkpoint ({found}), not directions: give it as --generator")
    return Contents("pkl" if path.suffix.lower() == ".pkl" else "pt", dict(_entries(value)))


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Arrays and other values in an inert object, which dicts, lists and modules may hold on several levels."""
    pending = [("", value, 0)]
    looked_at = 0
    for _ in range(_MAX_ENTRIES):
        if not pending:
            return
        if len(pending) > _MAX_ENTRIES:
            break
        name, value, depth = pending.pop()
        value = plain_number(value)
        stored = value if isinstance(value, StoredTensor) else stored_array(value)
        if stored is not None:
            yield name, _stored(stored)
            continue
        inner = value.state if isinstance(value, Record) else value
        looked_at += len(inner) if isinstance(inner, dict | list | tuple) else 1
        if looked_at > _MAX_LOOKED_AT:
            break
        if isinstance(inner, list | tuple):
            inner = {str(index): entry for index, entry in enumerate(inner)}
        if not isinstance(inner, dict):
            yield name, value
        elif depth < _MAX_DEPTH:
            named = [(key, entry) for key, entry in inner.items() if isinstance(key, str) and len(key) < _MAX_NAME]
            pending += [(_below(name, key), entry, depth + 1) for key, entry in reversed(named)]
    raise GanwalkError("holds more entries than any file of directions: save the directions alone")


def _below(name: str, key: str) -> str:
    """The name of an entry of what has a name itself."""
    if key in _LEVELS:
        return name
    return f"{name}.{key}" if name else key


def _stored(stored: StoredTensor) -> Array:
    def read() -> Tensor:
        if stored.storage.dtype == torch.bool:
            raise GanwalkError(f"holds no directions: they must be numbers, not {stored.storage.dtype}")
        _check_size(stored.shape, stored.storage.dtype.itemsize)
        return stored.load().float()

    return Array(stored.shape, stored.span, read)


def _npy(path: Path) -> Array:
    def opened() -> contextlib.AbstractContextManager[IO[bytes]]:
        return open_regular(path)

    return _array(_header(opened, path.stat().st_size), opened)


def _members(path: Path) -> dict[str, Array]:
    """The arrays of a numpy archive; none in other archives."""
    try:
        with open_archive(path) as archive:
            arrays = [entry for entry in archive.NameToInfo.values() if entry.filename.endswith(".npy")]
            if arrays and len(archive.filelist) > _MAX_MEMBERS:
                raise GanwalkError("holds more entries than any file of directions: save the directions alone")
            return {entry.filename[:-4]: _member(path, archive, entry) for entry in arrays}
    except PickleError:
        return {}


def _member(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Array:
    """An array of a numpy archive, whose header is read at once."""

    @contextlib.contextmanager
    def opened() -> Iterator[IO[bytes]]:
        with open_regular(path) as file, zipfile.ZipFile(file) as again, again.open(entry.filename) as member:
            yield member

    return _array(_header(lambda: archive.open(entry.filename), entry.file_size), opened)


def _header(opened: Callable[[], contextlib.AbstractContextManager[IO[bytes]]], size: int) -> NpyHeader:
    """What stands before the values of an array in numpy's format.

    Args:
        opened: opens what it lies in.
        size: bytes of that, as far as is announced; a compressed file can announce what it does not hold.
    """
    try:
        with opened() as file:
            header = read_npy_header(file)
        if max(header.shape, default=0) > MAX_VALUES or header.size != size - header.start:
            raise ValueError("it announces another size than it has")
    except OSError:
        raise
    except Exception as error:
        # numpy and zipfile raise whatever a damaged file leads them to.
        raise GanwalkError(_DAMAGED) from error
    return header


def _array(header: NpyHeader, opened: Callable[[], contextlib.AbstractContextManager[IO[bytes]]]) -> Array:
    """An array in numpy's format, whose header was read of what `opened` opens."""
    import numpy as np

    def read() -> Tensor:
        if header.dtype.kind not in "fiu":
            raise GanwalkError(f"holds no directions: they must be numbers, not {header.dtype}")
        _check_size(header.shape, header.dtype.itemsize)
        values = np.empty(math.prod(header.shape), header.dtype)
        parts: Any = values.view(np.uint8)
        try:
            with opened() as file:
                file.read(header.start)
                done = 0
                while part := file.read(min(_PIECE, len(parts) - done)):
                    parts[done : done + len(part)] = np.frombuffer(part, np.uint8)
                    done += len(part)
        except OSError:
            raise
        except Exception as error:
            raise GanwalkError(_DAMAGED) from error
        if done != len(parts):
            raise GanwalkError(_DAMAGED)
        ordered = values.reshape(header.shape, order="F" if header.by_columns else "C")
        return torch.from_numpy(ordered.astype(np.float32, copy=False))

    return Array(header.shape, math.prod(header.shape), read)


def _check_size(shape: Sequence[int], itemsize: int = 4) -> None:
    """Raises GanwalkError if an array is larger than any of directions or latents, here or as float32."""
    if math.prod(shape) * max(itemsize, 4) > 4 * MAX_VALUES:
        raise GanwalkError("is damaged: it announces more values than any file of directions has")


def _safetensors(path: Path) -> dict[str, Array]:
    try:
        with open_tensors(path) as file:
            if DIRECTIONS_KEY in file.metadata:
                raise GanwalkError("is a directions file already: give it as --directions")
            if KEY in file.metadata:
                raise GanwalkError("is a checkpoint (ganwalk), not directions: give it as --generator")
            shapes = {name: entry.shape for name, entry in file.entries.items()}
    except TensorFileError as error:
        raise GanwalkError(_DAMAGED) from error

    def member(name: str) -> Array:
        def read() -> Tensor:
            _check_size(shapes[name])
            try:
                with open_tensors(path) as file:
                    return file.read(name).float()
            except (TensorFileError, KeyError) as error:
                raise GanwalkError(_DAMAGED) from error

        return Array(shapes[name], math.prod(shapes[name]), read)

    return {name: member(name) for name in shapes}
