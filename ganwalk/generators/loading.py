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
from ganwalk.generators import catalog
from ganwalk.generators.architectures import build_generator
from ganwalk.generators.blobs import Blobs
from ganwalk.generators.checkpoints import Checkpoint, read_checkpoint
from ganwalk.generators.download import Progress
from ganwalk.shipped import shipped_file

if TYPE_CHECKING:
    from ganwalk.directions import Directions

NAMES = ("scenes", "blobs")


@dataclass(frozen=True)
class GeneratorIdentity:
    """What a directions file remembers of its generator.

    Attributes:
        reference: name (also of the catalog), or absolute path of the checkpoint.
        sha256: hash of the file (of the configuration, for generators without weights).
        architecture: such as "stylegan2" or "blobs".
        resolution: of its images, in pixels.
    """

    reference: str
    sha256: str
    architecture: str
    resolution: int


def load_generator(
    name_or_path: str | Path, device: torch.device | str = "cpu", progress: Progress | None = None
) -> Any:
    """A generator in evaluation mode, without gradients to its weights; its `identity` says where it is from.

    Args:
        name_or_path: "scenes" (shipped), "blobs" (analytic), a name of the catalog, or the path of a checkpoint.
        progress: called with the bytes done and in total while a checkpoint of the catalog is downloaded.
    Raises:
        GanwalkError: the name is unknown, or the file cannot be read or does not fit its own description.
    """
    if str(name_or_path) == "blobs":
        blobs = Blobs()
        text = json.dumps(asdict(blobs.config), sort_keys=True)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return _ready(blobs, GeneratorIdentity("blobs", sha256, "blobs", blobs.resolution), device)
    path = checkpoint_path(name_or_path, progress)
    checkpoint = read_checkpoint(path)
    generator = build_generator(checkpoint.config, checkpoint.tensors, checkpoint.path)
    reference = str(name_or_path) if _is_name(str(name_or_path)) else str(path.resolve())
    identity = GeneratorIdentity(reference, checkpoint.sha256, checkpoint.architecture, generator.resolution)
    return _ready(generator, identity, device)


def load_directions_generator(
    directions: Directions,
    name_or_path: str | Path | None,
    device: torch.device | str = "cpu",
    progress: Progress | None = None,
) -> Any:
    """The generator that directions belong to: from their metadata, or as given; its hash must agree.

    Raises:
        GanwalkError: the generator has moved or changed.
    """
    identity = directions.generator
    if name_or_path is None:
        if not _is_name(identity.reference) and not Path(identity.reference).exists():
            raise GanwalkError(
                f"the generator {identity.reference} of these directions is gone: give it with --generator FILE"
            )
        name_or_path = identity.reference
    generator = load_generator(name_or_path, device, progress)
    if generator.identity.sha256 != identity.sha256:
        raise GanwalkError(
            f"{name_or_path} is not the generator of these directions (its SHA-256 begins with "
            f"{generator.identity.sha256[:8]}, theirs with {identity.sha256[:8]}): give the right one with "
            "--generator, or discover again"
        )
    return generator


def describe(name_or_path: str | Path, progress: Progress | None = None) -> dict[str, Any]:
    """What a checkpoint is, for people: format, sizes, hash, and every tensor's shape."""
    if str(name_or_path) == "blobs":
        return {"format": "built in", "architecture": "blobs", "resolution": Blobs().resolution, "z_dim": 6}
    checkpoint: Checkpoint = read_checkpoint(checkpoint_path(name_or_path, progress))
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


def checkpoint_path(name_or_path: str | Path, progress: Progress | None = None) -> Path:
    """The file behind a name, downloaded if it is a catalog's and not here yet, or the path itself.

    Raises:
        GanwalkError: the name is unknown, or its file cannot be had.
    """
    if str(name_or_path) == "scenes":
        return shipped_file("scenes.safetensors")
    entry = catalog.find(name_or_path)
    if entry is not None:
        return catalog.obtain_checkpoint(entry, progress)
    path = Path(name_or_path).expanduser()
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        close = catalog.close_names(str(name_or_path))
        hint = f" (close: {', '.join(close)})" if close else ""
        raise GanwalkError(
            f"unknown generator {str(name_or_path)!r}: use {' or '.join(NAMES)}, a name that ganwalk models "
            f"lists{hint}, or a checkpoint's path"
        )
    return path


def _is_name(reference: str) -> bool:
    return reference in NAMES or catalog.find(reference) is not None


def _ready(generator: nn.Module, identity: GeneratorIdentity, device: torch.device | str) -> nn.Module:
    generator.identity = identity  # type: ignore[assignment]
    return generator.eval().requires_grad_(False).to(device)
