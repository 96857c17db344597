"""Generators that are code: a TorchScript file, or a callable z → image of an installed package.

Both run on the user's explicit word only: a reference `package.module:callable` that was typed, or a TorchScript file
together with `trust`. Nothing here is reached from a reference that a file holds.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import itertools
import json
import math
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular
from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer
from ganwalk.generators.checkpoints import hash_file, torch_reader
from ganwalk.generators.configs import MAX_DIM

ARCHITECTURES = ("torchscript", "python")
# Where modules keep the size of their latent code, and the sizes that are common.
_DIM_ATTRIBUTES = ("z_dim", "latent_dim", "nz", "dim_z", "latent_size", "z_size", "noise_dim", "style_dim")
# Where they keep the number of classes, and what they call a label.
_CLASS_ATTRIBUTES = ("c_dim", "num_classes", "n_classes", "n_class", "label_dim", "y_dim", "dim_y")
_LABEL_NAMES = ("c", "y", "cls", "label", "labels", "class_label", "class_labels", "classes", "condition")
_COMMON_DIMS = (512, 128, 256, 64, 100, 120, 140, 32, 16, 200, 1024, 20, 10, 8, 4, 2)
# Weights whose sizes are tried: the latent code enters one of the first.
_FIRST_WEIGHTS = 4
# A number of latent codes that a network which reshapes its input does not reach by accident.
_PROBE_BATCH = 7
_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Interface:
    """How an external network is called, as far as its user has said; None is probed.

    Attributes:
        latent_dim: dimension of the latent code.
        image_range: values of black and of white.
    """

    latent_dim: int | None = None
    image_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.latent_dim is not None and not 1 <= self.latent_dim <= MAX_DIM:
            raise GanwalkError(f"a latent dimension must lie between 1 and {MAX_DIM}, not {self.latent_dim}")
        if self.image_range is not None:
            low, high = self.image_range
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise GanwalkError(f"an image range must be a lower and a higher number, not {low:g},{high:g}")

    def or_else(self, other: Interface) -> Interface:
        """These facts, and another's where there is none."""
        return Interface(self.latent_dim or other.latent_dim, self.image_range or other.image_range)

    def to_text(self) -> str:
        """As JSON, for a directions file."""
        return json.dumps(asdict(self), sort_keys=True)

    @staticmethod
    def from_text(text: str) -> Interface:
        """What `to_text` wrote; GanwalkError if it is something else."""
        try:
            facts = json.loads(text) if text else {}
            dim, limits = facts.get("latent_dim"), facts.get("image_range")
            low_high = None if limits is None else (float(limits[0]), float(limits[1]))
            return Interface(None if dim is None else int(dim), low_high)
        except GanwalkError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError, OverflowError, RecursionError) as error:
            raise GanwalkError("the generator's interface in these directions is damaged") from error


@dataclass(frozen=True)
class Label:
    """The label that says nothing, of a network that asks for one: zeros.

    Attributes:
        shape: of one label: (number of classes,), (0,) where there are none, or () for the number of a class.
        dtype: of its values; None takes that of the codes.
    """

    shape: tuple[int, ...]
    dtype: torch.dtype | None


def parse_image_range(text: str) -> tuple[float, float]:
    """The two numbers of "0,1" or "-1,1"."""
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        raise GanwalkError(f"--image-range {text!r} is not two numbers such as 0,1 or -1,1") from None
    return low, high


def is_reference(name: str | Path) -> bool:
    """Whether a name has the form package.module:callable; an existing file of that name comes first."""
    return _REFERENCE.fullmatch(str(name)) is not None and not Path(name).exists()


def is_program(path: Path) -> bool:
    """Whether a file is a TorchScript archive."""
    try:
        return path.is_file() and torch_reader.is_torchscript(path)
    except OSError:
        return False


def load_program(path: Path, interface: Interface, device: torch.device | str) -> tuple[External, str]:
    """The generator in a TorchScript file, whose code runs from now on, and the file's SHA-256."""
    return probe(load_script(path, device), interface, device, str(path)), hash_file(path)


