"""States of runs in files: plain values and tensors, as torch.save writes them. Equal values are equal bytes."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganwalk.files import write_bytes
from ganwalk.inert.pickle_reader import Budget, PickleError
from ganwalk.inert.reading import read_inert
from ganwalk.inert.tensors import StoredTensor

# Some 250,000 rows of a history.
_UNITS = 4_000_000
# Bytes of tensors beyond twice those of the file.
_SLACK = 2**24
_PENDING = object()


def write_state(path: Path, values: Mapping[str, Any]) -> None:
    """Writes texts, numbers, tensors, and dicts, lists and tuples of such, atomically.

    The bytes depend on the values alone, not on which of them are one object in memory: a run that was resumed leaves
    the state of one that was not.
    """
    buffer = io.BytesIO()
    torch.save(_apart(values), buffer)
    write_bytes(path, buffer.getvalue())


def read_state(path: Path, device: torch.device | str = "cpu") -> Any:
    """What `write_state` wrote, or torch.save of such values, with the tensors on a device. Nothing in it runs.

    Raises:
        PickleError: the file is damaged, or holds something else.
        GanwalkError: it is no regular file.
        OSError: it cannot be read.
    """
    value = read_inert(path, Budget(_UNITS))
    try:
        return _Loader(torch.device(device), 2 * path.stat().st_size + _SLACK).plain(value)
    except RecursionError as error:
        raise PickleError("its values lie deeper than any checkpoint's") from error


def _apart(value: Any) -> Any:
    """The same values, each tensor in a storage of its own, and one text object for equal texts."""
    if isinstance(value, str):
        return sys.intern(value)
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, Mapping):
        return {_apart(key): _apart(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_apart, value))
    return value


@dataclass
class _Loader:
    """Makes tensors of inert values, each once, and plain values of the rest.

    Attributes:
        device: of the tensors.
        left: bytes that tensors may still take.
        made: what was made of an inert value, by its identity; `_PENDING` while it is being made.
    """

    device: torch.device
    left: int
    made: dict[int, Any] = field(default_factory=dict)

    def plain(self, value: Any) -> Any:
        if value is None or isinstance(value, str | bool | int | float):
            return value
        if self.made.get(id(value)) is _PENDING:
            raise PickleError("it holds something that lies in itself")
        if id(value) not in self.made:
            self.made[id(value)] = _PENDING
            self.made[id(value)] = self._made(value)
        return self.made[id(value)]

    def _made(self, value: Any) -> Any:
        if isinstance(value, StoredTensor):
            self.left -= value.size
            if self.left < 0:
                raise PickleError("its tensors are many times larger than what is stored")
            return value.load_strided().to(self.device)
        if isinstance(value, dict):
            return {key: self.plain(entry) for key, entry in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(map(self.plain, value))
        raise PickleError("it holds something that no checkpoint of a run does")
