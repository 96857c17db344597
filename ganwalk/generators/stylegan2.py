"""StyleGAN2 (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020).

Parameter names equal those of NVIDIA's PyTorch checkpoints, so that their tensors load as they are. The arithmetic
is arranged for CPUs: one shared convolution for the whole batch (input scaled by the style, output by the
demodulation) instead of a weight per sample, and channels-last memory, in which depthwise filters are fast.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, broadcast_styles, check_layer, truncate
from ganwalk.generators.configs import MAX_DIM, MAX_MAPPING_LAYERS, check_sizes, check_types

# Gain that keeps the variance through each activation (He et al. 2015, as StyleGAN2 rounds it).
_GAINS = {"linear": 1.0, "relu": math.sqrt(2), "lrelu": math.sqrt(2)}
_ARCHITECTURES = ("skip", "resnet", "orig")


@dataclass(frozen=True)
class StyleGAN2Config:
    """Everything that fixes the shape and the arithmetic of a StyleGAN2 generator.

    A block of r pixels has min(channel_base // r, channel_max) channels, or what `block_channels` (from 4 px up) says.
    With `label_concat`, as in StyleGAN2's first code, labels are embedded without bias or scale, and normalised
    together with the latent code.
    """

    img_resolution: int
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0
    img_channels: int = 3
    mapping_layers: int = 8
    mapping_features: int | None = None
    mapping_lr: float = 0.01
    mapping_activation: str = "lrelu"
    embed_features: int | None = None
    architecture: str = "skip"
    channel_base: int = 32768
    channel_max: int = 512
    activation: str = "lrelu"
    conv_clamp: float | None = None
    resample_filter: tuple[float, ...] = (1.0, 3.0, 3.0, 1.0)
    use_noise: bool = True
    block_channels: tuple[int, ...] | None = None
    label_concat: bool = False

    def __post_init__(self) -> None:
        check_types(self, "StyleGAN2")
        resolution = self.img_resolution
        optional = (self.mapping_features or 1, self.embed_features or 1)
        sizes = (self.w_dim, self.img_channels, self.mapping_layers, self.channel_max, *optional)
        check_sizes("StyleGAN2", sizes, resolution)
        if self.architecture not in _ARCHITECTURES:
            raise GanwalkError(f"unknown StyleGAN2 architecture {self.architecture!r:.60}, not one of {_ARCHITECTURES}")
        for activation in (self.activation, self.mapping_activation):
            if activation not in _GAINS:
                raise GanwalkError(f"unknown activation {activation!r:.60}, not one of {tuple(_GAINS)}")
        if self.z_dim < 0 or self.c_dim < 0 or self.z_dim + self.c_dim < 1:
            raise GanwalkError("StyleGAN2 dimensions must be positive")
        if max(self.z_dim, self.c_dim) > MAX_DIM or self.mapping_layers > MAX_MAPPING_LAYERS:
            raise GanwalkError("StyleGAN2 dimensions are beyond anything that exists")
        if self.block_channels is not None:
            if len(self.block_channels) != len(self.resolutions):
                raise GanwalkError(f"block_channels must be {len(self.resolutions)} numbers at {resolution} px")
            check_sizes("StyleGAN2", self.block_channels)
        elif self.channel_base < resolution:
            raise GanwalkError(f"channel_base {self.channel_base} leaves no channels at {resolution} px")
        if self.mapping_lr <= 0 or (self.conv_clamp is not None and self.conv_clamp <= 0):
            raise GanwalkError("the mapping's learning rate and the clamp must be positive")
        if not 2 <= len(self.resample_filter) <= 32 or sum(self.resample_filter) == 0:
            raise GanwalkError(f"the resample filter must be 2 to 32 numbers with a sum, not {self.resample_filter}")

    @property
    def num_layers(self) -> int:
        return 2 * int(math.log2(self.img_resolution)) - 2

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.img_resolution)) + 1)]

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        """Height of the features after each layer: one convolution at 4 px, two above, and the image."""
        return (*(2 ** (2 + (layer + 1) // 2) for layer in range(self.num_layers - 1)), self.img_resolution)

    def channels(self, resolution: int) -> int:
        if self.block_channels is not None:
            return self.block_channels[int(math.log2(resolution)) - 2]
        return min(self.channel_base // resolution, self.channel_max)


def channel_fields(channels: dict[int, int]) -> dict[str, Any]:
    """The fields of a configuration that give each block (resolution → channels) its channels."""
    base = max(resolution * count for resolution, count in channels.items())
    largest = max(channels.values())
    fields: dict[str, Any] = {"channel_base": base, "channel_max": largest}
    if any(min(base // resolution, largest) != count for resolution, count in channels.items()):
        fields["block_channels"] = tuple(channels[resolution] for resolution in sorted(channels))
    return fields


def activate(x: Tensor, activation: str) -> Tensor:
    """The activation without its gain: the gain is folded into what comes before, all three being homogeneous."""
    if activation == "lrelu":
        return F.leaky_relu(x, 0.2)
    return F.relu(x) if activation == "relu" else x


def depthwise_fir(x: Tensor, taps: Tensor, gain: float, padding: tuple[int, int]) -> Tensor:
    """Convolves every channel of (n, c, h, w) with outer(taps, taps)·gain; zero padding (before, after).

    One two-dimensional depthwise convolution: on CPUs, channels last, it beats two one-dimensional passes.
    """
    # Convolution in torch is correlation: the flip makes it a true one, which matters for asymmetric filters.
    kernel = (torch.outer(taps, taps) * gain).flip((0, 1)).to(x.dtype)
    before, after = padding
    if before != after:
        x = F.pad(x, (before, after, before, after))
        before = 0
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, -1, -1), padding=before, groups=channels)


def upsample(x: Tensor, taps: Tensor) -> Tensor:
    """Doubles height and width: zero insertion, then the FIR filter with gain 4."""
    if taps.numel() == 4 and torch.equal(taps, taps.new_tensor([0.125, 0.375, 0.375, 0.125])):
        # The default filter is linear interpolation, with zeros outside of the image.
        padded = F.pad(x, (1, 1, 1, 1))
        return F.interpolate(padded, scale_factor=2, mode="bilinear", align_corners=False)[..., 2:-2, 2:-2]
    n, c, h, w = x.shape
    stuffed = x.new_zeros(n, c, h, 2, w, 2)
    stuffed[:, :, :, 0, :, 0] = x
    pad = taps.numel() - 2
    return depthwise_fir(stuffed.view(n, c, 2 * h, 2 * w), taps, 4.0, ((pad + 1) // 2 + 1, pad // 2))


def normalize_second_moment(x: Tensor) -> Tensor:
    """Pixel norm of (n, d): unit mean square."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


class Linear(nn.Module):
    """Equalised-rate linear layer: weight·lr/√in, bias·lr, activation with its gain."""

    def __init__(self, in_features: int, out_features: int, lr: float, activation: str, bias_init: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features) / lr)
        self.bias = nn.Parameter(torch.full([out_features], bias_init))
        self.activation = activation
        self.weight_gain = lr / math.sqrt(in_features)
        self.bias_gain = lr

    def forward(self, x: Tensor) -> Tensor:
        gain = _GAINS[self.activation]
        x = F.linear(x, self.weight * (self.weight_gain * gain), self.bias * (self.bias_gain * gain))
        return activate(x, self.activation)


