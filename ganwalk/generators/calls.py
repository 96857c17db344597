"""How networks that are code are called: what they take as far as they say, and what must come out."""

from __future__ import annotations

import inspect
import json
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ganwalk.compute.seeds import seeded
from ganwalk.errors import GanwalkError
from ganwalk.generators.configs import MAX_DIM

# Where modules keep the size of their latent code, and the sizes that are common.
_DIM_ATTRIBUTES = ("z_dim", "latent_dim", "nz", "dim_z", "latent_size", "z_size", "noise_dim", "style_dim")
# Where they keep the number of classes, and what they call a label.
_CLASS_ATTRIBUTES = ("c_dim", "num_classes", "n_classes", "n_class", "label_dim", "y_dim", "dim_y")
_LABEL_NAMES = ("c", "y", "cls", "label", "labels", "class_label", "class_labels", "classes", "condition")
_COMMON_DIMS = (512, 128, 256, 64, 100, 120, 140, 32, 16, 200, 1024, 20, 10, 8, 4, 2)
# Weights whose sizes are tried: the latent code enters one of the first.
_FIRST_WEIGHTS = 4
_SEEDING = threading.RLock()
# A number of latent codes that a network which reshapes its input does not reach by accident.
PROBE_BATCH = 7


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


def call(network: Callable[..., Any], arguments: Sequence[Tensor], seed: int | None, **named: Any) -> Any:
    """What a network makes of its arguments, as float32 if it is of floats; its random numbers are of the seed.

    Noise drawn inside must be the same for a batch and its shift, and when a gradient recomputes the images; without a
    seed it is not.
    """
    if seed is None:
        made = network(*arguments, **named)
    else:
        # The state is the process's: of two threads, one would draw the other's numbers.
        with _SEEDING, seeded(arguments[0].device, seed):
            made = network(*arguments, **named)
    return made.float() if isinstance(made, Tensor) and made.is_floating_point() else made


def as_taken(values: Tensor, network: Any) -> Tensor:
    """Values in the precision of a network's weights, if it has any."""
    first = next(network.parameters(), None) if isinstance(network, nn.Module) else None
    return values if first is None or not first.is_floating_point() else values.to(first.dtype)


def settle(network: nn.Module, device: torch.device | str) -> None:
    """Brings a network to the device, for evaluation, without gradients to its weights."""
    network.to(device).eval()
    # One by one: a scripted module refuses to do it as a whole.
    for parameter in network.parameters():
        parameter.requires_grad_(False)


def candidate_dims(network: Any, first: Any) -> list[int]:
    """Dimensions that the latent code may have, the likeliest first; `first` is the part that it enters."""
    weights = [p for p in first.parameters() if p.ndim >= 2] if isinstance(first, nn.Module) else []
    dims = [value for key in _DIM_ATTRIBUTES if type(value := getattr(network, key, None)) is int and value > 0]
    for weight in weights[:_FIRST_WEIGHTS]:
        # Inputs of a linear layer come second, those of a transposed convolution first.
        dims += (weight.shape[1], weight.shape[0]) if weight.ndim == 2 else (weight.shape[0], weight.shape[1])
    return list(dict.fromkeys(dim for dim in (*dims, *_COMMON_DIMS) if dim <= MAX_DIM))


def class_count(network: Any) -> int:
    """The number of classes that a network's attributes tell; 0 for none."""
    counts = [value for key in _CLASS_ATTRIBUTES if type(value := getattr(network, key, None)) is int]
    return counts[0] if counts and 0 < counts[0] <= MAX_DIM else 0


def labels(function: Callable[..., Any], classes: int, name: str) -> list[Label | None]:
    """The labels that a function may take beside z, the likeliest first; None is for a call with z alone."""
    alone, both = takes(function, 1), takes(function, 2)
    if not alone and not both:
        raise GanwalkError(f"{name} cannot be called with z, or with z and a label: wrap it in a function of z")
    if not both or (alone and not _second_is_label(function)):
        return [None]
    widths = [classes, 0] if classes else [0]
    given: list[Label | None] = [*(Label((width,), None) for width in widths), Label((), torch.int64)]
    return [None, *given] if alone else given


def _second_is_label(function: Callable[..., Any]) -> bool:
    """Whether the second argument of a function that needs only the first may be a label, by its name."""
    parameters = list(signature(function).parameters.values())
    unnamed = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters[:2])
    return unnamed or (len(parameters) > 1 and parameters[1].name.casefold() in _LABEL_NAMES)


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments, as far as it says."""
    try:
        signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def signature(function: Callable[..., Any]) -> inspect.Signature:
    """The arguments of a call; any, where they cannot be told."""
    called: Any = function.forward if isinstance(function, nn.Module) else function
    if isinstance(function, torch.jit.ScriptModule | torch._C.ScriptMethod):
        return inspect.Signature([_parameter(argument) for argument in called.schema.arguments[1:]])
    try:
        return inspect.signature(called)
    except (TypeError, ValueError):
        return inspect.Signature([inspect.Parameter("arguments", inspect.Parameter.VAR_POSITIONAL)])


def _parameter(argument: Any) -> inspect.Parameter:
    """An argument of a TorchScript program, in Python's terms."""
    default = argument.default_value if argument.has_default_value() else inspect.Parameter.empty
    return inspect.Parameter(argument.name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)


def check_output(images: Any, name: str, kind: str = "images") -> None:
    """Raises GanwalkError unless something has the shape of a batch of images, or of features."""
    if isinstance(images, tuple | list | dict):
        raise GanwalkError(f"{name} returns a {type(images).__name__} of {len(images)}: wrap it to return the {kind}")
    if not isinstance(images, Tensor):
        raise GanwalkError(f"{name} returns a {type(images).__name__}, not a tensor of {kind} (n, channels, h, w)")
    if images.ndim != 4:
        raise GanwalkError(f"{name} returns shape {tuple(images.shape)}, not a batch of {kind} (n, channels, h, w)")


def check_images(images: Tensor, name: str) -> None:
    """Raises GanwalkError unless images are finite floats that gradients flow through."""
    if not images.is_floating_point():
        raise GanwalkError(f"{name} returns {images.dtype}, through which no gradient flows: return floats")
    if not torch.isfinite(images).all():
        raise GanwalkError(f"{name} makes images that are not finite")
    if not images.requires_grad:
        raise GanwalkError(f"no gradient flows from the images of {name} to the latents: drop no_grad or detach in it")


def range_of(images: Tensor, name: str) -> tuple[float, float]:
    """The usual range that values lie in: [0, 1], about [-1, 1] or [0, 255]."""
    low, high = float(images.detach().min()), float(images.detach().max())
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    if low >= -2 and high <= 2:
        return -1.0, 1.0
    if low >= 0 and 8 <= high <= 255:
        return 0.0, 255.0
    raise GanwalkError(f"{name} makes values from {low:.3g} to {high:.3g}: give --image-range LOW,HIGH")


def short_reason(error: Exception) -> str:
    """The last line of an error, which is where torch puts the reason."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[-1].removeprefix("RuntimeError: ") if lines else type(error).__name__
    return text if len(text) <= 200 else text[:197] + "..."
