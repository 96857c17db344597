"""ProGAN (Karras et al., "Progressive Growing of GANs", ICLR 2018): a latent code, convolutions, no styles."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.configs import MAX_DIM, check_sizes, check_types
from ganwalk.generators.progressive import (
    HE_GAIN,
    block_count,
    check_lod,
    faded_image,
    layer_resolutions,
    upsample_convolution,
)
from ganwalk.generators.unstyled import Unstyled


@dataclass(frozen=True)
class ProGANConfig:
    """Everything that fixes the shape and the arithmetic of a ProGAN generator.

    Attributes:
        block_channels: channels of each block, from 4 px up.
        lod: level of detail: 0 is full resolution, 0.4 blends in 40 % of the coarser image, as training left it.
        normalize_latents: whether the latent code (with the label) is scaled to unit mean square.
        pixel_norm: whether features are, pixel by pixel, after every convolution.
        slope: of the leaky rectifier.
        tanh: whether the image passes through a tanh.
    """

    resolution: int
    block_channels: tuple[int, ...]
    z_dim: int = 512
    c_dim: int = 0
    img_channels: int = 3
    lod: float = 0.0
    normalize_latents: bool = True
    pixel_norm: bool = True
    slope: float = 0.2
    tanh: bool = False

    def __post_init__(self) -> None:
        check_types(self, "ProGAN")
        check_sizes("ProGAN", (self.z_dim, self.img_channels), self.resolution)
        blocks = block_count(self.resolution)
        if len(self.block_channels) != blocks:
            raise GanwalkError(f"ProGAN's block_channels must be {blocks} numbers at {self.resolution} px")
        check_sizes("ProGAN", self.block_channels)
        if not 0 <= self.c_dim <= MAX_DIM:
            raise GanwalkError(f"ProGAN cannot have {self.c_dim} classes")
        check_lod(self.lod, self.resolution, "ProGAN")


def pixel_norm(x: Tensor) -> Tensor:
    """Features (n, c, …) scaled to unit mean square over the channels."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Convolution(nn.Module):
    """Equalised convolution: weight·gain/√fan_in, then the bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, gain: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel_size, kernel_size))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.gain = gain / math.sqrt(in_channels * kernel_size**2)

    def forward(self, x: Tensor, up: bool = False) -> Tensor:
        weight = self.weight * self.gain
        if up:
            return upsample_convolution(x, weight) + self.bias[:, None, None]
        return F.conv2d(x, weight, self.bias, padding=self.weight.shape[2] // 2)


class FirstLayer(nn.Module):
    """Code (n, in) → features (n, out, 4, 4): the equalised convolution of one pixel, padded by 3 zeros.

    That is a dense layer whose kernel lies flipped in the weight (out, in, 4, 4). The bias is (out, 4, 4), since some
    codes train one for every pixel.
    """

    def __init__(self, in_features: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_features, 4, 4))
        self.bias = nn.Parameter(torch.zeros(out_channels, 4, 4))
        self.gain = HE_GAIN / math.sqrt(16 * in_features)

    def forward(self, z: Tensor) -> Tensor:
        weight = (self.weight * self.gain).flip((2, 3)).permute(0, 2, 3, 1).flatten(0, 2)
        return F.linear(z, weight).unflatten(1, (-1, 4, 4)) + self.bias


class ProGAN(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the latent code (and label) itself.

    Layer k is the k-th convolution; the last one, with the projection to RGB, is the image. Names of parameters:
    layer{k} and output{block}.
    """

    def __init__(self, config: ProGANConfig):
        super().__init__(
            layer_resolutions(config.resolution),
            z_dim=config.z_dim,
            w_dim=config.z_dim + config.c_dim,
            img_channels=config.img_channels,
            c_dim=config.c_dim,
        )
        self.config = config
        below = self.w_dim
        for block, channels in enumerate(config.block_channels):
            first = FirstLayer(below, channels) if block == 0 else Convolution(below, channels, 3, HE_GAIN)
            self.add_module(f"layer{2 * block}", first)
            self.add_module(f"layer{2 * block + 1}", Convolution(channels, channels, 3, HE_GAIN))
            self.add_module(f"output{block}", Convolution(channels, config.img_channels, 1, 1.0))
            below = channels

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first: only the first layer has one."""
        if layer > 0:
            return ()
        first: Any = self.get_submodule("layer0")
        return (first.weight[:, : self.z_dim].movedim(1, 3).flatten(0, 2),)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "progan" if self.config.lod == 0 else f"progan (level of detail {self.config.lod:g})"

    def coded(self, z: Tensor, c: Tensor | None, psi: float) -> Tensor:
        """Codes beside their labels."""
        if psi != 1:
            if self.config.normalize_latents:
                raise GanwalkError("ProGAN scales its latent codes to unit length: truncation has no effect, drop it")
            z = z * psi
        if self.c_dim > 0 and c is not None:
            z = torch.cat([z, c.to(z.dtype)], dim=1)
        return z

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Only the first layer's code enters; there is no noise.
        """
        last = check_layer(until, self.num_layers)
        z = self.entering(w)
        x = pixel_norm(z) if self.config.normalize_latents else z
        if last < self.num_layers - 1:
            for k in range(last + 1):
                x = self._layer(k, x)
            return x

        done = 0

        def features(block: int) -> Tensor:
            nonlocal x, done
            for k in range(done, 2 * block + 2):
                x = self._layer(k, x)
            done = 2 * block + 2
            return x

        image = faded_image(
            self.config.lod,
            len(self.config.block_channels),
            features,
            lambda block, x: self.get_submodule(f"output{block}")(x),
        )
        return torch.tanh(image) if self.config.tanh else image

    def _layer(self, k: int, x: Tensor) -> Tensor:
        layer = self.get_submodule(f"layer{k}")
        x = layer(x) if k == 0 else layer(x, up=k % 2 == 0)
        x = F.leaky_relu(x, self.config.slope)
        return pixel_norm(x) if self.config.pixel_norm else x
