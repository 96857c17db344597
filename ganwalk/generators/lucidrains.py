"""The StyleGAN2 of lucidrains/stylegan2-pytorch: an architecture of its own, close to Karras et al. (CVPR 2020).

What differs from NVIDIA's: one style drives a whole block; styles modulate as 1 + s, from plain linear layers; features
grow by bilinear interpolation before the convolution; noise is one uniform image that every block crops; a convolution
follows the constant; and linear attention (Shen et al., "Efficient Attention", WACV 2021) may come before a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer, truncate
from ganwalk.generators.configs import MAX_MAPPING_LAYERS, check_sizes, check_types
from ganwalk.generators.filters import depthwise_fir

# Blocks of 4 px to 4096 px: above any that was trained, and the noise image stays below 64 MB.
_MAX_BLOCKS = 11
HEADS, HEAD_DIM = 8, 64
_NOISE_SEED = 0


@dataclass(frozen=True)
class LucidrainsConfig:
    """Everything that fixes the shape and the arithmetic of the generator.

    Attributes:
        channels: of the features of each block, from 4 px up; the number of blocks fixes the resolution. With their
            options: min(network_capacity · 2^(blocks - k), fmap_max) for block k.
        latent_dim: of z and of the styles.
        style_depth: linear layers of the mapping.
        lr_mlp: factor of the mapping's weights. Files do not hold it; 0.1 is the default of the code that writes them.
        transparent: images have a fourth channel, the opacity.
        attn_layers: blocks that attention precedes, counted as theirs from 1 at the largest resolution.
        no_const: the 4 px input is made of the mean style instead of a learned constant.
        blur: RGB images are blurred after they grow, as since version 1.1.
    """

    channels: tuple[int, ...]
    latent_dim: int = 512
    style_depth: int = 8
    lr_mlp: float = 0.1
    transparent: bool = False
    attn_layers: tuple[int, ...] = ()
    no_const: bool = False
    blur: bool = True

    def __post_init__(self) -> None:
        check_types(self, "StyleGAN2 (lucidrains)")
        if not 1 <= len(self.channels) <= _MAX_BLOCKS:
            raise GanwalkError(f"a lucidrains StyleGAN2 has 1 to {_MAX_BLOCKS} blocks, not {len(self.channels)}")
        check_sizes("StyleGAN2 (lucidrains)", (*self.channels, self.latent_dim, self.style_depth))
        if self.style_depth > MAX_MAPPING_LAYERS:
            raise GanwalkError("StyleGAN2 (lucidrains) dimensions are beyond anything that exists")
        if self.lr_mlp <= 0:
            raise GanwalkError("the mapping's learning rate must be positive")
        if not set(self.attn_layers) <= set(range(1, len(self.channels) + 1)):
            raise GanwalkError(f"attn_layers must be blocks 1 to {len(self.channels)}, not {self.attn_layers!r:.60}")

    @property
    def num_layers(self) -> int:
        return len(self.channels)

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        return tuple(4 * 2**block for block in range(self.num_layers))

    @property
    def img_resolution(self) -> int:
        return self.layer_resolutions[-1]

    @property
    def img_channels(self) -> int:
        return 4 if self.transparent else 3

    def has_attention(self, block: int) -> bool:
        """Whether attention precedes block `block`, counted from 0 at 4 px."""
        return self.num_layers - block in self.attn_layers


class ScaledLinear(nn.Module):
    """Linear layer whose weight and bias are multiplied by lr, then leaky ReLU."""

    def __init__(self, features: int, lr: float):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(features, features))
        self.bias = nn.Parameter(torch.zeros(features))
        self.lr = lr

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(F.linear(x, self.weight * self.lr, self.bias * self.lr), 0.2)


class Mapping(nn.Module):
    """z → style w; z is scaled to unit length first."""

    w_avg: Tensor

    def __init__(self, config: LucidrainsConfig):
        super().__init__()
        self.config = config
        self.layers = nn.Sequential(
            *(ScaledLinear(config.latent_dim, config.lr_mlp) for _ in range(config.style_depth))
        )
        self.register_buffer("w_avg", torch.zeros(config.latent_dim))

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, num_layers, latent_dim) of latent codes (n, latent_dim)."""
        config = self.config
        check_codes(z, config.latent_dim)
        w = broadcast_styles(self.layers(F.normalize(z, dim=1)), config.num_layers, config.latent_dim)
        return truncate(w, self.w_avg, truncation_psi, truncation_cutoff)


