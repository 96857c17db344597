"""Checkpoint files: one reader per format, told apart by content, all yielding a `Checkpoint`."""

from __future__ import annotations

import hashlib
import mmap
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import architecture_of
from ganwalk.generators.checkpoints import torch_reader
from ganwalk.generators.checkpoints.native import read_native
from ganwalk.generators.checkpoints.nvidia_torch import is_nvidia_snapshot, read_snapshot
from ganwalk.generators.checkpoints.pickle_reader import PickleError, read_pickle

KNOWN = "NVIDIA's StyleGAN2 and StyleGAN3 .pkl (PyTorch) and ganwalk's .safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A generator as it lies in a file.

    Attributes:
        format: "nvidia-pytorch" or "ganwalk".
        config: the configuration of its architecture.
        tensors: float32 tensors by the names of our modules, not yet checked against the configuration.
        sha256: hash of the whole file.
    """

    path: Path
    format: str
    config: Any
    tensors: dict[str, Tensor]
    sha256: str

    @property
    def architecture(self) -> str:
        """Name of the architecture, such as "stylegan2"."""
        return architecture_of(self.config).name


def read_checkpoint(path: Path | str) -> Checkpoint:
    """Reads a checkpoint; nothing in it is executed.

    Raises:
        GanwalkError: one line that names the file, what is wrong with it and what to do.
    """
    path = Path(path)
    try:
        sha256, head = _hash_file(path)
        # The length that opens safetensors can begin with any byte, a pickle's first opcode included: look there first.
        if head[8:9] == b"{" and head[9:10] in b'"} ':
            kind = "ganwalk"
            config, tensors = read_native(path)
        elif head[:1] in (b"\x80", b"("):
            kind = "nvidia-pytorch"
            config, tensors = _read_pickle_file(path)
        else:
            raise GanwalkError(_unknown(head))
    except GanwalkError as error:
        raise GanwalkError(f"{path} {error}") from error
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    return Checkpoint(path, kind, config, tensors, sha256)


def _hash_file(path: Path) -> tuple[str, bytes]:
    """SHA-256 and first bytes of a regular, non-empty file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise GanwalkError("does not exist: check the path") from None
    if stat.S_ISDIR(mode):
        raise GanwalkError("is a folder: give the checkpoint file in it")
    if not stat.S_ISREG(mode):
        raise GanwalkError("is not a regular file")
    with path.open("rb") as file:
        head = file.read(64)
        if not head:
            raise GanwalkError("is empty: download it again")
        file.seek(0)
        # hashlib.file_digest would do, but Python 3.10 does not have it.
        digest = hashlib.sha256()
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest(), head


def _read_pickle_file(path: Path) -> tuple[Any, dict[str, Tensor]]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            value = read_pickle(data, torch_reader.CALLS)
    except PickleError as error:
        raise GanwalkError(f"is not a checkpoint that can be read: {error}; known are {KNOWN}") from error
    if is_nvidia_snapshot(value):
        return read_snapshot(value)
    if isinstance(value, tuple) and len(value) == 3:
        raise GanwalkError("looks like a TensorFlow snapshot of NVIDIA's, which is not supported yet")
    if type(value) is int and value == torch_reader.LEGACY_MAGIC:
        raise GanwalkError(f"is a PyTorch file in the legacy format, which is not supported yet; known are {KNOWN}")
    raise GanwalkError(f"is a pickle, but not of a known generator; known are {KNOWN}")


def _unknown(head: bytes) -> str:
    text = head.lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "is a web page, not a checkpoint: the download went wrong, get the file itself"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the checkpoint: run git lfs pull"
    if head.startswith(b"PK\x03\x04"):
        return f"is a PyTorch file in the zip format, which is not supported yet; known are {KNOWN}"
    return f"is not a checkpoint that can be read; known are {KNOWN}"
