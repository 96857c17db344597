"""Every architecture: its configuration and its module, and how tensors from a file become a generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.biggan import BigGAN, BigGANConfig
from ganwalk.generators.dcgan import DCGAN, DCGANConfig
from ganwalk.generators.fastgan import FastGAN, FastGANConfig
from ganwalk.generators.lightweight import Lightweight, LightweightConfig
from ganwalk.generators.lucidrains import Lucidrains, LucidrainsConfig
from ganwalk.generators.progan import ProGAN, ProGANConfig
from ganwalk.generators.r3gan import R3GAN, R3GANConfig
from ganwalk.generators.stylegan1 import StyleGAN1, StyleGAN1Config
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.generators.stylegan3 import StyleGAN3, StyleGAN3Config


@dataclass(frozen=True)
class Architecture:
    """A name, the class of its configurations, and the module that a configuration builds."""

    name: str
    config: type
    module: type[nn.Module]


ARCHITECTURES = (
    Architecture("progan", ProGANConfig, ProGAN),
    Architecture("stylegan1", StyleGAN1Config, StyleGAN1),
    Architecture("stylegan2", StyleGAN2Config, StyleGAN2),
    Architecture("stylegan3", StyleGAN3Config, StyleGAN3),
    Architecture("lucidrains", LucidrainsConfig, Lucidrains),
    Architecture("dcgan", DCGANConfig, DCGAN),
    Architecture("r3gan", R3GANConfig, R3GAN),
    Architecture("fastgan", FastGANConfig, FastGAN),
    Architecture("lightweight-gan", LightweightConfig, Lightweight),
    Architecture("biggan", BigGANConfig, BigGAN),
)


def architecture_of(config: Any) -> Architecture:
    """The architecture that a configuration describes."""
    return next(architecture for architecture in ARCHITECTURES if isinstance(config, architecture.config))


def architecture_named(name: Any) -> Architecture:
    """The architecture of a name from a file; GanwalkError if there is none."""
    for architecture in ARCHITECTURES:
        if architecture.name == name:
            return architecture
    known = ", ".join(architecture.name for architecture in ARCHITECTURES)
    raise GanwalkError(f"is of the unknown architecture {name!r:.60}, not one of {known}")


def build_generator(config: Any, tensors: Mapping[str, Tensor], path: Path) -> Any:
    """A generator with these tensors, after all of them have been checked; `take_over` needs less memory.

    Raises:
        GanwalkError: naming the tensor that is missing, surplus, of a wrong shape or not finite.
    """
    return take_over(config, dict(tensors), path)


def take_over(config: Any, tensors: dict[str, Tensor], path: Path) -> Any:
    """As `build_generator`, but empties the dict, so that no tensor is held twice, in the file's layout and in ours."""
    architecture = architecture_of(config)
    with torch.device("meta"):
        generator = architecture.module(config)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    for name in sorted(expected.keys() | tensors.keys()):
        if name not in tensors:
            raise GanwalkError(f"{path} lacks the tensor {name} of shape {expected[name]}")
        if name not in expected:
            surplus = one_line(name, 100)
            raise GanwalkError(
                f"{path} holds {surplus}, which this {architecture.name} has no place for: a fork is not supported"
            )
        if tuple(tensors[name].shape) != expected[name]:
            shape = tuple(tensors[name].shape)
            if (
                name.endswith("const")
                and len(shape) > 1
                and shape[-2] != shape[-1]
                and not hasattr(config, "first_size")
            ):
                height, width = shape[-2:]
                raise GanwalkError(
                    f"{path} is not supported: a {architecture.name} must be square, and {name} is {height}×{width}"
                )
            raise GanwalkError(f"{path}: the tensor {name} has the shape {shape}, expected {expected[name]}")
        # NaN and infinity are among the extremes, which one pass finds.
        if tensors[name].numel() and not all(map(torch.isfinite, tensors[name].aminmax())):
            raise GanwalkError(f"{path}: the tensor {name} holds values that are not finite")
    # In one layout, whatever the file's: equal networks compute to the last bit alike.
    arranged = {}
    for name in expected:
        tensor = tensors.pop(name).contiguous()
        arranged[name] = _channels_last(tensor) if tensor.ndim == 4 else tensor
    generator.load_state_dict(arranged, assign=True)
    return generator


def _channels_last(tensor: Tensor) -> Tensor:
    """A tensor (o, i, h, w) with its channels last in memory, by its strides, too.

    Those of 1×1 kernels are right for either layout, and convolutions would choose one by them.
    """
    _, channels, height, width = tensor.shape
    strides = (channels * height * width, 1, channels * width, channels)
    return tensor.contiguous(memory_format=torch.channels_last).as_strided(tensor.shape, strides)
