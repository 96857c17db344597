"""Generators that are code: a TorchScript file, or a network of an installed package or the current folder.

Both run on the user's explicit word only: a reference `package.module:callable` that was typed, or a TorchScript file
together with `trust`. Nothing here is reached from a reference that a file holds.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular, hash_file
from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer
from ganwalk.generators.calls import (
    PROBE_BATCH,
    Interface,
    Label,
    as_taken,
    call,
    candidate_dims,
    check_images,
    check_output,
    class_count,
    labels,
    range_of,
    settle,
    short_reason,
)
from ganwalk.generators.declared import Declared, declares_styles, probe_declared
from ganwalk.inert import torch_reader

ARCHITECTURES = ("torchscript", "python")
_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def is_reference(name: str | Path) -> bool:
    """Whether a name has the form package.module:callable; an existing file of that name comes first."""
    return _REFERENCE.fullmatch(str(name)) is not None and not Path(name).exists()


def is_program(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    try:
        return path.is_file() and torch_reader.is_torchscript(path)
    except OSError:
        return False


def load_program(path: Path, interface: Interface, device: torch.device | str) -> tuple[Adapter, str]:
    """The generator in a TorchScript file, whose code runs from now on, and the file's SHA-256."""
    return adapt(load_script(path, device), interface, device, str(path)), hash_file(path)


def load_script(path: Path, device: torch.device | str) -> nn.Module:
    """The network in a TorchScript file, whose code runs from now on: only for files that the user trusts."""
    check_regular(path)
    try:
        return torch.jit.load(str(path), map_location=device)
    except Exception as error:
        raise GanwalkError(f"{path} cannot be loaded as TorchScript: {short_reason(error)}") from error


def load_reference(reference: str, interface: Interface, device: torch.device | str) -> tuple[Adapter, str]:
    """The generator that package.module:callable names or makes, and a hash of the reference and its parameters.

    Modules are found in the current folder, too, which goes before all others from now on.
    """
    module_name, _, path = reference.partition(":")
    # As python -m does: an installed command has its own folder there instead.
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module_name)
        for name in path.split("."):
            found = getattr(found, name)
    except ModuleNotFoundError as error:
        raise GanwalkError(f"{reference}: no module {error.name} here: install it, or go to its folder") from error
    except AttributeError as error:
        raise GanwalkError(f"{reference} does not exist: {short_reason(error)}") from error
    except Exception as error:
        raise GanwalkError(f"{reference} cannot be imported: {short_reason(error)}") from error
    if not callable(found) and not declares_styles(found):
        raise GanwalkError(
            f"{reference} is a {type(found).__name__}: name a torch module, or a function that makes one"
        )
    network = found
    if not isinstance(found, nn.Module) and not declares_styles(found) and _takes_nothing(found):
        try:
            network = found()
        except Exception as error:
            raise GanwalkError(f"{reference}() failed: {short_reason(error)}") from error
        if not callable(network) and not declares_styles(network):
            raise GanwalkError(
                f"{reference}() makes a {type(network).__name__}, not a torch module: return one, or an object that "
                "has a mapping and a synthesis"
            )
    generator = adapt(network, interface, device, reference)
    digest = hashlib.sha256(reference.encode())
    for name, tensor in generator.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return generator, digest.hexdigest()


def adapt(network: Any, interface: Interface, device: torch.device | str, name: str) -> Adapter:
    """An adapter around a network, by what it declares: styles, or nothing but z → image.

    Raises:
        GanwalkError: as `probe` and `probe_declared`.
    """
    if declares_styles(network):
        return probe_declared(network, interface, device, name)
    return probe(network, interface, device, name)


