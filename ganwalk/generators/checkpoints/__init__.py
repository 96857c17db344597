"""Checkpoint files: one reader per format, told apart by content, all yielding a `Checkpoint`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import hash_file, is_web_page, open_regular
from ganwalk.generators.architectures import architecture_of
from ganwalk.generators.checkpoints.biggan_pytorch import is_biggan_pytorch, read_biggan_pytorch
from ganwalk.generators.checkpoints.dcgan import is_dcgan, read_dcgan
from ganwalk.generators.checkpoints.gan_zoo import is_gan_zoo, read_gan_zoo
from ganwalk.generators.checkpoints.genforce import is_genforce, read_genforce
from ganwalk.generators.checkpoints.huggingface_biggan import is_huggingface_biggan, read_huggingface_biggan
from ganwalk.generators.checkpoints.lightweight_gan import is_lightweight_gan, read_lightweight_gan
from ganwalk.generators.checkpoints.lucidrains import is_lucidrains, read_lucidrains
from ganwalk.generators.checkpoints.native import is_native, read_native, source_of
from ganwalk.generators.checkpoints.nvidia_tensorflow import is_tensorflow_snapshot, read_tensorflow
from ganwalk.generators.checkpoints.nvidia_torch import is_nvidia_snapshot, read_snapshot
from ganwalk.generators.checkpoints.openmmlab import is_openmmlab, read_openmmlab
from ganwalk.generators.checkpoints.projected_gan import is_projected_gan, read_projected_gan
from ganwalk.generators.checkpoints.r3gan import is_r3gan, read_r3gan
from ganwalk.generators.checkpoints.rosinality import is_rosinality, read_rosinality
from ganwalk.generators.checkpoints.strangers import ONNX, describe_stranger, is_onnx
from ganwalk.inert import torch_reader
from ganwalk.inert.archives import archive_entries
from ganwalk.inert.pickle_reader import PickleError
from ganwalk.inert.reading import PICKLE_STARTS, ZIP_START, read_inert

KNOWN = (
    "NVIDIA's networks (PyTorch and TensorFlow), StyleGAN-XL's .pkl, rosinality's (also in files of encoders) and "
    "lucidrains' .pt (StyleGAN2, lightweight-gan), "
    "genforce's, pytorch_GAN_zoo's and OpenMMLab's .pth, BigGANs (Hugging Face's, BigGAN-PyTorch's), R3GAN's and "
    "Projected GAN's .pkl, DCGANs of PyTorch's tutorial, and ganwalk's .safetensors"
)

_BRING = "if it holds directions, bring them with ganwalk import and its --generator"

# What arithmetic on values of unforeseen kinds and tensors of unforeseen shapes may raise: readers name the cases that
# occur, a hostile file finds others.
_MISFITS = (ArithmeticError, AttributeError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError)

# Name of each format, whether an inert object is of it, and its configuration and tensors.
_Format = tuple[str, Callable[[Any], bool], Callable[..., tuple[Any, dict[str, Tensor]]]]
_FORMATS: tuple[_Format, ...] = (
    ("nvidia-pytorch", is_nvidia_snapshot, read_snapshot),
    ("nvidia-tensorflow", is_tensorflow_snapshot, read_tensorflow),
    ("lucidrains", is_lucidrains, read_lucidrains),
    ("rosinality", is_rosinality, read_rosinality),
    ("gan-zoo", is_gan_zoo, read_gan_zoo),
    ("genforce", is_genforce, read_genforce),
    ("openmmlab", is_openmmlab, read_openmmlab),
    ("dcgan", is_dcgan, read_dcgan),
    ("r3gan", is_r3gan, read_r3gan),
    ("projected-gan", is_projected_gan, read_projected_gan),
    ("lightweight-gan", is_lightweight_gan, read_lightweight_gan),
    ("biggan-pytorch", is_biggan_pytorch, read_biggan_pytorch),
    ("huggingface-biggan", is_huggingface_biggan, read_huggingface_biggan),
)
# Those whose readers are told the file's path, since a description lies beside it.
_DESCRIBED = ("huggingface-biggan",)


@dataclass(frozen=True)
class Checkpoint:
    """A generator as it lies in a file.

    Attributes:
        format: "nvidia-pytorch", "nvidia-tensorflow", "rosinality", "lucidrains", "genforce", "gan-zoo", "openmmlab",
            "dcgan", "r3gan", "projected-gan", "lightweight-gan", "biggan-pytorch", "huggingface-biggan" or "ganwalk".
        config: the configuration of its architecture.
        tensors: float32 tensors by the names of our modules, not yet checked against the configuration.
        sha256: hash of the whole file.
        source_sha256: hash of the file that this one was converted from; empty for all that no conversion made.
    """

    path: Path
    format: str
    config: Any
    tensors: dict[str, Tensor]
    sha256: str
    source_sha256: str = ""

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
    source_sha256 = ""
    try:
        head = file_head(path)
        if _is_safetensors(head):
            kind = "ganwalk"
            config, tensors = read_native(path)
            source_sha256 = source_of(path)
        elif head.startswith((*PICKLE_STARTS, ZIP_START)):
            if torch_reader.is_torchscript(path):
                raise GanwalkError(
                    "is a TorchScript program, which runs only on your word: add --trust (convert cannot take it)"
                )
            kind, config, tensors = _read_pickled(path)
        else:
            raise GanwalkError(_unknown(head))
        # Last, since a large file that is none takes long to be hashed.
        sha256 = hash_file(path)
    except GanwalkError as error:
        raise GanwalkError(f"{path} {one_line(str(error))}") from error
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    return Checkpoint(path, kind, config, tensors, sha256, source_sha256)


def file_head(path: Path) -> bytes:
    """The first bytes of a regular, non-empty file."""
    try:
        with open_regular(path) as file:
            head = file.read(64)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise GanwalkError("does not exist: check the path") from None
    except IsADirectoryError:
        raise GanwalkError("is a folder: give the checkpoint file in it") from None
    # What the system makes up while it is read, as in /proc, has no size.
    if not head or not size:
        raise GanwalkError("is empty: download it again")
    return head


def checkpoint_format(path: Path) -> str | None:
    """Name of a checkpoint's format ("torchscript" included), without reading its tensors; None for other files."""
    try:
        with open_regular(path) as file:
            head = file.read(64)
        if _is_safetensors(head):
            return "ganwalk" if is_native(path) else None
        if not head.startswith((*PICKLE_STARTS, ZIP_START)):
            return None
        return "torchscript" if torch_reader.is_torchscript(path) else format_of(read_inert(path))
    except (OSError, PickleError, GanwalkError):
        return None


