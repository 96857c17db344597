"""Data parallelism over processes started with torchrun; without it every function here does nothing.

Gradients are averaged by hand and not by DistributedDataParallel: a step takes the gradients of the reconstruction, of
topology and of the rest apart, before any of them is stored, and its hooks see stored gradients only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor


def own_device(device: str) -> str:
    """The device of this process: of `cuda` without a number, the one that torchrun's local rank chooses."""
    local = os.environ.get("LOCAL_RANK")
    return f"cuda:{local}" if device == "cuda" and local is not None else device


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Joins the processes of torchrun, gloo for a CPU and NCCL for CUDA, and leaves them at the end."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_available():
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


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


def _active() -> bool:
    return dist.is_available() and dist.is_initialized()