class MappingConfig(Protocol):
    """What a configuration says about its mapping."""

    @property
    def z_dim(self) -> int: ...
    @property
    def w_dim(self) -> int: ...
    @property
    def c_dim(self) -> int: ...
    @property
    def num_layers(self) -> int: ...
    @property
    def mapping_layers(self) -> int: ...
    @property
    def mapping_features(self) -> int | None: ...
    @property
    def mapping_lr(self) -> float: ...
    @property
    def mapping_activation(self) -> str: ...
    @property
    def embed_features(self) -> int | None: ...


class Mapping(nn.Module):
    """z (and label) → style w."""

    w_avg: Tensor

    def __init__(self, config: MappingConfig, label_concat: bool = False):
        super().__init__()
        self.config = config
        self.label_concat = label_concat
        embed = 0
        if config.c_dim > 0:
            embed = config.w_dim if config.embed_features is None else config.embed_features
            if label_concat:
                self.label_weight = nn.Parameter(torch.randn(config.c_dim, embed))
            else:
                self.embed = Linear(config.c_dim, embed, lr=1.0, activation="linear")
        hidden = config.w_dim if config.mapping_features is None else config.mapping_features
        widths = [config.z_dim + embed] + [hidden] * (config.mapping_layers - 1) + [config.w_dim]
        for i in range(config.mapping_layers):
            layer = Linear(widths[i], widths[i + 1], config.mapping_lr, config.mapping_activation)
            self.add_module(f"fc{i}", layer)
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
        if z.ndim != 2 or z.shape[1] != config.z_dim:
            raise GanwalkError(f"latent codes of shape {tuple(z.shape)} given, expected (n, {config.z_dim})")
        if config.c_dim > 0 and (c is None or c.shape != (len(z), config.c_dim)):
            raise GanwalkError(f"this generator is class-conditional: give labels c of shape (n, {config.c_dim})")
        x = self._input(z, c)
        for i in range(config.mapping_layers):
            x = self.get_submodule(f"fc{i}")(x)
        w = broadcast_styles(x, config.num_layers, config.w_dim)
        return truncate(w, self.w_avg, truncation_psi, truncation_cutoff)

    def _input(self, z: Tensor, c: Tensor | None) -> Tensor:
        """What enters the first layer: the normalised code and label."""
        if c is None or self.config.c_dim == 0:
            return normalize_second_moment(z)
        if self.label_concat:
            return normalize_second_moment(torch.cat([z, c.to(z.dtype) @ self.label_weight], dim=1))
        parts = [normalize_second_moment(z)] if self.config.z_dim > 0 else []
        return torch.cat([*parts, normalize_second_moment(self.embed(c))], dim=1)