def format_of(value: Any) -> str | None:
    """Name of the format of checkpoints that an inert object is of; None for other objects."""
    return next((name for name, is_format, _ in _FORMATS if is_format(value)), None)


def _is_safetensors(head: bytes) -> bool:
    # The length before the header can begin with any byte, a pickle's first opcode included: this is asked first.
    return head[8:9] == b"{" and head[9:10] in b'"} '


def _read_pickled(path: Path) -> tuple[str, Any, dict[str, Tensor]]:
    """Format, configuration and tensors of a file that Python or torch pickled."""
    try:
        value = read_inert(path)
        for name, is_format, read in _FORMATS:
            if is_format(value):
                return name, *_checked(partial(read, path=path) if name in _DESCRIBED else read, value)
    except PickleError as error:
        if _is_numpy_archive(path):
            raise GanwalkError(f"is a numpy archive: {_BRING}") from error
        raise GanwalkError(f"is not a checkpoint that can be read: {error}; known are {KNOWN}") from error
    raise GanwalkError(f"{describe_stranger(value)}; known are {KNOWN}")


def _checked(read: Callable[[Any], tuple[Any, dict[str, Tensor]]], value: Any) -> tuple[Any, dict[str, Tensor]]:
    try:
        return read(value)
    except (GanwalkError, PickleError):
        raise
    except _MISFITS as error:
        raise GanwalkError(f"is damaged: what it holds does not fit together ({error})") from error


def _is_numpy_archive(path: Path) -> bool:
    try:
        return any(name.endswith(".npy") for name in archive_entries(path))
    except PickleError:
        return False


def _unknown(head: bytes) -> str:
    if is_web_page(head):
        return "is a web page, not a checkpoint: the download went wrong, get the file itself"
    if head.startswith(b"version https://git-lfs"):
        return "is a pointer of Git LFS, not the checkpoint: run git lfs pull"
    if head.startswith(b"\x93NUMPY"):
        return f"is a numpy array: {_BRING}"
    if is_onnx(head):
        return ONNX
    return f"is not a checkpoint that can be read; known are {KNOWN}"
