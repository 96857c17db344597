"""What a file of another tool holds: arrays and plain values by name, read without running anything in it."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import DIRECTIONS_KEY
from ganwalk.generators.checkpoints import format_of, torch_reader
from ganwalk.generators.checkpoints.inert import PICKLE_STARTS, ZIP_START, read_inert
from ganwalk.generators.checkpoints.native import is_native
from ganwalk.generators.checkpoints.numpy_values import plain_number, stored_array
from ganwalk.generators.checkpoints.pickle_reader import PickleError, Record
from ganwalk.generators.checkpoints.stored import StoredTensor

MAX_VALUES = 2**28
_MAX_DEPTH = 8
_MAX_ENTRIES = 20_000
_MAX_NAME = 200
# Where pickled modules of torch's keep what state dicts name without them.
_LEVELS = ("_modules", "_parameters", "_buffers")
_NPY_START = b"\x93NUMPY"
_DAMAGED = "is damaged, or no file of directions"


@dataclass(frozen=True)
class Array:
    """An array that still lies in its file.

    Attributes:
        shape: of it.
        read: its values as float32; GanwalkError if they are no numbers, or too many.
    """

    shape: tuple[int, ...]
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
    return head.startswith((_NPY_START, *PICKLE_STARTS, ZIP_START)) or head[8:9] == b"{"


def read_contents(path: Path) -> Contents:
    """What a file holds, told apart by its first bytes.

    Raises:
        GanwalkError: it is damaged, of another kind, or a checkpoint; without the file's name in front.
        OSError: it cannot be read.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        # A pipe would be waited for.
        raise GanwalkError("is not a regular file: give a file")
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_NPY_START):
        return Contents("npy", {"": _npy(path)})
    if head[8:9] == b"{":
        return Contents("safetensors", _safetensors(path))
    if head.startswith(ZIP_START) and (members := _members(path)):
        return Contents("npz", {name: _member(path, name, size) for name, size in members.items()})
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
        return stored.load().float()

    return Array(stored.shape, read)


def _npy(path: Path) -> Array:
    import numpy as np

    try:
        # Mapped, so that a header which announces more than the file holds is refused before anything is allocated.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:
        # numpy raises whatever a damaged header leads it to.
        raise GanwalkError(_DAMAGED) from error
    return Array(mapped.shape, lambda: _numbers(np.array(mapped)))


def _members(path: Path) -> dict[str, int]:
    """Arrays in a numpy archive and the bytes that they announce; none in other archives."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, struct.error, UnicodeError):
        return {}
    return {member.filename[:-4]: member.file_size for member in members if member.filename.endswith(".npy")}


def _member(path: Path, name: str, size: int) -> Array:
    """An array of a numpy archive."""
    import numpy as np

    def read() -> Tensor:
        # A compressed member announces its size: nothing larger than directions can be is unpacked.
        if size > 4 * MAX_VALUES:
            raise GanwalkError(f"is damaged: it announces {size} bytes of directions")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                array = arrays[name]
        except Exception as error:
            raise GanwalkError(_DAMAGED) from error
        return _numbers(array)

    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, _ = header(file)
    except Exception as error:
        raise GanwalkError(_DAMAGED) from error
    return Array(shape, read)


def _numbers(array: Any) -> Tensor:
    if array.dtype.kind not in "fiu":
        raise GanwalkError(f"holds no directions: they must be numbers, not {array.dtype}")
    return torch.from_numpy(array.astype("float32"))


def _safetensors(path: Path) -> dict[str, Array]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            if DIRECTIONS_KEY in (file.metadata() or {}):
                raise GanwalkError("is a directions file already: give it as --directions")
            if is_native(path):
                raise GanwalkError("is a checkpoint (ganwalk), not directions: give it as --generator")
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise GanwalkError(_DAMAGED) from error

    def member(name: str) -> Array:
        def read() -> Tensor:
            with safe_open(path, "pt") as file:
                return file.get_tensor(name).float()

        return Array(shapes[name], read)

    return {name: member(name) for name in shapes}