def load_script(path: Path, device: torch.device | str) -> nn.Module:
    """The network in a TorchScript file, whose code runs from now on: only for files that the user trusts."""
    check_regular(path)
    try:
        return torch.jit.load(str(path), map_location=device)
    except Exception as error:
        raise GanwalkError(f"{path} cannot be loaded as TorchScript: {short_reason(error)}") from error


def load_reference(reference: str, interface: Interface, device: torch.device | str) -> tuple[External, str]:
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
    if not callable(found):
        raise GanwalkError(
            f"{reference} is a {type(found).__name__}: name a torch module, or a function that makes one"
        )
    network = found
    if not isinstance(found, nn.Module) and _takes_nothing(found):
        try:
            network = found()
        except Exception as error:
            raise GanwalkError(f"{reference}() failed: {short_reason(error)}") from error
        if not callable(network):
            raise GanwalkError(f"{reference}() makes a {type(network).__name__}, not a torch module")
    generator = probe(network, interface, device, reference)
    digest = hashlib.sha256(reference.encode())
    for name, tensor in generator.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return generator, digest.hexdigest()


def probe(network: Callable[[Tensor], Tensor], interface: Interface, device: torch.device | str, name: str) -> External:
    """An adapter around a network z → image, after trying what it takes and returns.

    Latent codes are tried in the shapes (n, d) and (n, d, 1, 1), for the dimension that is given, or that the network's
    attributes and first weights suggest, or that is common. Networks of (z, c) are given the label of no class: an
    empty one, or zeros; or class 0, where they take numbers of classes.

    Raises:
        GanwalkError: no call goes through, or what comes out is no batch of images that gradients flow through.
    """
    if isinstance(network, nn.Module):
        network = network.to(device).eval()
        # One by one: a scripted module refuses to do it as a whole.
        for parameter in network.parameters():
            parameter.requires_grad_(False)
    dims = [interface.latent_dim] if interface.latent_dim else list(dict.fromkeys(_candidates(network)))
    problem: str | None = None
    for dim in dims:
        for spatial, label in itertools.product((False, True), _labels(network, name)):
            z = torch.randn(_PROBE_BATCH, dim, generator=torch.Generator().manual_seed(0)).to(device)
            try:
                images = _call(network, z.requires_grad_(), spatial, label, 0)
            except Exception as error:
                # Networks report a size that does not fit by whatever their first layer raises.
                problem = problem or f"{_shown_call(dim, spatial, label)} failed: {short_reason(error)}"
                continue
            _check_output(images, name)
            if len(images) != _PROBE_BATCH:
                problem = f"{_PROBE_BATCH} latent codes gave a batch of {len(images)}"
                continue
            _check_images(images, name)
            image_range = interface.image_range or _range_of(images, name)
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
    first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    codes = z if first is None or not first.is_floating_point() else z.to(first.dtype)
    arguments = [codes[:, :, None, None] if spatial else codes]
    if label is not None:
        arguments.append(torch.zeros(len(z), *label.shape, dtype=label.dtype or codes.dtype, device=z.device))
    if seed is None:
        images = network(*arguments)
    else:
        # Noise drawn inside must be the same for a batch and its shift, and when a gradient recomputes the images.
        devices = [z.device] if z.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(seed)
            images = network(*arguments)
    return images.float() if isinstance(images, Tensor) and images.is_floating_point() else images


def _candidates(network: Any) -> Iterator[int]:
    """Dimensions that the latent code may have, the likeliest first."""
    for attribute in _DIM_ATTRIBUTES:
        value = getattr(network, attribute, None)
        if type(value) is int and 1 <= value <= MAX_DIM:
            yield value
    weights = [p for p in network.parameters() if p.ndim >= 2] if isinstance(network, nn.Module) else []
    for weight in weights[:_FIRST_WEIGHTS]:
        # Inputs of a linear layer come second, those of a transposed convolution first.
        yield from (weight.shape[1], weight.shape[0]) if weight.ndim == 2 else (weight.shape[0], weight.shape[1])
    yield from _COMMON_DIMS


