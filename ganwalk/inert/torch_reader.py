"""What torch.save writes: zip archives (since torch 1.6), and the legacy stream before them and inside of pickles.

Both are an inert pickle whose tensors refer to storages beside it. Storages are read when a tensor is loaded, so that
a training snapshot costs no more memory than the one network that is wanted.
"""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ganwalk.files import open_regular
from ganwalk.inert.archives import archive_entries
from ganwalk.inert.file_source import MAX_PIECE, FileSource
from ganwalk.inert.pickle_reader import (
    MAX_NAME,
    Budget,
    Global,
    PickleError,
    plain_calls,
    read_pickle,
)
from ganwalk.inert.tensors import Storage, StoredTensor, stored_tensor

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LEGACY_PROTOCOL = 1001

_DTYPES = {
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}
# What it takes to begin with a stream inside of a pickle, in units of the budget.
_STREAM_UNITS = 50
_STREAM_BYTES_A_UNIT = 64


def _parameter(tensor: Any, *_: Any) -> StoredTensor:
    if not isinstance(tensor, StoredTensor):
        raise PickleError("a parameter is no tensor")
    return tensor


def _load_from_bytes(budget: Budget, data: Any) -> Any:
    """A storage inside of a pickle: torch.save's legacy stream, in bytes."""
    if not isinstance(data, bytes | bytearray):
        raise PickleError("a storage is not made of bytes")
    budget.charge(_STREAM_UNITS)
    try:
        value = read_legacy(io.BytesIO(data), lambda first, last: bytes(data[first:last]), origin=data, budget=budget)
    except PickleError as error:
        raise PickleError(f"a storage inside is damaged: {error}") from error
    if not isinstance(value, Storage):
        raise PickleError("a storage inside is none")
    # What describes the values has been read; the same bytes can be read again and again.
    budget.charge((len(data) - value.count * value.dtype.itemsize) // _STREAM_BYTES_A_UNIT)
    return value


def _stream_calls(budget: Budget) -> dict[str, Callable[..., Any]]:
    """Functions of torch's that its pickles call."""
    return {
        **plain_calls(budget),
        "torch._utils._rebuild_parameter": _parameter,
        "torch._utils._rebuild_parameter_with_state": _parameter,
        "torch._utils._rebuild_tensor": stored_tensor,
        "torch._utils._rebuild_tensor_v2": stored_tensor,
    }


def known_calls(budget: Budget) -> dict[str, Callable[..., Any]]:
    """What a pickle may call; `_load_from_bytes` nests a whole stream, which may hold no further one."""
    return {**_stream_calls(budget), "torch.storage._load_from_bytes": partial(_load_from_bytes, budget)}


def read_legacy_file(path: Path, budget: Budget) -> Any:
    """The inert object in a file of the legacy format; PickleError as `read_legacy`."""

    def read_at(first: int, last: int) -> bytes:
        with open_regular(path) as file:
            file.seek(first)
            data = file.read(last - first)
        if len(data) != last - first:
            raise PickleError("a storage is cut off")
        return data

    with open_regular(path) as file:
        return read_legacy(FileSource(file), read_at, budget=budget)


def read_legacy(
    stream: io.BytesIO | FileSource,
    read_at: Callable[[int, int], bytes],
    *,
    origin: object = None,
    budget: Budget,
) -> Any:
    """The inert object in a legacy stream: five pickles, then each storage as a number of values and the values.

    Args:
        stream: at its beginning, with data of its own length only.
        read_at: bytes of the same data between two positions, also after the stream is closed.
        origin: the object that the stream lies in, if it is not a file.
        budget: of the file that the stream is or lies in.
    Raises:
        PickleError: the stream is damaged or hostile.
    """

    def read(calls: dict[str, Callable[..., Any]], persistent: Callable[[Any], Any] | None = None) -> Any:
        return read_pickle(stream, calls, persistent, budget=budget)

    if read({}) != LEGACY_MAGIC or read({}) != _LEGACY_PROTOCOL:
        raise PickleError("it is not in torch's legacy format")
    if (facts := read({})) and isinstance(facts, dict) and facts.get("little_endian") is False:
        raise PickleError("it was written on a big-endian machine")
    positions: dict[str, int] = {}
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Any:
        if _is_class(reference):
            return reference[1]
        dtype, key, count = _reference(reference)
        if key not in storages:

            def values(first: int, last: int) -> bytes:
                return read_at(positions[key] + first * dtype.itemsize, positions[key] + last * dtype.itemsize)

            storages[key] = Storage(dtype, count, values, origin)
        if (storages[key].dtype, storages[key].count) != (dtype, count):
            raise PickleError("a storage has two different sizes")
        return storages[key]

    value = read(_stream_calls(budget), persistent)
    keys = read({})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise PickleError("its list of storages is damaged")
    if set(keys) != set(storages) or len(keys) != len(storages):
        raise PickleError("it refers to storages that it does not hold")
    size = stream.tell()
    stream.seek(0, io.SEEK_END)
    end = stream.tell()
    for key in keys:
        storage = storages[key]
        stream.seek(size)
        header = stream.read(8)
        if len(header) != 8 or int.from_bytes(header, "little", signed=True) != storage.count:
            raise PickleError("a storage states two different sizes")
        positions[key] = size + 8
        size += 8 + storage.count * storage.dtype.itemsize
        if size > end:
            raise PickleError(f"a storage of {storage.count} values is cut off")
    return value


def read_zip(path: Path, budget: Budget | None = None) -> Any:
    """The inert object in a zip archive of torch.save's.

    Raises:
        PickleError: the archive is damaged, hostile or no torch file.
    """
    if sys.byteorder != "little":
        raise PickleError("files of torch are read on little-endian machines only")
    entries, prefix = _entries(path)
    order = entries.get(f"{prefix}byteorder")
    if order is not None and _read_entry(path, order, 0, min(order.file_size, 16)) != b"little":
        raise PickleError("it was written on a big-endian machine")
    storages: dict[str, Storage] = {}

    def persistent(reference: Any) -> Storage:
        dtype, key, count = _reference(reference)
        entry = entries.get(f"{prefix}data/{key}")
        if entry is None:
            raise PickleError("it refers to a storage that it does not hold")
        if entry.file_size != count * dtype.itemsize:
            raise PickleError(f"a storage has {entry.file_size} bytes where {count} values were announced")
        if key not in storages:
            size = dtype.itemsize
            storages[key] = Storage(
                dtype, count, lambda first, last: _read_entry(path, entry, first * size, last * size)
            )
        if storages[key].dtype != dtype:
            raise PickleError("a storage has two different types")
        return storages[key]

    pickled = entries[f"{prefix}data.pkl"]
    if pickled.file_size > MAX_PIECE:
        raise PickleError("its description is larger than any checkpoint's")
    data = io.BytesIO(_read_entry(path, pickled, 0, pickled.file_size))
    budget = budget or Budget()
    return read_pickle(data, known_calls(budget), persistent, budget=budget)


def is_torchscript(path: Path) -> bool:
    """Whether a zip archive holds a TorchScript program."""
    try:
        entries, prefix = _entries(path)
    except PickleError:
        return False
    return f"{prefix}constants.pkl" in entries


def _entries(path: Path) -> tuple[dict[str, zipfile.ZipInfo], str]:
    """The archive's entries by name, and the folder that they lie in."""
    entries = archive_entries(path)
    described = [name for name in entries if name.count("/") == 1 and name.endswith("/data.pkl")]
    if len(described) != 1:
        raise PickleError("it is a zip archive, but not one of torch's")
    return entries, described[0].removesuffix("data.pkl")


def _read_entry(path: Path, entry: zipfile.ZipInfo, first: int, last: int) -> bytes:
    """Bytes of an entry; torch stores them as they are, so a compressed one is no torch file but perhaps a bomb."""
    if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size or entry.flag_bits & 1:
        raise PickleError("its zip entries are compressed, which torch's never are")
    with open_regular(path) as file:
        end = file.seek(0, io.SEEK_END)
        file.seek(entry.header_offset)
        header = file.read(30)
        if len(header) != 30 or header[:4] != b"PK\x03\x04":
            raise PickleError("its zip directory points nowhere")
        name, extra = struct.unpack("<HH", header[26:30])
        start = entry.header_offset + 30 + name + extra
        if start + entry.file_size > end:
            raise PickleError("a zip entry is cut off")
        file.seek(start + first)
        data = file.read(last - first)
    # torch can be told to leave the checksums out; then they are zero.
    if len(data) == entry.file_size and entry.CRC and zlib.crc32(data) != entry.CRC:
        raise PickleError("a zip entry is damaged: its checksum is wrong")
    return data


def _is_class(reference: Any) -> bool:
    """Whether a reference is a module's class, beside which the legacy format keeps its source: (module, class, …)."""
    return (
        isinstance(reference, tuple)
        and len(reference) == 4
        and reference[0] == "module"
        and isinstance(reference[1], Global)
    )


def _reference(reference: Any) -> tuple[torch.dtype, str, int]:
    """Type, key and number of values of a storage that a tensor refers to."""
    if not isinstance(reference, tuple) or len(reference) not in (5, 6):
        raise PickleError("it refers to data that is no storage")
    kind, cls, key, _, count, *view = reference
    dtype = _DTYPES.get(cls.name) if isinstance(cls, Global) and cls.module in ("torch", "torch.storage") else None
    named = isinstance(key, str) and len(key) <= MAX_NAME
    if kind != "storage" or not named or view not in ([], [None]):
        raise PickleError("it refers to data that is no storage")
    if dtype is None:
        name = cls.path if isinstance(cls, Global) else "no name"
        raise PickleError(f"a storage has the unknown type {name:.60}")
    if type(count) is not int or count < 0:
        raise PickleError("a storage has an impossible size")
    return dtype, key, count