class StyledConv(nn.Module):
    """Modulated 3×3 convolution, optional 2× up-sampling, noise, bias, activation, clamp."""

    taps: Tensor
    noise_const: Tensor

    def __init__(self, config: StyleGAN2Config, in_channels: int, resolution: int, up: bool):
        super().__init__()
        out_channels = config.channels(resolution)
        self.up = up
        self.activation = config.activation
        self.clamp = config.conv_clamp
        self.affine = Linear(config.w_dim, in_channels, lr=1.0, activation="linear", bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.use_noise = config.use_noise
        if config.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        # On the CPU even while the module is built without memory ("meta"): no file stores it.
        taps = torch.tensor(config.resample_filter, device="cpu")
        self.register_buffer("taps", taps / taps.sum(), persistent=False)

    def forward(self, x: Tensor, w: Tensor, noise: Noise, rng: torch.Generator | None, gain: float = 1.0) -> Tensor:
        style = self.affine(w)
        gain_total = gain * _GAINS[self.activation]
        # Σ(W·s)² = (ΣW²)·s²: the demodulation of every sample without a weight of its own.
        demod = (style.square() @ self.weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt() * gain_total
        x = x * style[:, :, None, None]
        if self.up:
            x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            pad = self.taps.numel() - 4
            x = depthwise_fir(x, self.taps, 4.0, ((pad + 1) // 2 + 1, pad // 2 + 1))
        else:
            x = F.conv2d(x, self.weight, padding=1)
        shift = (self.bias * gain_total)[:, None, None]
        if self.use_noise and noise != "none":
            x = torch.addcmul(
                self._noise(x, noise, rng) * (self.noise_strength * gain_total), x, demod[:, :, None, None]
            )
            x = activate(x + shift, self.activation)
        else:
            x = activate(torch.addcmul(shift, x, demod[:, :, None, None]), self.activation)
        return x if self.clamp is None else x.clamp(-self.clamp * gain, self.clamp * gain)

    def _noise(self, x: Tensor, noise: Noise, rng: torch.Generator | None) -> Tensor:
        if noise == "const":
            return self.noise_const
        return torch.randn(x.shape[0], 1, *x.shape[2:], generator=rng, device=x.device, dtype=x.dtype)


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to image channels, without demodulation."""

    def __init__(self, config: StyleGAN2Config, in_channels: int):
        super().__init__()
        self.clamp = config.conv_clamp
        self.affine = Linear(config.w_dim, in_channels, lr=1.0, activation="linear", bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))
        self.style_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w) * self.style_gain
        x = F.conv2d(x * style[:, :, None, None], self.weight, self.bias)
        return x if self.clamp is None else x.clamp(-self.clamp, self.clamp)


class Skip(nn.Module):
    """Shortcut of the resnet architecture: 1×1 convolution and 2× up-sampling."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.weight_gain = math.sqrt(0.5 / in_channels)

    def forward(self, x: Tensor, taps: Tensor) -> Tensor:
        return upsample(F.conv2d(x, self.weight * self.weight_gain), taps)


class Block(nn.Module):
    """Holds the layers of one resolution; `Synthesis` runs them."""

    def __init__(self, config: StyleGAN2Config, resolution: int):
        super().__init__()
        channels = config.channels(resolution)
        if resolution == 4:
            self.const = nn.Parameter(torch.randn(channels, 4, 4))
        else:
            below = config.channels(resolution // 2)
            self.conv0 = StyledConv(config, below, resolution, up=True)
            if config.architecture == "resnet":
                self.skip = Skip(below, channels)
        self.conv1 = StyledConv(config, channels, resolution, up=False)
        if config.architecture == "skip" or resolution == config.img_resolution:
            self.torgb = ToRGB(config, channels)


class Synthesis(nn.Module):
    """Styles → image, or the features after any layer."""

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.config = config
        for resolution in config.resolutions:
            self.add_module(f"b{resolution}", Block(config, resolution))

    def forward(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Image (n, img_channels, resolution, resolution), or features (n, channels, h, w) after layer `until`.

        Args:
            w: styles (n, num_layers, w_dim), or (n, w_dim) for all layers.
            until: layer to stop after; nothing beyond it is computed, and no RGB on the way.
            noise: per-pixel noise: "none", "const" (that of the checkpoint) or "random".
            seed: seed of the random noise; None takes torch's global generator.
        """
        config = self.config
        last = check_layer(until, config.num_layers)
        styles = broadcast_styles(w, config.num_layers, config.w_dim).unbind(1)
        rng = None if seed is None else torch.Generator(w.device).manual_seed(seed)
        wants_image = last == config.num_layers - 1
        layer = 0
        image = None
        x = self._const(len(w))
        for resolution in config.resolutions:
            block: Any = self.get_submodule(f"b{resolution}")
            if resolution > 4:
                resnet = config.architecture == "resnet"
                shortcut = block.skip(x, block.conv0.taps) if resnet and last > layer else None
                x = block.conv0(x, styles[layer], noise, rng)
                if last == layer:
                    return x
                layer += 1
                x = block.conv1(x, styles[layer], noise, rng, gain=math.sqrt(0.5) if resnet else 1.0)
                if shortcut is not None:
                    x = x + shortcut
            else:
                x = block.conv1(x, styles[layer], noise, rng)
            if last == layer:
                return x
            layer += 1
            if wants_image:
                if image is not None:
                    image = upsample(image, block.conv1.taps)
                if hasattr(block, "torgb"):
                    rgb = block.torgb(x, styles[layer])
                    image = rgb if image is None else image + rgb
        assert image is not None
        return image

    def _const(self, n: int) -> Tensor:
        block: Any = self.get_submodule("b4")
        return block.const.expand(n, -1, -1, -1).contiguous(memory_format=torch.channels_last)


class StyleGAN2(nn.Module):
    """The complete generator: `mapping` and `synthesis` (see `ganwalk.generators.base.Generator`)."""

    style_based = True

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.num_layers = config.num_layers
        self.layer_resolutions = config.layer_resolutions
        self.resolution = config.img_resolution
        self.img_channels = config.img_channels
        self.mapping = Mapping(config, config.label_concat)
        self.synthesis = Synthesis(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def w_avg(self) -> Tensor:
        return self.mapping.w_avg

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return f"stylegan2 ({self.config.architecture})"

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes, with the constant noise."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
