"""The FastGAN of Projected GAN (Liu et al., ICLR 2021; Sauer et al., NeurIPS 2021): gated units, skips between sizes.

Early features gate late ones, channel by channel. Spectral and batch normalisation, which are constant once trained,
lie in the weights; with classes, batch normalisation is scaled and shifted by the embedded class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.configs import MAX_DIM, check_sizes, check_types
from ganwalk.generators.filters import gated
from ganwalk.generators.mapping import normalize_second_moment
from ganwalk.generators.noise import add_noise, constant_noise
from ganwalk.generators.progressive import block_count, upsample_convolution
from ganwalk.generators.unstyled import Unstyled

SIZES = (128, 256, 512, 1024)
# The features that are gated, and those that the gate is made of.
GATES = {64: 4, 128: 8, 256: 16, 512: 32}


@dataclass(frozen=True)
class FastGANConfig:
    """Everything that fixes the shape and the arithmetic of the generator.

    Attributes:
        resolution: of its images, 128 to 1024 px.
        channels: of the features of each layer, from 4 px up; every layer doubles the size.
        full: each block but the first has two convolutions and noise; otherwise ("lite") one, and none.
        z_dim: of the latent code.
        c_dim: number of classes (0: unconditional).
        embed_dim: of an embedded class; 0 without classes.
        img_channels: of the image.
    """

    resolution: int
    channels: tuple[int, ...]
    full: bool = True
    z_dim: int = 256
    c_dim: int = 0
    embed_dim: int = 0
    img_channels: int = 3

    def __post_init__(self) -> None:
        check_types(self, "FastGAN")
        if self.resolution not in SIZES:
            raise GanwalkError(f"FastGAN's resolution must be one of {SIZES}, not {self.resolution!r:.20}")
        if len(self.channels) != block_count(self.resolution):
            raise GanwalkError(f"FastGAN's channels must be {block_count(self.resolution)} at {self.resolution} px")
        check_sizes("FastGAN", (*self.channels, self.z_dim, self.img_channels))
        conditional = self.c_dim > 0
        if not 0 <= self.c_dim <= MAX_DIM or not conditional <= self.embed_dim <= conditional * MAX_DIM:
            raise GanwalkError(f"FastGAN cannot have {self.c_dim} classes of {self.embed_dim} dimensions")

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        return tuple(4 * 2**layer for layer in range(len(self.channels)))


class Unit(nn.Module):
    """Convolution, noise, batch normalisation and a gated linear unit."""

    noise_const: Tensor

    def __init__(self, config: FastGANConfig, below: int, channels: int, size: int, seed: int):
        super().__init__()
        self.conv = nn.Conv2d(below, 2 * channels, 3, padding=1)
        if config.full:
            self.noise_strength = nn.Parameter(torch.zeros(2 * channels))
            self.register_buffer("noise_const", constant_noise(size, seed), persistent=False)
        if config.c_dim > 0:
            self.gain = nn.Linear(config.embed_dim, 2 * channels)
            self.shift = nn.Linear(config.embed_dim, 2 * channels)

    def forward(self, x: Tensor, embedded: Tensor, noise: Noise, rng: torch.Generator | None, up: bool) -> Tensor:
        """Features of features; `embedded` (n, embed_dim) is the class, without columns if there are none."""
        conv: Any = self.conv
        x = upsample_convolution(x, conv.weight) + conv.bias[:, None, None] if up else conv(x)
        if hasattr(self, "noise_strength"):
            x = add_noise(x, self.noise_strength, self.noise_const, noise, rng)
        if hasattr(self, "gain"):
            x = x * (1 + self.gain(embedded)[:, :, None, None]) + self.shift(embedded)[:, :, None, None]
        return gated(x)


class Gate(nn.Module):
    """Factors in [0, 1] for every channel, from features of a smaller size."""

    def __init__(self, below: int, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(below, channels, 4, bias=False)
        self.conv2 = nn.Conv2d(channels, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(F.silu(self.conv1(F.adaptive_avg_pool2d(x, 4)))).sigmoid()


class FastGAN(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the code beside its embedded class.

    A layer is all that happens at one size, its gate included; the last one, with the projection to RGB, is the image.
    """

    def __init__(self, config: FastGANConfig):
        super().__init__(
            config.layer_resolutions,
            z_dim=config.z_dim,
            w_dim=config.z_dim + config.embed_dim,
            img_channels=config.img_channels,
            c_dim=config.c_dim,
        )
        self.config = config
        if config.c_dim > 0:
            self.embedding = nn.Embedding(config.c_dim, config.embed_dim)
        channels = dict(zip(config.layer_resolutions, config.channels, strict=True))
        self.first = nn.ConvTranspose2d(config.z_dim, 2 * channels[4], 4)
        for size in config.layer_resolutions[1:]:
            units = [Unit(config, channels[size // 2], channels[size], size, seed=size)]
            if config.full:
                units.append(Unit(config, channels[size], channels[size], size, seed=size + 1))
            self.add_module(f"block{size}", nn.ModuleList(units))
            if size in GATES:
                self.add_module(f"gate{size}", Gate(channels[GATES[size]], channels[size]))
        self.output = nn.Conv2d(config.channels[-1], config.img_channels, 3, padding=1)

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first: only the first layer has one."""
        return (self.first.weight.flatten(1).T,) if layer == 0 else ()

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "fastgan" if self.config.full else "fastgan (lite)"

    def coded(self, z: Tensor, c: Tensor | None, psi: float) -> Tensor:
        """Codes beside their embedded classes: of labels that are not one-hot, the largest entry, as officially."""
        if psi != 1:
            raise GanwalkError("FastGAN scales its latent codes to unit length: truncation has no effect, drop it")
        if self.c_dim > 0 and c is not None:
            z = torch.cat([z, self.embedding(c.argmax(dim=1)).to(z.dtype)], dim=1)
        return z

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Args:
            w: only the first layer's code enters.
            until: layer to stop after; the last one is the image.
            noise: of full blocks. "const" is the same for all samples, in every process; "random" is drawn anew.
            seed: of the random noise; None takes torch's global generator.
        """
        last = check_layer(until, self.num_layers)
        code, embedded = self.entering(w).split([self.z_dim, self.config.embed_dim], dim=1)
        rng = None if seed is None else rng_of(seed, w.device)
        features = {4: gated(self.first(normalize_second_moment(code)[:, :, None, None]))}
        for size in self.layer_resolutions[1 : last + 1]:
            x = features[size // 2]
            block: Any = self.get_submodule(f"block{size}")
            for index, unit in enumerate(block):
                x = unit(x, embedded, noise, rng, up=index == 0)
            if size in GATES:
                x = x * self.get_submodule(f"gate{size}")(features[GATES[size]])
            features[size] = x
        x = features[self.layer_resolutions[last]]
        return self.output(x) if last == self.num_layers - 1 else x