class ModulatedConv(nn.Module):
    """Convolution whose weight is multiplied by 1 + style per input channel, normalised per output channel.

    As in `stylegan2.StyledConv`, the input is scaled instead of the weight, and the output instead of normalising it.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, demodulate: bool = True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.demodulate = demodulate

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale = style + 1
        x = F.conv2d(x * scale[:, :, None, None], self.weight, padding=self.weight.shape[2] // 2)
        if not self.demodulate:
            return x
        demod = (scale.square() @ self.weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()
        return x * demod[:, :, None, None]


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to image channels."""

    def __init__(self, config: LucidrainsConfig, in_channels: int):
        super().__init__()
        self.to_style = nn.Linear(config.latent_dim, in_channels)
        self.conv = ModulatedConv(in_channels, config.img_channels, 1, demodulate=False)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        return self.conv(x, self.to_style(w))


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of every pixel."""

    def __init__(self, channels: int):
        super().__init__()
        self.g = nn.Parameter(torch.ones(1, channels, 1, 1))
        self.b = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        variance, mean = torch.var_mean(x, dim=1, correction=0, keepdim=True)
        return (x - mean) * (variance + 1e-5).rsqrt() * self.g + self.b


def linear_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """gelu(softmax(q) · softmax(k)ᵀ v), head by head, of maps (n, HEADS·HEAD_DIM, h, w).

    Its cost grows with the number of pixels, not with its square.
    """
    q, k, v = (t.reshape(len(t), HEADS, HEAD_DIM, -1) for t in (query, key, value))
    context = k.softmax(dim=3) @ v.transpose(2, 3)
    out = context.transpose(2, 3) @ (q.softmax(dim=2) * HEAD_DIM**-0.5)
    return F.gelu(out.reshape(query.shape))


class Attention(nn.Module):
    """Linear self-attention and a feed-forward layer, each added to its input."""

    def __init__(self, channels: int):
        super().__init__()
        inner = HEADS * HEAD_DIM
        self.attention_norm = ChannelNorm(channels)
        self.to_q = nn.Conv2d(channels, inner, 1, bias=False)
        self.to_kv = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
            nn.Conv2d(channels, 2 * inner, 1, bias=False),
        )
        self.to_out = nn.Conv2d(inner, channels, 1)
        self.feedforward_norm = ChannelNorm(channels)
        self.feedforward = nn.Sequential(
            nn.Conv2d(channels, 2 * channels, 1), nn.LeakyReLU(0.2), nn.Conv2d(2 * channels, channels, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.attention_norm(x))
        return x + self.feedforward(self.feedforward_norm(x))

    def _attend(self, x: Tensor) -> Tensor:
        return self.to_out(linear_attention(self.to_q(x), *self.to_kv(x).chunk(2, dim=1)))


class Block(nn.Module):
    """Two modulated convolutions with noise; above 4 px the features are doubled first."""

    def __init__(self, config: LucidrainsConfig, index: int):
        super().__init__()
        channels = config.channels[index]
        below = config.channels[max(index - 1, 0)]
        self.up = index > 0
        if config.has_attention(index):
            self.attention = Attention(below)
        self.to_style1 = nn.Linear(config.latent_dim, below)
        self.to_noise1 = nn.Linear(1, channels)
        self.conv1 = ModulatedConv(below, channels, 3)
        self.to_style2 = nn.Linear(config.latent_dim, channels)
        self.to_noise2 = nn.Linear(1, channels)
        self.conv2 = ModulatedConv(channels, channels, 3)
        self.to_rgb = ToRGB(config, channels)

    def forward(self, x: Tensor, w: Tensor, noise: Tensor) -> Tensor:
        """Features (n, channels, h, w) of noise (n or 1, resolution, resolution), of which a corner is used."""
        if hasattr(self, "attention"):
            x = self.attention(x)
        if self.up:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        # Their noise is transposed: its first axis runs along the width.
        corner = noise[:, : x.shape[3], : x.shape[2], None]
        x = self.conv1(x, self.to_style1(w)) + self.to_noise1(corner).permute(0, 3, 2, 1)
        x = F.leaky_relu(x, 0.2)
        x = self.conv2(x, self.to_style2(w)) + self.to_noise2(corner).permute(0, 3, 2, 1)
        return F.leaky_relu(x, 0.2)


class Synthesis(nn.Module):
    """Styles → image, or the features after any block but the last."""

    noise_const: Tensor
    taps: Tensor

    def __init__(self, config: LucidrainsConfig):
        super().__init__()
        self.config = config
        first = config.channels[0]
        if config.no_const:
            self.to_initial_block = nn.ConvTranspose2d(config.latent_dim, first, 4, bias=False)
        else:
            self.initial_block = nn.Parameter(torch.randn(1, first, 4, 4))
        self.initial_conv = nn.Conv2d(first, first, 3, padding=1)
        self.blocks = nn.ModuleList(Block(config, index) for index in range(config.num_layers))
        # On the CPU even while the module is built without memory ("meta"): no file stores them.
        rng, size = rng_of(_NOISE_SEED), config.img_resolution
        self.register_buffer("noise_const", torch.rand(1, size, size, generator=rng, device="cpu"), persistent=False)
        self.register_buffer("taps", torch.tensor([0.25, 0.5, 0.25], device="cpu"), persistent=False)

    def forward(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Image (n, img_channels, resolution, resolution), or features (n, channels, h, w) after block `until`.

        The networks paint in [0, 1]; images are rescaled to [-1, 1].

        Args:
            w: styles (n, num_layers, latent_dim), or (n, latent_dim) for all blocks.
            until: block to stop after; the last one is the image. With `no_const` it depends on all styles.
            noise: "const" is one uniform image for all samples, the same in every process; "random" is one for each
                sample; "none" is its mean, 0.5 at every pixel, since the networks never saw an image without noise.
            seed: seed of the random noise; None takes torch's global generator.
        """
        config = self.config
        last = check_layer(until, config.num_layers)
        styles = broadcast_styles(w, config.num_layers, config.latent_dim)
        image = None
        per_pixel = self._noise(styles, noise, seed)
        x = self.initial_conv(self._initial(styles))
        for index, block in enumerate(self.blocks):
            x = block(x, styles[:, index], per_pixel)
            if index == last < config.num_layers - 1:
                return x
            if last == config.num_layers - 1:
                rgb = block.to_rgb(x, styles[:, index])  # type: ignore[operator]
                image = rgb if image is None else self._enlarged(image) + rgb
        assert image is not None
        return image * 2 - 1

    def _initial(self, styles: Tensor) -> Tensor:
        if self.config.no_const:
            x = self.to_initial_block(styles.mean(dim=1)[:, :, None, None])
        else:
            x = self.initial_block.expand(len(styles), -1, -1, -1)
        return x.contiguous(memory_format=torch.channels_last)

    def _enlarged(self, image: Tensor) -> Tensor:
        """RGB at twice the size, blurred with mirrored edges."""
        image = F.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)
        if not self.config.blur:
            return image
        return depthwise_fir(F.pad(image, (1, 1, 1, 1), mode="reflect"), self.taps, 1.0, (0, 0))

    def _noise(self, styles: Tensor, noise: Noise, seed: int | None) -> Tensor:
        if noise == "const":
            return self.noise_const.to(styles.dtype)
        size = self.config.img_resolution
        if noise == "none":
            return styles.new_full((1, 1, 1), 0.5).expand(1, size, size)
        rng = None if seed is None else rng_of(seed, styles.device)
        return torch.rand(len(styles), size, size, generator=rng, device=styles.device, dtype=styles.dtype)


