"""Checkpoint files: one reader per format, told apart by content, all yielding a `Checkpoint`."""

from __future__ import annotations

import hashlib
import mmap
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import is_web_page
from ganwalk.generators.architectures import architecture_of
from ganwalk.generators.checkpoints import torch_reader
from ganwalk.generators.checkpoints.gan_zoo import is_gan_zoo, read_gan_zoo
from ganwalk.generators.checkpoints.genforce import is_genforce, read_genforce
from ganwalk.generators.checkpoints.lucidrains import is_lucidrains, read_lucidrains
from ganwalk.generators.checkpoints.native import read_native
from ganwalk.generators.checkpoints.nvidia_tensorflow import is_tensorflow_snapshot, read_tensorflow
from ganwalk.generators.checkpoints.nvidia_torch import is_nvidia_snapshot, read_snapshot
from ganwalk.generators.checkpoints.pickle_reader import PickleError, Record, read_pickle
from ganwalk.generators.checkpoints.rosinality import is_rosinality, read_rosinality

KNOWN = (
    "NVIDIA's .pkl (PyTorch and TensorFlow), rosinality's and lucidrains' .pt, genforce's and pytorch_GAN_zoo's .pth, "
    "and ganwalk's .safetensors"
)

# What arithmetic on values of unforeseen kinds and tensors of unforeseen shapes may raise: readers name the cases that
# occur, a hostile file finds others.
_MISFITS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)

# Name of each format, whether an inert object is of it, and its configuration and tensors.
_Format = tuple[str, Callable[[Any], bool], Callable[[Any], tuple[Any, dict[str, Tensor]]]]
_PICKLED: tuple[_Format, ...] = (
    ("nvidia-pytorch", is_nvidia_snapshot, read_snapshot),
    ("nvidia-tensorflow", is_tensorflow_snapshot, read_tensorflow),
)
_SAVED_BY_TORCH: tuple[_Format, ...] = (
    ("lucidrains", is_lucidrains, read_lucidrains),
    ("rosinality", is_rosinality, read_rosinality),
    ("gan-zoo", is_gan_zoo, read_gan_zoo),
    ("genforce", is_genforce, read_genforce),
)


@dataclass(frozen=True)
class Checkpoint:
    """A generator as it lies in a file.

    Attributes:
        format: "nvidia-pytorch", "nvidia-tensorflow", "rosinality", "lucidrains", "genforce", "gan-zoo" or "ganwalk".
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
        sha256, head = hash_file(path)
        # The length that opens safetensors can begin with any byte, a pickle's first opcode included: look there first.
        if head[8:9] == b"{" and head[9:10] in b'"} ':
            kind = "ganwalk"
            config, tensors = read_native(path)
        elif head[:1] in (b"\x80", b"("):
            kind, config, tensors = _read_pickle_file(path)
        elif head.startswith(b"PK\x03\x04"):
            if torch_reader.is_torchscript(path):
                raise GanwalkError(
                    "is a TorchScript program, which runs only on your word: add --trust (convert cannot take it)"
                )
            kind, config, tensors = _read_zip_file(path)
        else:
            raise GanwalkError(_unknown(head))
    except GanwalkError as error:
        raise GanwalkError(f"{path} {one_line(str(error))}") from error
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    return Checkpoint(path, kind, config, tensors, sha256)


def hash_file(path: Path) -> tuple[str, bytes]:
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


def _read_pickle_file(path: Path) -> tuple[str, Any, dict[str, Tensor]]:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            value = read_pickle(data, torch_reader.CALLS)
        if type(value) is int and value == torch_reader.LEGACY_MAGIC:
            return _recognised(torch_reader.read_legacy_file(path), _SAVED_BY_TORCH)
        return _recognised(value, _PICKLED)
    except PickleError as error:
        raise GanwalkError(f"is not a checkpoint that can be read: {error}; known are {KNOWN}") from error


def _read_zip_file(path: Path) -> tuple[str, Any, dict[str, Tensor]]:
    try:
        return _recognised(torch_reader.read_zip(path), _SAVED_BY_TORCH)
    except PickleError as error:
        raise GanwalkError(f"is not a checkpoint that can be read: {error}; known are {KNOWN}") from error


def _recognised(value: Any, formats: tuple[_Format, ...]) -> tuple[str, Any, dict[str, Tensor]]:
    """Format, configuration and tensors of the inert object in a file."""
    for name, is_format, read in formats:
        if is_format(value):
            try:
                return name, *read(value)
            except (GanwalkError, PickleError):
                raise
            except _MISFITS as error:
                raise GanwalkError(f"is damaged: what it holds does not fit together ({error})") from error
    if isinstance(value, Record):
        raise GanwalkError(torch_reader.WHOLE_MODULE)
    raise GanwalkError(f"holds no generator that is known; known are {KNOWN}")


def _unknown(head: bytes) -> str:
    if is_web_page(head):
        return "is a web page, not a checkpoint: the download went wrong, get the file itself"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the checkpoint: run git lfs pull"
    return f"is not a checkpoint that can be read; known are {KNOWN}"
