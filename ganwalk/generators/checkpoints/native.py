"""Our own format: safetensors, with the architecture and its configuration as JSON in the metadata."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.files import DIRECTIONS_KEY, write_bytes
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.generators.architectures import architecture_named, architecture_of
from ganwalk.generators.checkpoints.stored import MAX_TENSORS, MAX_WIDENED
from ganwalk.generators.configs import from_json

# The one key of the metadata. safetensors writes several in random order, and equal results should be equal files.
KEY = "ganwalk-generator-1"
_SHA256 = re.compile("[0-9a-f]{64}")


def write_native(config: Any, tensors: dict[str, Tensor], path: Path, **origin: str) -> None:
    """Writes a generator atomically; `origin` (such as source="ffhq.pkl") goes into the metadata."""
    from safetensors import torch as safetensors_torch

    metadata = {KEY: json.dumps({"architecture": architecture_of(config).name, "config": asdict(config), **origin})}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_bytes(path, safetensors_torch.save(contiguous, metadata))


def read_native(path: Path) -> tuple[Any, dict[str, Tensor]]:
    """Configuration and tensors of a file in our format.

    Raises:
        GanwalkError: the file is damaged, or safetensors of something else.
    """
    try:
        with open_tensors(path) as file:
            metadata = file.metadata
            if DIRECTIONS_KEY in metadata:
                raise GanwalkError("holds directions, no generator: give it as --directions")
            if KEY not in metadata:
                raise GanwalkError("is safetensors, but not of a ganwalk generator: make one with ganwalk convert")
            config = _config(metadata[KEY])
            if len(file.entries) > MAX_TENSORS:
                raise GanwalkError(f"is damaged: it holds more than {MAX_TENSORS} tensors")
            if 4 * sum(math.prod(entry.shape) for entry in file.entries.values()) > 2 * file.size + MAX_WIDENED:
                raise GanwalkError("is damaged: its tensors are many times larger in memory than in the file")
            tensors = {name: _laid_out(file.read(name)) for name in file.entries}
    except GanwalkError:
        raise
    except (TensorFileError, RuntimeError, TypeError, ValueError) as error:
        raise GanwalkError("is damaged or truncated safetensors: get it again") from error
    return config, tensors


def source_of(path: Path) -> str:
    """The SHA-256 of the file that one in our format was converted from; empty where it says none."""
    with open_tensors(path) as file:
        source = json.loads(file.metadata[KEY]).get("source_sha256", "")
    return source if isinstance(source, str) and _SHA256.fullmatch(source) else ""


def is_native(path: Path) -> bool:
    """Whether a file is safetensors of a generator, by its metadata alone."""
    try:
        with open_tensors(path) as file:
            return KEY in file.metadata
    except TensorFileError:
        return False


def _laid_out(tensor: Tensor) -> Tensor:
    """A tensor as float32 in the memory order that generators compute in."""
    order = torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    return tensor.to(torch.float32, memory_format=order)


def _config(text: str) -> Any:
    try:
        facts = json.loads(text)
        architecture = architecture_named(facts["architecture"])
        return from_json(architecture.config, facts["config"])
    except GanwalkError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise GanwalkError("is damaged: its configuration cannot be read") from error