def _labels(network: Callable[..., Tensor], name: str) -> list[Label | None]:
    """The labels that the network may take beside z, the likeliest first; None is for a call with z alone."""
    alone, both = _takes(network, 1), _takes(network, 2)
    if not alone and not both:
        raise GanwalkError(f"{name} cannot be called with z, or with z and a label: wrap it in a function of z")
    if not both or (alone and not _second_is_label(network)):
        return [None]
    classes = [value for key in _CLASS_ATTRIBUTES if type(value := getattr(network, key, None)) is int]
    widths = [width for width in classes[:1] if 0 < width <= MAX_DIM] + [0]
    labels: list[Label | None] = [*(Label((width,), None) for width in widths), Label((), torch.int64)]
    return [None, *labels] if alone else labels


def _second_is_label(network: Callable[..., Tensor]) -> bool:
    """Whether the second argument of a network that needs only the first may be a label, by its name."""
    parameters = list(_signature(network).parameters.values())
    unnamed = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters[:2])
    return unnamed or (len(parameters) > 1 and parameters[1].name.casefold() in _LABEL_NAMES)


def _takes(network: Callable[..., Tensor], count: int) -> bool:
    """Whether a network can be called with so many arguments, as far as it says."""
    try:
        _signature(network).bind(*range(count))
    except TypeError:
        return False
    return True


def _signature(network: Callable[..., Tensor]) -> inspect.Signature:
    """The arguments of a call; any, where they cannot be told."""
    if isinstance(network, torch.jit.ScriptModule):
        forward: Any = network.forward
        return inspect.Signature([_parameter(argument) for argument in forward.schema.arguments[1:]])
    try:
        return inspect.signature(network.forward if isinstance(network, nn.Module) else network)
    except (TypeError, ValueError):
        return inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)])


def _parameter(argument: Any) -> inspect.Parameter:
    """An argument of a TorchScript program, in Python's terms."""
    default = argument.default_value if argument.has_default_value() else inspect.Parameter.empty
    return inspect.Parameter(argument.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def _shown_call(dim: int, spatial: bool, label: Label | None) -> str:
    """The call as people write it, with the shapes of what was given."""
    z = f"z {(_PROBE_BATCH, dim, 1, 1) if spatial else (_PROBE_BATCH, dim)}"
    return f"the call with {z}" + ("" if label is None else f" and the label {(_PROBE_BATCH, *label.shape)} of zeros")


def _check_output(images: Any, name: str) -> None:
    if isinstance(images, tuple | list | dict):
        raise GanwalkError(f"{name} returns a {type(images).__name__} of {len(images)}: wrap it to return the images")
    if not isinstance(images, Tensor):
        raise GanwalkError(f"{name} returns a {type(images).__name__}, not a tensor of images (n, channels, h, w)")
    if images.ndim != 4:
        raise GanwalkError(f"{name} returns shape {tuple(images.shape)}, not a batch of images (n, channels, h, w)")


def _check_images(images: Tensor, name: str) -> None:
    if not images.is_floating_point():
        raise GanwalkError(f"{name} returns {images.dtype}, through which no gradient flows: return floats")
    if not torch.isfinite(images).all():
        raise GanwalkError(f"{name} makes images that are not finite")
    if not images.requires_grad:
        raise GanwalkError(f"no gradient flows from the images of {name} to the latents: drop no_grad or detach in it")


def _range_of(images: Tensor, name: str) -> tuple[float, float]:
    """The usual range that values lie in: [0, 1], about [-1, 1] or [0, 255]."""
    low, high = float(images.detach().min()), float(images.detach().max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= -2 and high <= 2:
        return -1.0, 1.0
    if low >= 0 and 8 <= high <= 255:
        return 0.0, 255.0
    raise GanwalkError(f"{name} makes values from {low:.3g} to {high:.3g}: give --image-range LOW,HIGH")


def _takes_nothing(function: Any) -> bool:
    try:
        inspect.signature(function).bind()
    except (TypeError, ValueError):
        return False
    return True


def short_reason(error: Exception) -> str:
    """The last line of an error, which is where torch puts the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1].removeprefix("RuntimeError: ") if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
