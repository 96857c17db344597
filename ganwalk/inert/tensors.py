"""Tensors that still lie in their file: sizes are checked at once, values are read when they are wanted."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.inert.pickle_reader import PickleError

# Values that a tensor may have beyond those stored: one row repeated for every layer, not a file that unfolds.
MAX_REPEATED = 2**20
_MAX_DIMENSIONS = 8
# What torch counts no longer.
_BEYOND = 2**62


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
    fits = len(size) == len(stride) <= _MAX_DIMENSIONS and all(type(n) is int and 0 <= n < _BEYOND for n in numbers)
    # torch counts the strides of empty tensors, too.
    if not fits or math.prod(max(n, 1) for n in size) >= _BEYOND:
        raise PickleError(f"a tensor has impossible sizes {reprlib.repr(size)}")
    count = 1
    for n in size:
        count *= n
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    if count and last >= storage.count:
        raise PickleError(f"a tensor of shape {reprlib.repr(size)} reaches beyond its {storage.count} stored values")
    # A stride of zero repeats values without storing them.
    if count > max(storage.count, MAX_REPEATED):
        raise PickleError(f"a tensor of shape {reprlib.repr(size)} has more values than the {storage.count} stored")
    return StoredTensor(storage, offset, size, stride)
