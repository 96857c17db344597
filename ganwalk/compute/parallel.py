"""Data parallelism over processes started with torchrun; without it every function here does nothing.

Gradients are averaged by hand and not by DistributedDataParallel: a step takes the gradients of the reconstruction, of
topology and of the rest apart, before any of them is stored, and its hooks see stored gradients only.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from ganwalk.errors import GanwalkError

_T = TypeVar("_T")
_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


def own_device(device: str) -> str:
    """The device of this process: of `cuda` without a number, the one that torchrun's local rank chooses."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if device == "cuda" and local is not None else device


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes of torchrun, gloo for tensors on the CPU, NCCL for CUDA, and leaves them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_available():
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def ended_with_others(message: str) -> Iterator[None]:
    """The end of another process, which torch tells in many lines, is a GanwalkError with this message."""
    together = processes() > 1

    def on_terminated(number: int, frame: Any) -> None:
        # torchrun ends the other processes when one is gone; as an error, it lets checkpoints be written.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise GanwalkError(message)

    before = signal.signal(signal.SIGTERM, on_terminated) if together else None
    try:
        yield
    except RuntimeError as error:
        # gloo has no error of its own for a process that is gone.
        if not together or not any(name in str(error).lower() for name in ("gloo", "nccl", "connection")):
            raise
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise GanwalkError(message) from error
    finally:
        if together and signal.getsignal(signal.SIGTERM) is on_terminated:
            signal.signal(signal.SIGTERM, before)


def rank() -> int:
    """Number of this process, from 0."""
    return dist.get_rank() if _active() else 0


def processes() -> int:
    """Number of processes."""
    return dist.get_world_size() if _active() else 1


def average(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Mean of each tensor over the processes, in one exchange."""
    if not _active() or not tensors:
        return list(tensors)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    dist.all_reduce(flat)
    flat /= processes()
    sizes = [tensor.numel() for tensor in tensors]
    return [part.view_as(tensor) for part, tensor in zip(flat.split(sizes), tensors, strict=True)]


def total(tensor: Tensor) -> Tensor:
    """Sum of a tensor over the processes."""
    if _active():
        tensor = tensor.clone()
        dist.all_reduce(tensor)
    return tensor


def gather(tensor: Tensor) -> list[Tensor]:
    """The tensors of all processes, which have one shape, in their order."""
    if not _active():
        return [tensor]
    parts = [torch.empty_like(tensor) for _ in range(processes())]
    dist.all_gather(parts, tensor.contiguous())
    return parts


def gather_objects(value: _T) -> list[_T]:
    """The values of all processes, of any kind, in their order."""
    if not _active():
        return [value]
    parts: list[_T] = [value] * processes()
    dist.all_gather_object(parts, value)
    return parts


def shared(value: _T) -> _T:
    """The first process's value on all of them."""
    if not _active():
        return value
    holder = [value]
    dist.broadcast_object_list(holder, src=0)
    return holder[0]


@contextmanager
def alone() -> Iterator[None]:
    """Within it this process is the only one: what it does, the others do not."""
    token = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(token)


def _active() -> bool:
    return dist.is_available() and dist.is_initialized() and not _ALONE.get()