def probe(network: Callable[[Tensor], Tensor], interface: Interface, device: torch.device | str, name: str) -> External:
    """An adapter around a network z → image, after trying what it takes and returns.

    Latent codes are tried in the shapes (n, d) and (n, d, 1, 1), for the dimension that is given, or that the network's
    attributes and first weights suggest, or that is common. Networks of (z, c) are given the label of no class: an
    empty one, or zeros; or class 0, where they take numbers of classes.

    Raises:
        GanwalkError: no call goes through, or what comes out is no batch of images that gradients flow through.
    """
    if isinstance(network, nn.Module):
        settle(network, device)
    dims = [interface.latent_dim] if interface.latent_dim else candidate_dims(network, network)
    problem: str | None = None
    for dim in dims:
        for spatial, label in itertools.product((False, True), labels(network, class_count(network), name)):
            z = torch.randn(PROBE_BATCH, dim, generator=rng_of(0)).to(device)
            try:
                images = _call(network, z.requires_grad_(), spatial, label, 0)
            except Exception as error:
                # Networks report a size that does not fit by whatever their first layer raises.
                problem = problem or f"{_shown_call(dim, spatial, label)} failed: {short_reason(error)}"
                continue
            check_output(images, name)
            if len(images) != PROBE_BATCH:
                problem = f"{PROBE_BATCH} latent codes gave a batch of {len(images)}"
                continue
            check_images(images, name)
            image_range = interface.image_range or range_of(images, name)
            size = (images.shape[2], images.shape[3])
            return External(network, dim, spatial, size, images.shape[1], image_range, device, label)
    tried = f"of {interface.latent_dim} dimensions" if interface.latent_dim else "of the sizes that were tried"
    remedy = "is --latent-dim right?" if interface.latent_dim else "give --latent-dim, or wrap it in a function of z"
    raise GanwalkError(f"{name} makes no batch of images of latent codes {tried} ({problem}): {remedy}")


class External(nn.Module):
    """Implements `ganwalk.generators.base.Generator` around a network z → image, without a mapping.

    The network's own random numbers are fixed for every call, unless the noise is "random" and no seed is given.
    """

    style_based = False
    c_dim = 0
    num_layers = 1
    w_avg: Tensor

    def __init__(
        self,
        network: Callable[[Tensor], Tensor],
        latent_dim: int,
        spatial: bool,
        image_size: tuple[int, int],
        img_channels: int,
        image_range: tuple[float, float],
        device: torch.device | str = "cpu",
        label: Label | None = None,
    ):
        super().__init__()
        self.network = network
        self.label = label
        self.spatial = spatial
        self.z_dim = self.w_dim = latent_dim
        self.image_size = image_size
        self.resolution = max(image_size)
        self.layer_resolutions = (self.resolution,)
        self.img_channels = img_channels
        self.image_range = image_range
        self.register_buffer("w_avg", torch.zeros(latent_dim, device=device), persistent=False)

    @property
    def facts(self) -> dict[str, Any]:
        """How it is called, for people."""
        return {"input": "(n, d, 1, 1)" if self.spatial else "(n, d)"}

    @property
    def interface(self) -> Interface:
        """What has to be said to get the same adapter again."""
        return Interface(self.z_dim, self.image_range)

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """z itself, as (n, 1, z_dim); truncation scales it towards the origin."""
        check_codes(z, self.z_dim)
        return z.unsqueeze(1) * truncation_psi

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, height, width), rescaled from the network's range to [-1, 1]."""
        check_layer(until, self.num_layers)
        z = broadcast_styles(w, self.num_layers, self.z_dim)[:, 0]
        images = _call(self.network, z, self.spatial, self.label, seed if noise == "random" else 0)
        low, high = self.image_range
        return (images - low) * (2 / (high - low)) - 1


def _call(network: Callable[..., Tensor], z: Tensor, spatial: bool, label: Label | None, seed: int | None) -> Any:
    """What the network makes of codes (n, d), as float32 if it is of floats."""
    codes = as_taken(z, network)
    arguments = [codes[:, :, None, None] if spatial else codes]
    if label is not None:
        arguments.append(torch.zeros(len(z), *label.shape, dtype=label.dtype or codes.dtype, device=z.device))
    return call(network, arguments, seed)


def _shown_call(dim: int, spatial: bool, label: Label | None) -> str:
    """The call as people write it, with the shapes of what was given."""
    z = f"z {(PROBE_BATCH, dim, 1, 1) if spatial else (PROBE_BATCH, dim)}"
    return f"the call with {z}" + ("" if label is None else f" and the label {(PROBE_BATCH, *label.shape)} of zeros")


def _takes_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


Adapter = External | Declared
