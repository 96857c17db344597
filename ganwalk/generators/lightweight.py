"""The generator of lucidrains/lightweight-gan, close to FastGAN (Liu et al., ICLR 2021): gated units, skips by channel.

Batch normalisation, which is affine once trained, lies in the weights.
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
from ganwalk.generators.configs import check_sizes, check_types
from ganwalk.generators.filters import depthwise_fir, gated
from ganwalk.generators.lucidrains import HEAD_DIM, HEADS, ChannelNorm, linear_attention
from ganwalk.generators.noise import add_noise, constant_noise
from ganwalk.generators.unstyled import Unstyled

# Layers that reach 2048 px at most.
_MAX_LAYERS = 9
# Layers whose output gates, and the layers whose output they gate, counted from the first that doubles the size.
_GATES = ((1, 4), (2, 5), (3, 6), (4, 7))


@dataclass(frozen=True)
class LightweightConfig:
    """Everything that fixes the shape and the arithmetic of the generator.

    Attributes:
        channels: of the features after each layer that doubles the size, from 8 px up.
        latent_dim: of z, and of the features at 4 px.
        attention: layers that attention precedes, counted from 0 at 8 px.
        gate_channels: inside each gate of late features by early ones: 128 px has one, 256 px two, 1024 px four.
        frequencies: gates weigh early features by cosines (Qin et al., "FcaNet", ICCV 2021) instead of attention.
        img_channels: 3, 1 (grey) or 4 (with opacity).
    """

    channels: tuple[int, ...]
    latent_dim: int = 256
    attention: tuple[int, ...] = ()
    gate_channels: tuple[int, ...] = ()
    frequencies: bool = False
    img_channels: int = 3

    def __post_init__(self) -> None:
        check_types(self, "lightweight-gan")
        layers = len(self.channels)
        if not 1 <= layers <= _MAX_LAYERS:
            raise GanwalkError(f"a lightweight-gan has 1 to {_MAX_LAYERS} layers, not {layers}")
        check_sizes("lightweight-gan", (*self.channels, *self.gate_channels, self.latent_dim, self.img_channels))
        if not set(self.attention) <= set(range(layers)):
            raise GanwalkError(f"attention must precede layers 0 to {layers - 1}, not {self.attention!r:.60}")
        if len(self.gate_channels) != len(self.gates):
            raise GanwalkError(f"a lightweight-gan of {self.resolution} px has {len(self.gates)} gates")

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        return tuple(4 * 2**layer for layer in range(len(self.channels) + 1))

    @property
    def resolution(self) -> int:
        return self.layer_resolutions[-1]

    @property
    def gates(self) -> tuple[tuple[int, int], ...]:
        """Layers that gate, with those that they gate."""
        return tuple((source, target) for source, target in _GATES if target < len(self.channels))


class Attention(nn.Module):
    """Linear attention to the whole map beside attention to each pixel's neighbourhood of 3×3."""

    def __init__(self, channels: int):
        super().__init__()
        inner = HEADS * HEAD_DIM
        self.norm = ChannelNorm(channels)
        self.to_lin_q = nn.Conv2d(channels, inner, 1, bias=False)
        self.to_lin_kv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, 2 * inner, 1, bias=False),
        )
        self.to_q = nn.Conv2d(channels, inner, 1, bias=False)
        self.to_kv = nn.Conv2d(channels, 2 * inner, 1, bias=False)
        self.to_out = nn.Conv2d(2 * inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        whole = linear_attention(self.to_lin_q(y), *self.to_lin_kv(y).chunk(2, dim=1))
        near = neighbourhood_attention(self.to_q(y), *self.to_kv(y).chunk(2, dim=1))
        return x + self.to_out(torch.cat([whole, near], dim=1))


def neighbourhood_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention of every pixel to itself and its eight neighbours, zeros beyond the edge included: as the maps' shape.

    Shift by shift, so that no map is held nine times.
    """
    n, _, height, width = query.shape
    padded = (query * HEAD_DIM**-0.5, F.pad(key, (1, 1, 1, 1)), F.pad(value, (1, 1, 1, 1)))
    q, k, v = (maps.reshape(n, HEADS, HEAD_DIM, *maps.shape[2:]) for maps in padded)
    places = [(..., slice(i, i + height), slice(j, j + width)) for i in range(3) for j in range(3)]
    weights = torch.stack([(q * k[place]).sum(dim=2, keepdim=True) for place in places]).softmax(dim=0)
    out = torch.zeros_like(q)
    for weight, place in zip(weights, places, strict=True):
        out = out + weight * v[place]
    return out.reshape(query.shape)


class Layer(nn.Module):
    """Twice the height and width, by a 1×1 convolution whose channels become pixels; a blur; a gated convolution."""

    taps: Tensor
    noise_const: Tensor

    def __init__(self, config: LightweightConfig, index: int):
        super().__init__()
        below = config.latent_dim if index == 0 else config.channels[index - 1]
        channels, size = config.channels[index], config.layer_resolutions[index + 1]
        if index in config.attention:
            self.attention = Attention(below)
        self.expand = nn.Conv2d(below, 4 * below, 1)
        self.conv = nn.Conv2d(below, 2 * channels, 4)
        self.noise_strength = nn.Parameter(torch.zeros(2 * channels))
        # On the CPU even while the module is built without memory ("meta"): no file stores them.
        self.register_buffer("noise_const", constant_noise(size, seed=size), persistent=False)
        self.register_buffer("taps", torch.tensor([0.25, 0.5, 0.25], device="cpu"), persistent=False)

    def forward(self, x: Tensor, noise: Noise, rng: torch.Generator | None) -> Tensor:
        if hasattr(self, "attention"):
            x = self.attention(x)
        x = F.pixel_shuffle(F.silu(self.expand(x)), 2)
        x = depthwise_fir(F.pad(x, (1, 1, 1, 1), mode="reflect"), self.taps, 1.0, (0, 0))
        x = self.conv(F.pad(x, (2, 1, 2, 1)))
        return gated(add_noise(x, self.noise_strength, self.noise_const, noise, rng))


class Gate(nn.Module):
    """Factors in [0, 1] for every channel of late features (n, channels, 1, 1), from early ones."""

    dct_weights: Tensor

    def __init__(self, config: LightweightConfig, number: int):
        super().__init__()
        source, target = config.gates[number]
        below, size = config.channels[source], config.layer_resolutions[source + 1]
        if config.frequencies:
            self.register_buffer("dct_weights", torch.ones(1, below, size, size))
        else:
            self.to_k = nn.Conv2d(below, 1, 1)
        hidden = config.gate_channels[number]
        self.conv1 = nn.Conv2d(below, hidden, 1)
        self.conv2 = nn.Conv2d(hidden, config.channels[target], 1)

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self, "to_k"):
            weights = self.to_k(x).flatten(2).softmax(dim=2)
            x = (x.flatten(2) @ weights.transpose(1, 2))[..., None]
        else:
            x = (x * self.dct_weights).sum(dim=(2, 3), keepdim=True)
        return self.conv2(F.leaky_relu(self.conv1(x), 0.1)).sigmoid()


class Lightweight(Unstyled):
    """Implements `ganwalk.generators.base.Generator` without a mapping: `w` is the latent code itself.

    Layer 0 is at 4 px, the others double the size; the last one, with the convolution to RGB, is the image. The
    networks paint in [0, 1]; images are rescaled to [-1, 1].
    """

    def __init__(self, config: LightweightConfig):
        super().__init__(
            config.layer_resolutions,
            z_dim=config.latent_dim,
            w_dim=config.latent_dim,
            img_channels=config.img_channels,
        )
        self.config = config
        self.initial = nn.ConvTranspose2d(config.latent_dim, 2 * config.latent_dim, 4)
        self.layers = nn.ModuleList(Layer(config, index) for index in range(len(config.channels)))
        self.gates = nn.ModuleList(Gate(config, number) for number in range(len(config.gates)))
        self.output = nn.Conv2d(config.channels[-1], config.img_channels, 3, padding=1)

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, z_dim) that the latent code meets first: only the first layer has one."""
        return (self.initial.weight.flatten(1).T,) if layer == 0 else ()

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "lightweight-gan (attention)" if self.config.attention else "lightweight-gan"

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, img_channels, resolution, resolution) of what `mapping` gives, or features after layer `until`.

        Args:
            w: only the first layer's code enters.
            until: layer to stop after; the last one is the image.
            noise: "const" is the same for all samples, in every process; "random" is drawn anew for each.
            seed: of the random noise; None takes torch's global generator.
        """
        last = check_layer(until, self.num_layers)
        rng = None if seed is None else rng_of(seed, w.device)
        code = self.entering(w)[:, :, None, None]
        x = F.normalize(gated(self.initial(code)), dim=1)
        sources = dict(self.config.gates)
        waiting: dict[int, Tensor] = {}
        for index, part in enumerate(self.layers[:last]):
            layer: Any = part
            x = layer(x, noise, rng)
            gate = waiting.pop(index, None)
            if index in sources:
                waiting[sources[index]] = self.gates[list(sources).index(index)](x)
            x = x if gate is None else x * gate
        return self.output(x) * 2 - 1 if last == self.num_layers - 1 else x
