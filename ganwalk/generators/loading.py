"""From a name or a path to a generator that is ready to use."""

from __future__ import annotations

import difflib
import hashlib
import json
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files.download import OnBytes, first_read
from ganwalk.files.shipped import shipped_file
from ganwalk.generators import catalog
from ganwalk.generators.architectures import build_generator, take_over
from ganwalk.generators.base import GeneratorIdentity, size_in_words
from ganwalk.generators.blobs import VARIANTS, Blobs, BlobsConfig
from ganwalk.generators.calls import Interface
from ganwalk.generators.checkpoints import Checkpoint, read_checkpoint
from ganwalk.generators.external import ARCHITECTURES as EXTERNAL
from ganwalk.generators.external import is_program, is_reference, load_program, load_reference

BLOBS = {"blobs" if variant == "independent" else f"blobs-{variant}": variant for variant in VARIANTS}
NAMES = ("scenes", *BLOBS)


def load_generator(
    name_or_path: str | Path,
    device: torch.device | str = "cpu",
    progress: OnBytes | None = None,
    *,
    trust: bool = False,
    latent_dim: int | None = None,
    image_range: tuple[float, float] | None = None,
) -> Any:
    """A generator in evaluation mode, without gradients to its weights; its `identity` says where it is from.

    Args:
        name_or_path: "scenes" (shipped), "blobs" or one of its variants (analytic), a name of the catalog, the path of
            a checkpoint, or package.module:callable, which is imported and run.
        progress: called with the bytes done and in total while a checkpoint of the catalog is downloaded.
        trust: run the program in a TorchScript file.
        latent_dim, image_range: of code only: dimension of z, and values of black and white; None probes them.
    Raises:
        GanwalkError: the name is unknown, or the file cannot be read or does not fit its own description.
    """
    given = Interface(latent_dim, image_range)
    path = _expanded(name_or_path)
    if is_reference(name_or_path):
        external, sha256 = load_reference(str(name_or_path), given, device)
        reference, architecture = str(name_or_path), "python"
    elif trust and is_program(path):
        external, sha256 = load_program(path, given, device)
        reference, architecture = str(path.resolve()), "torchscript"
    else:
        _check_unneeded(given, path)
        return _load_known(name_or_path, device, progress)
    interface = external.interface.to_text()
    size = size_in_words(external.image_size)
    identity = GeneratorIdentity(reference, sha256, architecture, external.resolution, interface, size)
    return _ready(external, identity, device)


def _load_known(name_or_path: str | Path, device: torch.device | str, progress: OnBytes | None) -> Any:
    """A generator by name or from a checkpoint: whatever the name is, no code of others runs."""
    if str(name_or_path) in BLOBS:
        return make_blobs(BlobsConfig(variant=BLOBS[str(name_or_path)]), device)
    path = checkpoint_path(name_or_path, progress)
    with first_read(path):
        checkpoint = read_checkpoint(path)
        generator = take_over(checkpoint.config, checkpoint.tensors, checkpoint.path)
    reference = str(name_or_path) if _is_name(str(name_or_path)) else str(path.resolve())
    size = size_in_words(generator.image_size)
    identity = GeneratorIdentity(
        reference,
        checkpoint.sha256,
        checkpoint.architecture,
        generator.resolution,
        image_size=size,
        source_sha256=checkpoint.source_sha256,
    )
    return _ready(generator, identity, device)


def make_blobs(config: BlobsConfig, device: torch.device | str = "cpu") -> Any:
    """An analytic generator, ready to use; one whose configuration is not the default has a name that does not load."""
    blobs = Blobs(config)
    sha256 = hashlib.sha256(json.dumps(asdict(config), sort_keys=True).encode()).hexdigest()
    name = next(name for name, variant in BLOBS.items() if variant == config.variant)
    reference = name if config == BlobsConfig(variant=config.variant) else f"{name}, {config}"
    return _ready(blobs, GeneratorIdentity(reference, sha256, "blobs", blobs.resolution), device)


def load_directions_generator(
    identity: GeneratorIdentity,
    name_or_path: str | Path | None,
    device: torch.device | str = "cpu",
    progress: OnBytes | None = None,
    *,
    trust: bool = False,
    latent_dim: int | None = None,
    image_range: tuple[float, float] | None = None,
) -> Any:
    """The generator that directions belong to, by the identity in their file, or as given; its hash must agree, or
    that of the file which one of both was converted from.

    Code is run only if it is given: the reference in a directions file is its writer's word, not the user's.

    Raises:
        GanwalkError: the generator has moved or changed, or is code that was not given.
    """
    given = Interface(latent_dim, image_range)
    if name_or_path is None:
        if identity.architecture in EXTERNAL:
            trusting = " --trust" if identity.architecture == "torchscript" else ""
            raise GanwalkError(
                f"the generator of these directions is code, which runs on your word only: if you trust it, give "
                f"--generator {shlex.quote(one_line(identity.reference))}{trusting}"
            )
        if not _is_name(identity.reference) and not Path(identity.reference).exists():
            raise GanwalkError(
                f"the generator {one_line(identity.reference)} of these directions is gone: "
                "give it with --generator FILE"
            )
        name_or_path = identity.reference
        _check_unneeded(given, Path(name_or_path))
        generator = _load_known(name_or_path, device, progress)
    else:
        if is_reference(name_or_path) or is_program(_expanded(name_or_path)):
            given = given.or_else(Interface.from_text(identity.interface))
        generator = load_generator(name_or_path, device, progress, trust=trust, **vars(given))
    if not generator.identity.same_network(identity):
        raise GanwalkError(
            f"{name_or_path} is not the generator of these directions (its SHA-256 begins with "
            f"{generator.identity.sha256[:8]}, theirs with {identity.sha256[:8]}): give the right one with "
            "--generator, or discover again"
        )
    return generator


