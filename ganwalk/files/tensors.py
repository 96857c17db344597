"""Reads safetensors: a description of bounded size, and tensors one by one.

Files are read where the library would map them: a mapped file that somebody cuts while it is read kills the process.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ganwalk.files.reading import open_regular

# In the metadata of directions files; others tell by it what they were given.
DIRECTIONS_KEY = "ganwalk-directions-1"
# Ours have some 100 bytes for each tensor and each direction. JSON in memory takes up to thirty times its length.
MAX_DESCRIPTION = 2**23
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class TensorFileError(Exception):
    """The file is no safetensors, or damaged."""


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies in its file: its type as the file spells it, its shape, its first byte and their number."""

    kind: str
    shape: tuple[int, ...]
    start: int
    size: int


@dataclass(frozen=True)
class TensorFile:
    """An open file of tensors.

    Attributes:
        metadata: texts by name.
        entries: where each tensor lies, by name.
        size: bytes of the file.
    """

    metadata: dict[str, str]
    entries: dict[str, Entry]
    size: int
    _file: BinaryIO

    def read(self, name: str) -> Tensor:
        """A tensor in memory of its own; TensorFileError if the file ends before it does by now."""
        entry = self.entries[name]
        values = bytearray(entry.size)
        self._file.seek(entry.start)
        if self._file.readinto(values) != entry.size:  # type: ignore[attr-defined]
            raise TensorFileError("a tensor is cut off")
        dtype = _DTYPES[entry.kind]
        if not values:
            return torch.empty(entry.shape, dtype=dtype)
        return torch.frombuffer(values, dtype=dtype).view(entry.shape)


@contextlib.contextmanager
def open_tensors(path: Path) -> Iterator[TensorFile]:
    """A file of safetensors, opened.

    Raises:
        TensorFileError: it is none, or damaged.
        GanwalkError: it is no regular file; without its name in front.
        OSError: it cannot be read.
    """
    with open_regular(path) as file:
        end = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(8), "little")
        if length > min(MAX_DESCRIPTION, end - 8):
            raise TensorFileError("its description is cut off, or longer than any")
        try:
            description = json.loads(file.read(length).decode())
        except (ValueError, RecursionError) as error:
            raise TensorFileError("its description is no JSON") from error
        if not isinstance(description, dict):
            raise TensorFileError("its description is none")
        metadata = description.pop("__metadata__", {})
        if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
            raise TensorFileError("its metadata are no texts")
        entries = {name: _entry(facts, 8 + length) for name, facts in description.items()}
        at = 8 + length
        for entry in sorted(entries.values(), key=lambda entry: (entry.start, entry.size)):
            if entry.start != at:
                raise TensorFileError("its tensors overlap, or leave gaps")
            at += entry.size
        if at != end:
            raise TensorFileError("it is cut off, or longer than its tensors")
        yield TensorFile(metadata, entries, end, file)


def _entry(facts: Any, first: int) -> Entry:
    """Where a tensor lies, from its description, whose types are whatever its writer liked."""
    if not isinstance(facts, dict):
        raise TensorFileError("a tensor is not described")
    kind: Any = facts.get("dtype")
    shape: Any = facts.get("shape")
    offsets: Any = facts.get("data_offsets")
    if not isinstance(kind, str) or kind not in _DTYPES:
        raise TensorFileError("a tensor is of an unknown type")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise TensorFileError("a tensor has no sizes")
    # No axis is longer than torch can count, that of an empty tensor included.
    if math.prod(max(n, 1) for n in shape) >= 2**62:
        raise TensorFileError("a tensor has an impossible size")
    begin, end = offsets
    if end - begin != math.prod(shape) * _DTYPES[kind].itemsize:
        raise TensorFileError("a tensor has another size than its shape")
    return Entry(kind, tuple(shape), first + begin, end - begin)


def _are_sizes(numbers: Any) -> bool:
    return isinstance(numbers, list) and len(numbers) <= 16 and all(type(n) is int and 0 <= n < 2**62 for n in numbers)