class Lucidrains(nn.Module):
    """The complete generator: `mapping` and `synthesis` (see `ganwalk.generators.base.Generator`).

    Layers are blocks, of which each has one style: `num_layers` is log2(resolution) - 1, as in their code.
    """

    style_based = True
    c_dim = 0

    def __init__(self, config: LucidrainsConfig):
        super().__init__()
        self.config = config
        self.z_dim = self.w_dim = config.latent_dim
        self.num_layers = config.num_layers
        self.layer_resolutions = config.layer_resolutions
        self.resolution = config.img_resolution
        self.image_size = (config.img_resolution, config.img_resolution)
        self.img_channels = config.img_channels
        self.mapping = Mapping(config)
        self.synthesis = Synthesis(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def w_avg(self) -> Tensor:
        return self.mapping.w_avg

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, w_dim) that the style of a block meets first; RGB counts in the last block, the image."""
        block: Any = self.synthesis.blocks[layer]
        convolutions = (block.to_style1.weight, block.to_style2.weight)
        return (*convolutions, block.to_rgb.to_style.weight) if layer == self.num_layers - 1 else convolutions

    @property
    def summary(self) -> str:
        """The architecture for people."""
        extras = ["transparent"] * self.config.transparent + ["attention"] * bool(self.config.attn_layers)
        return f"lucidrains stylegan2 ({', '.join(extras)})" if extras else "lucidrains stylegan2"

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes, with the constant noise."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
