"""Tensors that still lie in their file: sizes are checked at once, values are read when they are wanted."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.pickle_reader import PickleError

# Where checkpoints keep their generator, the averaged one first.
GENERATORS = ("G_ema", "g_ema", "generator_ema", "generator_smooth", "netG_ema", "G", "g", "generator", "netG", "model")
_MAX_DIMENSIONS = 8
# Values that a tensor may have beyond those stored: one row repeated for every layer, not a file that unfolds.
_MAX_REPEATED = 2**20
# No network has more tensors, and none so large a one: each is in memory twice while it is read.
MAX_TENSORS = 20_000
_MAX_VALUES = 2**26
# Bytes that float32 tensors may take beyond twice those stored.
MAX_WIDENED = 2**28


@dataclass(frozen=True, eq=False)
class Storage:
    """A flat run of values in a file.

    Attributes:
        dtype: of the values.
        count: number of values.
        read: the bytes of the values from a first to a last one (exclusive), in this machine's byte order.
        origin: the object in memory that several storages may share; None where each has bytes of its own in the file.
    """

    dtype: torch.dtype
    count: int
    read: Callable[[int, int], bytes]
    origin: object = None


@dataclass(frozen=True, eq=False)
class StoredTensor:
    """A view of a storage that lies within it; made by `stored_tensor`."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def numel(self) -> int:
        return torch.Size(self.shape).numel()

    @property
    def span(self) -> int:
        """How many values lie from the first to the last one."""
        if self.numel() == 0:
            return 0
        return 1 + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))

    @property
    def size(self) -> int:
        """Bytes that it takes in memory, contiguous or not."""
        return max(self.numel(), self.span) * self.storage.dtype.itemsize

    def load(self) -> Tensor:
        """A contiguous copy in memory."""
        return self.load_strided().contiguous()

    def load_strided(self) -> Tensor:
        """A copy in memory with the strides that it has in the file."""
        dtype = self.storage.dtype
        if self.numel() == 0:
            return torch.empty(self.shape, dtype=dtype)
        # A bytearray, since torch warns about memory that must not be written to.
        values = torch.frombuffer(bytearray(self.storage.read(self.offset, self.offset + self.span)), dtype=dtype)
        return values.as_strided(self.shape, self.stride)


def stored_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> StoredTensor:
    """A view of a storage, if it lies within it: what torch's `_rebuild_tensor_v2` makes.

    Raises:
        PickleError: the sizes are no sizes, or reach beyond the storage.
    """
    if not isinstance(storage, Storage):
        raise PickleError("a tensor has no storage")
    size, stride = tuple(size), tuple(stride)
    numbers = (offset, *size, *stride)
    fits = len(size) == len(stride) <= _MAX_DIMENSIONS and all(type(n) is int and n >= 0 for n in numbers)
    # torch counts the strides of empty tensors, too.
    if not fits or math.prod(max(n, 1) for n in size) >= 2**62:
        raise PickleError(f"a tensor has impossible sizes {reprlib.repr(size)}")
    count = 1
    for n in size:
        count *= n
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= storage.count:
        raise PickleError(f"a tensor of shape {reprlib.repr(size)} reaches beyond its {storage.count} stored values")
    # A stride of zero repeats values without storing them.
    if count > max(storage.count, _MAX_REPEATED):
        raise PickleError(f"a tensor of shape {reprlib.repr(size)} has more values than the {storage.count} stored")
    return StoredTensor(storage, offset, size, stride)


def state_dict(*candidates: Any) -> dict[str, Any] | None:
    """The first dict with text keys, without the "module." that torch's data parallelism puts before; or None."""
    for state in candidates:
        if isinstance(state, dict) and state and all(isinstance(name, str) for name in state):
            wrapped = all(name.startswith("module.") for name in state)
            return {name.removeprefix("module."): entry for name, entry in state.items()} if wrapped else state
    return None


def state_with(marks: Sequence[str], *candidates: Any) -> dict[str, Any] | None:
    """The first dict that holds all these names, perhaps behind a prefix (such as "module.decoder."), which goes.

    Where a dict holds them behind several prefixes, that of an average ("ema") comes first.
    """
    for state in candidates:
        if not isinstance(state, dict):
            continue
        names = [name for name in state if isinstance(name, str) and f".{name}".endswith(f".{marks[0]}")]
        prefixes = [name.removesuffix(marks[0]) for name in names]
        fitting = [prefix for prefix in prefixes if all(prefix + mark in state for mark in marks)]
        if fitting:
            prefix = min(fitting, key=lambda prefix: "ema" not in prefix)
            below = [name for name in state if isinstance(name, str) and name.startswith(prefix)]
            return {name.removeprefix(prefix): state[name] for name in below}
    return None


def generator_state(marks: Sequence[str], value: Any) -> dict[str, Any] | None:
    """`state_with` of a checkpoint: the state of a generator in a dict of networks, an average first, or alone."""
    if not isinstance(value, dict):
        return None
    return state_with(marks, *(value.get(name) for name in GENERATORS), value)


def nested_dicts(value: dict[str, Any]) -> list[dict[str, Any]]:
    """The dicts in a dict, those of an average first, each once: a file can hold one dict under very many names."""
    nested = {name: entry for name, entry in value.items() if isinstance(name, str) and isinstance(entry, dict)}
    ordered = sorted(nested, key=lambda name: "ema" not in name.lower())
    return list({id(nested[name]): nested[name] for name in ordered}.values())


def named_tensors(state: Any) -> dict[str, StoredTensor]:
    """A state dict of tensors only; GanwalkError if there is something else in it."""
    if not isinstance(state, dict) or not all(isinstance(entry, StoredTensor) for entry in state.values()):
        raise GanwalkError("is damaged: its generator holds something that is no tensor")
    return state


def shape_of(stored: Mapping[str, StoredTensor], name: str, dimensions: int) -> tuple[int, ...]:
    """Shape of a tensor by name; GanwalkError unless it is there and has that many dimensions."""
    tensor = stored.get(name)
    if tensor is None or tensor.ndim != dimensions:
        raise GanwalkError(f"is damaged: {name} is missing or has not {dimensions} dimensions")
    return tensor.shape


def load_tensors(stored: Mapping[str, StoredTensor]) -> dict[str, Tensor]:
    """All of them in memory as float32, under the same names.

    Raises:
        GanwalkError: they are more or larger than any generator's, or share their values so often that they would take
            far more memory than the file does.
    """
    if len(stored) > MAX_TENSORS:
        raise GanwalkError(f"is damaged: it holds more than {MAX_TENSORS} tensors")
    sizes = {
        id(storage.origin or storage): storage.count * storage.dtype.itemsize
        for storage in (tensor.storage for tensor in stored.values())
    }
    values = [max(tensor.numel(), tensor.span) for tensor in stored.values()]
    if max(values, default=0) > _MAX_VALUES:
        raise GanwalkError(f"is damaged: one of its tensors has more than {_MAX_VALUES} values")
    kinds = [tensor.storage.dtype.itemsize for tensor in stored.values()]
    wanted = sum(count * size for count, size in zip(values, kinds, strict=True))
    there = 2 * sum(sizes.values())
    # Bytes become float32, too.
    if wanted > max(there, 4 * _MAX_REPEATED) or 4 * sum(values) > there + MAX_WIDENED:
        raise GanwalkError("is damaged: its tensors are many times larger than what is stored")
    return {name: tensor.load().float() for name, tensor in stored.items()}