def describe(
    name_or_path: str | Path,
    progress: OnBytes | None = None,
    *,
    trust: bool = False,
    latent_dim: int | None = None,
    image_range: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """What a checkpoint is, for people: format, sizes, hash, and every tensor's shape.

    Arguments and errors as `load_generator`.
    """
    if is_reference(name_or_path) or is_program(_expanded(name_or_path)):
        external = load_generator(name_or_path, trust=trust, latent_dim=latent_dim, image_range=image_range)
        state = external.state_dict()
        return {
            "generator": external.identity.reference,
            "format": external.identity.architecture,
            "resolution": external.resolution,
            "image_size": list(external.image_size),
            "img_channels": external.img_channels,
            "image_range": "{:g},{:g}".format(*external.image_range),
            "z_dim": external.z_dim,
            **external.facts,
            "parameters": sum(tensor.numel() for tensor in state.values()),
            "sha256": external.identity.sha256,
            "tensors": {name: list(tensor.shape) for name, tensor in state.items()},
        }
    _check_unneeded(Interface(latent_dim, image_range), Path(name_or_path))
    if str(name_or_path) in BLOBS:
        blobs = Blobs(BlobsConfig(variant=BLOBS[str(name_or_path)]))
        facts = {"format": "built in", "architecture": "blobs", "variant": blobs.config.variant}
        return {**facts, "resolution": blobs.resolution, "z_dim": blobs.z_dim}
    path = checkpoint_path(name_or_path, progress)
    with first_read(path):
        checkpoint: Checkpoint = read_checkpoint(path)
        generator = build_generator(checkpoint.config, checkpoint.tensors, checkpoint.path)
    return {
        "file": str(checkpoint.path),
        "format": checkpoint.format,
        "architecture": generator.summary,
        "resolution": generator.resolution,
        "image_size": list(generator.image_size),
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


def checkpoint_path(name_or_path: str | Path, progress: OnBytes | None = None) -> Path:
    """The file behind a name, downloaded if it is a catalog's and not here yet, or the path itself.

    Whoever reads it does so within `ganwalk.files.download.first_read`.

    Raises:
        GanwalkError: the name is unknown, or its file cannot be had, or there is none: it is built in, or code.
    """
    if str(name_or_path) in BLOBS:
        raise GanwalkError(f"{name_or_path} is built in: there is no checkpoint of it")
    if is_reference(name_or_path):
        raise GanwalkError(f"{one_line(str(name_or_path))} is code: there is no checkpoint of it")
    if str(name_or_path) == "scenes":
        return shipped_file("scenes.safetensors")
    entry = catalog.find(name_or_path)
    if entry is not None:
        return catalog.obtain_checkpoint(entry, progress)
    path = _expanded(name_or_path)
    if not path.exists() and path.suffix == "" and len(path.parts) == 1:
        close = [*difflib.get_close_matches(str(name_or_path), NAMES), *catalog.close_names(str(name_or_path))]
        hint = f" (close: {', '.join(close)})" if close else ""
        raise GanwalkError(
            f"unknown generator {str(name_or_path)!r}: use {', '.join(NAMES)}, a name that ganwalk models "
            f"lists{hint}, or a checkpoint's path"
        )
    return path


def _expanded(path: str | Path) -> Path:
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise GanwalkError(f"{path} begins with ~ and a user that does not exist here") from error


def _is_name(reference: str) -> bool:
    return reference in NAMES or catalog.find(reference) is not None


def _check_unneeded(given: Interface, path: Path) -> None:
    """Raises GanwalkError if an interface is given for a generator that has its own; a program is refused later."""
    if given != Interface() and not is_program(_expanded(path)):
        raise GanwalkError(f"{path} is no code: drop --latent-dim and --image-range, which its file settles")


def _ready(generator: nn.Module, identity: GeneratorIdentity, device: torch.device | str) -> nn.Module:
    generator.identity = identity  # type: ignore[assignment]
    return generator.eval().requires_grad_(False).to(device)
