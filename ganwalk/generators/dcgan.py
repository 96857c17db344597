"""DCGAN (Radford et al., "Unsupervised Representation Learning …", ICLR 2016): nothing but transposed convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.configs import MAX_RESOLUTION, check_sizes, check_types
from ganwalk.generators.unstyled import Unstyled

_MAX_LAYERS = 12


@dataclass(frozen=True)
class DCGANConfig:
    """Everything that fixes the shape of a DCGAN generator.

    Attributes:
        channels: of the features of each layer but the last, whose features are the image.
        z_dim: of the latent code.
        img_channels: of the image.
        first_size: height and width of the first layer's features; every other layer doubles them.
    """

    channels: tuple[int, ...]
    z_dim: int = 100
    img_channels: int = 3
    first_size: int = 4

    def __post_init__(self) -> None:
        check_types(self, "DCGAN")
        if not 1 <= len(self.channels) < _MAX_LAYERS:
            raise GanwalkError(f"a DCGAN has 2 to {_MAX_LAYERS} layers, not {len(self.channels) + 1}")
        check_sizes("DCGAN", (*self.channels, self.z_dim, self.img_channels, self.first_size))
        if self.resolution > MAX_RESOLUTION:
            raise GanwalkError("DCGAN dimensions are beyond anything that exists")

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        return tuple(self.first_size * 2**layer for layer in range(len(self.channels) + 1))

    @property
    def resolution(self) -> int:
        return self.layer_resolutions[-1]


class DCGAN(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the latent code itself.

    Layer k is the k-th transposed convolution and its rectifier; the last one, with a tanh, is the image. Batch
    normalisation, which is affine once trained, lies in the weights.
    """

    def __init__(self, config: DCGANConfig):
        super().__init__(
            config.layer_resolutions,
            z_dim=config.z_dim,
            w_dim=config.z_dim,
            img_channels=config.img_channels,
        )
        self.config = config
        below = config.z_dim
        for layer, channels in enumerate((*config.channels, config.img_channels)):
            size, stride, padding = (config.first_size, 1, 0) if layer == 0 else (4, 2, 1)
            self.add_module(f"layer{layer}", nn.ConvTranspose2d(below, channels, size, stride, padding))
            below = channels

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first: only the first layer has one."""
        first: Any = self.get_submodule("layer0")
        return (first.weight.flatten(1).T,) if layer == 0 else ()

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "dcgan"

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Only the first layer's code enters; there is no noise.
        """
        last = check_layer(until, self.num_layers)
        x = self.entering(w)[:, :, None, None]
        for layer in range(last + 1):
            x = self.get_submodule(f"layer{layer}")(x)
            x = torch.tanh(x) if layer == self.num_layers - 1 else F.relu(x)
        return x
