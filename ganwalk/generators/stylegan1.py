"""StyleGAN (Karras et al., "A Style-Based Generator Architecture for GANs", CVPR 2019): AdaIN after every layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer, truncate
from ganwalk.generators.channels import WithChannelStyles, affine_outputs
from ganwalk.generators.configs import MAX_DIM, MAX_MAPPING_LAYERS, check_sizes, check_types
from ganwalk.generators.filters import depthwise_fir
from ganwalk.generators.mapping import normalize_second_moment
from ganwalk.generators.progressive import (
    HE_GAIN,
    block_count,
    check_lod,
    faded_image,
    layer_resolutions,
    upsample_convolution,
)

_SLOPE = 0.2


@dataclass(frozen=True)
class StyleGAN1Config:
    """Everything that fixes the shape and the arithmetic of a StyleGAN generator.

    Attributes:
        block_channels: channels of each block, from 4 px up.
        mapping_features: width of the mapping's inner layers; None is w_dim.
        label_features: features that a label becomes, for class-conditional networks; None is z_dim.
        lod: level of detail: 0 is full resolution, 0.4 blends in 40 % of the coarser image, as training left it.
        tanh: whether the image passes through a tanh.
        rectified_twice: whether up-sampling layers add their bias and rectify before they blur, too, as OpenMMLab's.
        norm_epsilon: added to the variances that AdaIN divides by.
    """

    resolution: int
    block_channels: tuple[int, ...]
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0
    img_channels: int = 3
    mapping_layers: int = 8
    mapping_features: int | None = None
    mapping_lr: float = 0.01
    label_features: int | None = None
    normalize_latents: bool = True
    lod: float = 0.0
    tanh: bool = False
    rectified_twice: bool = False
    norm_epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_types(self, "StyleGAN")
        optional = [n for n in (self.mapping_features, self.label_features) if n is not None]
        sizes = (self.z_dim, self.w_dim, self.img_channels, self.mapping_layers, *optional)
        check_sizes("StyleGAN", sizes, self.resolution)
        blocks = block_count(self.resolution)
        if len(self.block_channels) != blocks:
            raise GanwalkError(f"StyleGAN's block_channels must be {blocks} numbers at {self.resolution} px")
        check_sizes("StyleGAN", self.block_channels)
        if not 0 <= self.c_dim <= MAX_DIM or self.mapping_layers > MAX_MAPPING_LAYERS or self.mapping_lr <= 0:
            raise GanwalkError("StyleGAN's mapping is beyond anything that exists")
        check_lod(self.lod, self.resolution, "StyleGAN")
        if not 0 < self.norm_epsilon < 1:
            raise GanwalkError(f"StyleGAN's norm_epsilon must lie between 0 and 1, not {self.norm_epsilon:g}")


class Linear(nn.Module):
    """Equalised linear layer: weight·lr·gain/√in, bias·lr."""

    def __init__(self, in_features: int, out_features: int, lr: float = 1.0, gain: float = 1.0):
        super().__init__()
        weight = torch.randn(out_features, in_features)
        # Arithmetic without memory would import torch's compiler, which takes a second or two.
        self.weight = nn.Parameter(weight if weight.is_meta else weight / lr)
        self.bias = nn.Parameter(torch.zeros(out_features))
        self.weight_gain = lr * gain / math.sqrt(in_features)
        self.bias_gain = lr

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.weight_gain, self.bias * self.bias_gain)


class Mapping(nn.Module):
    """z (and label) → style w."""

    w_avg: Tensor

    def __init__(self, config: StyleGAN1Config):
        super().__init__()
        self.config = config
        width = config.z_dim
        if config.c_dim > 0:
            label_features = config.label_features or config.z_dim
            self.label_weight = nn.Parameter(torch.randn(config.c_dim, label_features))
            width += label_features
        hidden = config.mapping_features or config.w_dim
        widths = [width] + [hidden] * (config.mapping_layers - 1) + [config.w_dim]
        for i in range(config.mapping_layers):
            self.add_module(f"fc{i}", Linear(widths[i], widths[i + 1], config.mapping_lr, HE_GAIN))
        self.register_buffer("w_avg", torch.zeros(config.w_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and labels (n, c_dim)."""
        config = self.config
        check_codes(z, config.z_dim, c, config.c_dim)
        x = z
        if config.c_dim > 0 and c is not None:
            x = torch.cat([x, c.to(x.dtype) @ self.label_weight], dim=1)
        if config.normalize_latents:
            x = normalize_second_moment(x)
        for i in range(config.mapping_layers):
            x = F.leaky_relu(self.get_submodule(f"fc{i}")(x), _SLOPE)
        w = broadcast_styles(x, 2 * len(config.block_channels), config.w_dim)
        return truncate(w, self.w_avg, truncation_psi, truncation_cutoff)


