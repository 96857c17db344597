"""From a name or a path to a generator that is ready to use."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.blobs import Blobs
from ganwalk.generators.checkpoints import Checkpoint, read_checkpoint

if TYPE_CHECKING:
    from ganwalk.directions import Directions

NAMES = ("scenes", "blobs")


@dataclass(frozen=True)
class GeneratorIdentity:
    """What a directions file remembers of its generator.

    Attributes:
        reference: name, or absolute path of the checkpoint.
        sha256: hash of the file (of the configuration, for generators without weights).
        architecture: such as "stylegan2" or "blobs".
        resolution: of its images, in pixels.
    """

    reference: str
    sha256: str
    architecture: str
    resolution: int


def load_generator(name_or_path: str | Path, device: torch.device | str = "cpu") -> Any:
    """A generator in evaluation mode, without gradients to its weights; its `identity` says where it is from.

    Args:
        name_or_path: "scenes" (shipped), "blobs" (analytic), or the path of a checkpoint.
    Raises:
        GanwalkError: the name is unknown, or the file cannot be read or does not fit its own description.
    """
    if str(name_or_path) == "blobs":
        blobs = Blobs()
        text = json.dumps(asdict(blobs.config), sort_keys=True)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return _ready(blobs, GeneratorIdentity("blobs", sha256, "blobs", blobs.resolution), device)
    path = _path_of(name_or_path)
    checkpoint = read_checkpoint(path)
    generator = build_generator(checkpoint.config, checkpoint.tensors, checkpoint.path)
    reference = "scenes" if str(name_or_path) == "scenes" else str(path.resolve())
    identity = GeneratorIdentity(reference, checkpoint.sha256, checkpoint.architecture, generator.resolution)
    return _ready(generator, identity, device)


def load_directions_generator(
    directions: Directions, name_or_path: str | Path | None, device: torch.device | str = "cpu"
) -> Any:
    """The generator that directions belong to: from their metadata, or as given; its hash must agree.

    Raises:
        GanwalkError: the generator has moved or changed.
    """
    identity = directions.generator
    if name_or_path is None:
        if identity.reference not in NAMES and not Path(identity.reference).exists():
            raise GanwalkError(
                f"the generator {identity.reference} of these directions is gone: give it with --generator FILE"
            )
        name_or_path = identity.reference
    generator = load_generator(name_or_path, device)
    if generator.identity.sha256 != identity.sha256:
        raise GanwalkError(
            f"{name_or_path} is not the generator of these directions (its SHA-256 begins with "
            f"{generator.identity.sha256[:8]}, theirs with {identity.sha256[:8]}): give the right one with "
            "--generator, or discover again"
        )
    return generator


def describe(name_or_path: str | Path) -> dict[str, Any]:
    """What a checkpoint is, for people: format, sizes, hash, and every tensor's shape."""
    if str(name_or_path) == "blobs":
        return {"format": "built in", "architecture": "blobs", "resolution": Blobs().resolution, "z_dim": 6}
    checkpoint: Checkpoint = read_checkpoint(_path_of(name_or_path))
    generator = build_generator(checkpoint.config, checkpoint.tensors, checkpoint.path)
    return {
        "file": str(checkpoint.path),
        "format": checkpoint.format,
        "architecture": generator.summary,
        "resolution": generator.resolution,
        "img_channels": generator.img_channels,
        "z_dim": generator.z_dim,
        "w_dim": generator.w_dim,
        "classes": generator.c_dim,
        "layers": generator.num_layers,
        "parameters": sum(tensor.numel() for tensor in checkpoint.tensors.values()),
        "sha256": checkpoint.sha256,
        "config": asdict(checkpoint.config),
        "tensors": {name: list(tensor.shape) for name, tensor in checkpoint.tensors.items()},
    }


def shipped_file(name: str) -> Path:
    """Where a shipped weights file lies: in the installed package, or in the checkout's pretrained/."""
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "pretrained" / name, package.parent / "pretrained" / name)
    for path in candidates:
        if path.exists():
            return path
    raise GanwalkError(f"the shipped file {name} is missing: install ganwalk again")


def _path_of(name_or_path: str | Path) -> Path:
    if str(name_or_path) == "scenes":
        return shipped_file("scenes.safetensors")
    path = Path(name_or_path).expanduser()
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        raise GanwalkError(f"unknown generator {str(name_or_path)!r}: use {' or '.join(NAMES)}, or a checkpoint's path")
    return path


def _ready(generator: nn.Module, identity: GeneratorIdentity, device: torch.device | str) -> nn.Module:
    generator.identity = identity  # type: ignore[assignment]
    return generator.eval().requires_grad_(False).to(device)