class Layer(nn.Module):
    """Convolution (the first layer of all: a constant), noise, bias, rectifier, AdaIN."""

    noise_const: Tensor
    taps: Tensor

    def __init__(self, config: StyleGAN1Config, k: int):
        super().__init__()
        block = k // 2
        channels = config.block_channels[block]
        self.up = k > 0 and k % 2 == 0
        self.rectified_twice = self.up and config.rectified_twice
        self.epsilon = config.norm_epsilon
        if k == 0:
            self.const = nn.Parameter(torch.ones(1, channels, 4, 4))
        else:
            below = config.block_channels[block - 1] if self.up else channels
            self.weight = nn.Parameter(torch.randn(channels, below, 3, 3))
            self.gain = HE_GAIN / math.sqrt(9 * below)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.noise_strength = nn.Parameter(torch.zeros(channels))
        size = 4 * 2**block
        self.register_buffer("noise_const", torch.randn(size, size))
        self.affine = Linear(config.w_dim, 2 * channels)
        # On the CPU even while the module is built without memory ("meta"): no file stores it.
        self.register_buffer("taps", torch.tensor([0.25, 0.5, 0.25], device="cpu"), persistent=False)

    def forward(self, x: Tensor | None, style: Tensor, noise: Noise, rng: torch.Generator | None) -> Tensor:
        """Features (n, channels, h, w) of those below and of what the affine layer made of w, (n, 2 · channels)."""
        if x is None:
            x = self.const.expand(len(style), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        elif self.up:
            x = upsample_convolution(x, self.weight * self.gain)
            if self.rectified_twice:
                x = F.leaky_relu(x + self.bias[:, None, None], _SLOPE)
            x = depthwise_fir(x, self.taps, 1.0, (1, 1))
        else:
            x = F.conv2d(x, self.weight * self.gain, padding=1)
        bias = torch.zeros_like(self.bias) if self.rectified_twice else self.bias
        shift = bias[:, None, None]
        if noise != "none":
            pixels = self.noise_const
            if noise == "random":
                pixels = torch.randn(len(style), 1, *x.shape[2:], generator=rng, device=x.device, dtype=x.dtype)
            shift = shift + pixels * self.noise_strength[:, None, None]
        return adaptive_instance_norm(F.leaky_relu(x + shift, _SLOPE), style, self.epsilon)


def adaptive_instance_norm(x: Tensor, style: Tensor, epsilon: float = 1e-8) -> Tensor:
    """AdaIN (equation 1): every channel normalised over its pixels, then scaled by style + 1 and shifted by style.

    Args:
        x: features (n, c, h, w).
        style: (n, 2c), scales before shifts.
        epsilon: added to the variance.
    """
    scale, shift = (style.unflatten(1, (2, -1))[:, :, :, None, None]).unbind(1)
    mean = x.mean(dim=(2, 3), keepdim=True)
    variance = (x - mean).square().mean(dim=(2, 3), keepdim=True)
    scale = (scale + 1) * (variance + epsilon).rsqrt()
    return torch.addcmul(shift - mean * scale, x, scale)


class ToRGB(nn.Module):
    """Equalised 1×1 convolution to image channels."""

    def __init__(self, channels: int, img_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(img_channels, channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(img_channels))
        self.gain = 1 / math.sqrt(channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.gain, self.bias)


class Synthesis(nn.Module):
    """Styles → image, or the features after any layer."""

    def __init__(self, config: StyleGAN1Config):
        super().__init__()
        self.config = config
        for block, channels in enumerate(config.block_channels):
            self.add_module(f"layer{2 * block}", Layer(config, 2 * block))
            self.add_module(f"layer{2 * block + 1}", Layer(config, 2 * block + 1))
            self.add_module(f"output{block}", ToRGB(channels, config.img_channels))

    def forward(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Image (n, img_channels, resolution, resolution), or features (n, channels, h, w) after layer `until`.

        Args:
            w: styles (n, num_layers, w_dim), or (n, w_dim) for all layers; or channel styles (n, 1, S), of which a
                layer has scales before shifts.
            until: layer to stop after; nothing beyond it is computed.
            noise: per-pixel noise: "none", "const" (that of the checkpoint) or "random".
            seed: seed of the random noise; None takes torch's global generator.
        """
        config = self.config
        num_layers = 2 * len(config.block_channels)
        last = check_layer(until, num_layers)
        styles = affine_outputs(w, self.affines(), last, num_layers, config.w_dim)
        rng = None if seed is None else rng_of(seed, w.device)
        x: Any = None
        done = 0

        def features(layer: int) -> Tensor:
            nonlocal x, done
            for k in range(done, layer + 1):
                x = self.get_submodule(f"layer{k}")(x, styles[k], noise, rng)
            done = layer + 1
            return x

        if last < num_layers - 1:
            return features(last)
        image = faded_image(
            config.lod,
            len(config.block_channels),
            lambda block: features(2 * block + 1),
            lambda block, x: self.get_submodule(f"output{block}")(x),
        )
        return torch.tanh(image) if config.tanh else image

    def affines(self) -> list[tuple[int, Linear]]:
        """The affine layer of each layer."""
        modules: list[Any] = [self.get_submodule(f"layer{k}") for k in range(2 * len(self.config.block_channels))]
        return [(layer, module.affine) for layer, module in enumerate(modules)]


class StyleGAN1(WithChannelStyles, nn.Module):
    """The complete generator (see `ganwalk.generators.base.Generator`).

    Layer k is the k-th of the layers that a style enters; the last one, with the projection to RGB, is the image.
    """

    style_based = True

    def __init__(self, config: StyleGAN1Config):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.resolution, self.img_channels = config.resolution, config.img_channels
        self.image_size = (config.resolution, config.resolution)
        self.layer_resolutions = layer_resolutions(config.resolution)
        self.num_layers = len(self.layer_resolutions)
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def w_avg(self) -> Tensor:
        return self.mapping.w_avg

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, w_dim) that the style of a layer meets first."""
        return (self.synthesis.affines()[layer][1].weight,)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return "stylegan1" if self.config.lod == 0 else f"stylegan1 (level of detail {self.config.lod:g})"

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes, with the constant noise."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
