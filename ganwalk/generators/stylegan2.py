"""StyleGAN2 (Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020).

Parameter names equal those of NVIDIA's PyTorch checkpoints, so that their tensors load as they are. The arithmetic
is arranged for CPUs: one shared convolution for the whole batch (input scaled by the style, output by the
demodulation) instead of a weight per sample; channels-last memory; large convolutions by Winograd's algorithm; and,
without a gradient, large blocks in bands of rows, so that only their input and output exist in full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators import winograd
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.channels import WithChannelStyles, affine_outputs
from ganwalk.generators.configs import MAX_DIM, MAX_MAPPING_LAYERS, MAX_RESOLUTION, check_sizes, check_types
from ganwalk.generators.filters import activate, depthwise_fir, filter_size, is_linear, upsample
from ganwalk.generators.mapping import GAINS, Linear, Mapping

# Winograd's algorithm, measured on x86-64, pays from this many input pixels in the batch and this many channels.
_WINOGRAD_PIXELS = 2048
_WINOGRAD_WIDE = 64
_WINOGRAD_WIDE_BACKWARDS = 256
_WINOGRAD_MIN = 128
# Up-sampling by it takes as many products as the transposed convolution, but no filter: good for few channels.
_WINOGRAD_UP_MAX = 128
# Without a gradient, feature maps of more values than this are made one sample at a time, in bands of rows.
_LARGE_MAP = 2**22
_BAND = 2**21
_ARCHITECTURES = ("skip", "resnet", "orig")
# Rows and columns of a resample filter.
MAX_TAPS = 32


@dataclass(frozen=True)
class StyleGAN2Config:
    """Everything that fixes the shape and the arithmetic of a StyleGAN2 generator.

    `first_size` is the height and width of the first map, which the others double: images are img_resolution / 4 times
    as large, and square by default. A block of r pixels, if it were square, has min(channel_base // r, channel_max)
    channels, or what `block_channels` (from 4 px up) says. With `label_concat`, as in StyleGAN2's first code, labels
    are embedded without bias or scale, and normalised together with the latent code. The kernel of the up-sampling
    filter is outer(resample_filter, resample_filter); with `resample_columns` it has that many, and `resample_filter`
    holds its rows one after another. Its sum is made 1.
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
    resample_columns: int | None = None
    use_noise: bool = True
    block_channels: tuple[int, ...] | None = None
    label_concat: bool = False
    first_size: tuple[int, int] = (4, 4)

    def __post_init__(self) -> None:
        check_types(self, "StyleGAN2")
        resolution = self.img_resolution
        optional = [n for n in (self.mapping_features, self.embed_features) if n is not None]
        sizes = (self.w_dim, self.img_channels, self.mapping_layers, self.channel_max, *optional)
        check_sizes("StyleGAN2", sizes, resolution)
        check_sizes("StyleGAN2", self.first_size)
        if max(self.image_size) > MAX_RESOLUTION:
            raise GanwalkError("StyleGAN2 dimensions are beyond anything that exists")
        if self.architecture not in _ARCHITECTURES:
            raise GanwalkError(f"unknown StyleGAN2 architecture {self.architecture!r:.60}, not one of {_ARCHITECTURES}")
        for activation in (self.activation, self.mapping_activation):
            if activation not in GAINS:
                raise GanwalkError(f"unknown activation {activation!r:.60}, not one of {tuple(GAINS)}")
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
        self._check_filter()

    def _check_filter(self) -> None:
        count, columns = len(self.resample_filter), self.resample_columns
        if sum(self.resample_filter) == 0 or not 1 <= count <= MAX_TAPS**2 or (columns is None and count > MAX_TAPS):
            raise GanwalkError(
                f"the resample filter must be 1 to {MAX_TAPS} numbers with a sum, not {self.resample_filter!r:.100}"
            )
        if columns is not None and (not 1 <= columns <= MAX_TAPS or count % columns or count // columns > MAX_TAPS):
            raise GanwalkError(f"a resample filter of {count} numbers cannot have {columns} columns")

    @property
    def num_layers(self) -> int:
        return 2 * int(math.log2(self.img_resolution)) - 2

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.img_resolution)) + 1)]

    @property
    def layer_resolutions(self) -> tuple[int, ...]:
        """Larger side of the features after each layer: one convolution at 4 px, two above, and the image."""
        blocks = (*(2 ** (2 + (layer + 1) // 2) for layer in range(self.num_layers - 1)), self.img_resolution)
        return tuple(max(self.size(resolution)) for resolution in blocks)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.size(self.img_resolution)

    def size(self, resolution: int) -> tuple[int, int]:
        """Height and width of the maps of a block."""
        height, width = self.first_size
        return height * resolution // 4, width * resolution // 4

    def channels(self, resolution: int) -> int:
        if self.block_channels is not None:
            return self.block_channels[int(math.log2(resolution)) - 2]
        return min(self.channel_base // resolution, self.channel_max)


def first_size(shape: Sequence[int]) -> tuple[int, int]:
    """The field of a configuration that follows from the shape (…, h, w) of the first map in a file."""
    if len(shape) < 3:
        raise GanwalkError(f"is damaged: its first map has the shape {tuple(shape)}")
    return shape[-2], shape[-1]


def channel_fields(channels: dict[int, int]) -> dict[str, Any]:
    """The fields of a configuration that give each block (resolution → channels) its channels."""
    base = max(resolution * count for resolution, count in channels.items())
    largest = max(channels.values())
    fields: dict[str, Any] = {"channel_base": base, "channel_max": largest}
    if any(min(base // resolution, largest) != count for resolution, count in channels.items()):
        fields["block_channels"] = tuple(channels[resolution] for resolution in sorted(channels))
    return fields


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
            self.register_buffer("noise_const", torch.randn(config.size(resolution)))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        # On the CPU even while the module is built without memory ("meta"): no file stores it.
        taps = torch.tensor(config.resample_filter, device="cpu")
        taps = taps if config.resample_columns is None else taps.view(-1, config.resample_columns)
        self.register_buffer("taps", taps / taps.sum(), persistent=False)
        self.linear = is_linear(self.taps)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None, gain: float = 1.0) -> Tensor:
        """Features (n, out, h, w) of features (n, in, h, w), or h/2 and w/2 where the layer doubles them.

        `style` (n, in) is what the affine layer made of w.
        """
        scale, demod = self.modulation(style, gain)
        kernel = self.winograd_kernel(x)
        return self.finish(self.convolve(x * scale, kernel), demod, noise, gain)

    def enlarge(self, x: Tensor) -> Tensor:
        """Twice the height and width, by the layer's FIR filter alone."""
        return upsample(x, self.taps, linear=self.linear)

    def modulation(self, style: Tensor, gain: float) -> tuple[Tensor, Tensor]:
        """Factors of the input (n, in, 1, 1) and of the output (n, out, 1, 1), which includes the gains."""
        # Σ(W·s)² = (ΣW²)·s²: the demodulation of every sample without a weight of its own.
        demod = (style.square() @ self.weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt()
        return style[:, :, None, None], (demod * (gain * GAINS[self.activation]))[:, :, None, None]

    def convolve(self, x: Tensor, kernel: Tensor | None, above: int = 1, below: int = 1) -> Tensor:
        """The convolution alone, with its up-sampling and FIR filter.

        Args:
            x: features, already scaled by the style.
            kernel: of `winograd_kernel`.
            above, below: rows of zeros that x is continued by; 0 inside an image that is computed in bands.
        """
        if kernel is not None:
            return winograd.convolve_tiles(F.pad(x, (1, 1, above, below)), kernel, 4 if self.up else 1)
        if not self.up:
            if above != below:
                x = F.pad(x, (0, 0, above, below))
                above = 0
            return F.conv2d(x, self.weight, padding=(above, 1))
        x = F.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
        rows, columns = (((size - 1) // 2, size // 2 - 1) for size in filter_size(self.taps))
        return depthwise_fir(x, self.taps, 4.0, rows, columns)

    def winograd_kernel(self, x: Tensor) -> Tensor | None:
        """The weight for Winograd's algorithm where that is the faster one for x, otherwise None.

        It is on CPUs, with enough pixels, and channels that suit. Low precision would ruin it, and a weight that is
        trained would make autograd keep the transformed input.
        """
        trained = torch.is_grad_enabled() and self.weight.requires_grad
        precise = x.dtype in (torch.float32, torch.float64) and not torch.is_autocast_enabled("cpu")
        if trained or not precise or x.device.type != "cpu":
            return None
        out_channels, in_channels = self.weight.shape[:2]
        pixels = x.shape[0] * x.shape[2] * x.shape[3]
        # Backwards, oneDNN's convolutions lose less to Winograd's algorithm.
        backwards = torch.is_grad_enabled() and x.requires_grad
        wide = _WINOGRAD_WIDE_BACKWARDS if backwards else _WINOGRAD_WIDE
        pays = pixels >= _WINOGRAD_PIXELS and max(in_channels, out_channels) >= wide
        if self.up:
            pays = pays and self.taps.shape == (4,) and out_channels <= _WINOGRAD_UP_MAX
            return winograd.transform_weight(self.weight, self.taps) if pays else None
        pays = pays and min(in_channels, out_channels) >= _WINOGRAD_MIN
        return winograd.transform_weight(self.weight) if pays else None

    def finish(self, x: Tensor, demod: Tensor, noise: Tensor | None, gain: float) -> Tensor:
        """Demodulation, noise (…, h, w), bias, activation and clamp; overwrites x where no gradient is recorded."""
        gain_total = gain * GAINS[self.activation]
        shift = (self.bias * gain_total)[:, None, None]
        overwrite = not torch.is_grad_enabled() and x.dtype == demod.dtype
        if noise is not None:
            noise = noise * (self.noise_strength * gain_total)
        if overwrite:
            x = x.mul_(demod) if noise is None else x.mul_(demod).add_(noise)
            x = x.add_(shift)
        elif noise is None:
            x = torch.addcmul(shift, x, demod)
        else:
            x = torch.addcmul(noise, x, demod) + shift
        x = activate(x, self.activation, inplace=overwrite)
        if self.clamp is None:
            return x
        bound = self.clamp * gain
        return x.clamp_(-bound, bound) if overwrite else x.clamp(-bound, bound)

    def noise_map(self, n: int, noise: Noise, rng: torch.Generator | None) -> Tensor | None:
        """The noise of the whole layer, (h, w) or (n, 1, h, w)."""
        if not self.use_noise or noise == "none":
            return None
        if noise == "const":
            return self.noise_const
        size, like = self.noise_const.shape, self.weight
        return torch.randn(n, 1, *size, generator=rng, device=like.device, dtype=like.dtype)


class ToRGB(nn.Module):
    """Modulated 1×1 convolution to image channels, without demodulation."""

    def __init__(self, config: StyleGAN2Config, in_channels: int):
        super().__init__()
        self.clamp = config.conv_clamp
        self.affine = Linear(config.w_dim, in_channels, lr=1.0, activation="linear", bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(config.img_channels, in_channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.img_channels))
        self.style_gain = 1 / math.sqrt(in_channels)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        style = style * self.style_gain
        # One small matrix per sample: x itself need not be scaled.
        weight = self.weight.flatten(1) * style[:, None]
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)
        rgb = torch.baddbmm(self.bias, pixels, weight.transpose(1, 2))
        rgb = rgb.view(len(x), *x.shape[2:], -1).permute(0, 3, 1, 2)
        return rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)


class Skip(nn.Module):
    """Shortcut of the resnet architecture, before its 2× up-sampling: 1×1 convolution."""

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, 1, 1))
        self.weight_gain = math.sqrt(0.5 / in_channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.weight_gain)


@dataclass(frozen=True)
class Conditions:
    """What the layers take besides features.

    Attributes:
        styles: (n, channels) of each convolution that is to run, from its affine layer.
        rgb_styles: likewise of each projection to RGB, by the index of the layer above it.
        noises: one map (h, w) or (n, 1, h, w), or None, for each convolution that is to run.
        wants_image: whether the RGB is computed on the way.
    """

    styles: list[Tensor]
    rgb_styles: dict[int, Tensor]
    noises: list[Tensor | None]
    wants_image: bool

    def of_sample(self, k: int) -> Conditions:
        one = slice(k, k + 1)
        noises = [noise[one] if noise is not None and noise.ndim == 4 else noise for noise in self.noises]
        styles = [style[one] for style in self.styles]
        rgb_styles = {layer: style[one] for layer, style in self.rgb_styles.items()}
        return Conditions(styles, rgb_styles, noises, self.wants_image)

    def of_layer(self, layer: int) -> tuple[Tensor, Tensor | None]:
        """Style and noise of a convolution."""
        return self.styles[layer], self.noises[layer]


class Block(nn.Module):
    """The layers of one resolution."""

    def __init__(self, config: StyleGAN2Config, resolution: int):
        super().__init__()
        channels = config.channels(resolution)
        # Index of the block's first layer, and of its last one.
        self.first = max(0, 2 * int(math.log2(resolution)) - 5)
        self.last = 2 * int(math.log2(resolution)) - 4
        if resolution == 4:
            self.const = nn.Parameter(torch.randn(channels, *config.first_size))
        else:
            below = config.channels(resolution // 2)
            self.conv0 = StyledConv(config, below, resolution, up=True)
            if config.architecture == "resnet":
                self.skip = Skip(below, channels)
        self.conv1 = StyledConv(config, channels, resolution, up=False)
        if config.architecture == "skip" or resolution == config.img_resolution:
            self.torgb = ToRGB(config, channels)

    def forward(self, x: Tensor, image: Tensor | None, conditions: Conditions) -> tuple[Tensor, Tensor | None]:
        """Features and RGB (at this resolution) of the features below and the RGB so far, doubled already."""
        below = x
        if hasattr(self, "conv0"):
            x = self.conv0(x, *conditions.of_layer(self.first))
        if self.last >= len(conditions.noises):
            return x, image
        if hasattr(self, "skip"):
            x = self.conv1(x, *conditions.of_layer(self.last), gain=math.sqrt(0.5))
            x = x + self.conv0.enlarge(self.skip(below))
        else:
            x = self.conv1(x, *conditions.of_layer(self.last))
        if conditions.wants_image and hasattr(self, "torgb"):
            rgb = self.torgb(x, conditions.rgb_styles[self.last + 1])
            image = rgb if image is None else image + rgb
        return x, image

    def forward_in_bands(
        self, kernel0: Tensor, x: Tensor, image: Tensor | None, conditions: Conditions, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """`forward` for one sample without a gradient: all layers of a band of rows, then the next band.

        Args:
            kernel0: Winograd's of `conv0`.
            keep: whether anyone needs the features; if not, those below come back.
        """
        conv0, conv1 = self.conv0, self.conv1
        resnet, wants_rgb = hasattr(self, "skip"), conditions.wants_image and hasattr(self, "torgb")
        gain = math.sqrt(0.5) if resnet else 1.0
        style0, noise0 = conditions.of_layer(self.first)
        style1, noise1 = conditions.of_layer(self.last)
        (scale0, demod0), (scale1, demod1) = conv0.modulation(style0, 1.0), conv1.modulation(style1, gain)
        height, width, channels = 2 * x.shape[2], 2 * x.shape[3], demod1.shape[1]
        features = conv0.enlarge(self.skip(x)) if resnet and (keep or wants_rgb) else None
        if keep and features is None:
            features = x.new_empty(1, height, width, channels).permute(0, 3, 1, 2)
        if wants_rgb and image is None:
            image = x.new_zeros(1, self.torgb.bias.numel(), height, width)
        # A band of the result of conv0 is kept until conv1 has used it: rows `top` and on. Rows up to `done` are ready.
        held, top, done = x.new_empty(1, channels, 0, width), 0, 0
        kernel1 = None
        for stop in band_ends(height, width * channels):
            start = top + held.shape[2]
            part = x[:, :, max(0, start // 2 - 1) : stop // 2 + 1] * scale0
            part = conv0.convolve(part, kernel0, above=int(start == 0), below=int(stop == height))
            part = conv0.finish(part, demod0, _rows(noise0, start, stop), 1.0)
            held = torch.cat([held, part.mul_(scale1)], dim=2)
            # conv1 needs one row more than it makes; whole tiles are made.
            ready = height if stop == height else (stop - 1) // winograd.TILE * winograd.TILE
            part = held[:, :, : ready + 1 - top]
            if done == 0:
                kernel1 = conv1.winograd_kernel(part)
            part = conv1.convolve(part, kernel1, above=int(done == 0), below=int(ready == height))
            part = conv1.finish(part, demod1, _rows(noise1, done, ready), gain)
            held, top = held[:, :, ready - 1 - top :], ready - 1
            if features is not None:
                rows = features[:, :, done:ready]
                part = rows.add_(part) if resnet else rows.copy_(part)
            if wants_rgb and image is not None:
                image[:, :, done:ready].add_(self.torgb(part, conditions.rgb_styles[self.last + 1]))
            done = ready
        return x if features is None else features, image


def _rows(noise: Tensor | None, start: int, stop: int) -> Tensor | None:
    return None if noise is None else noise[..., start:stop, :]


def band_ends(height: int, row: int) -> list[int]:
    """Where the bands of an image end, each about `_BAND` values of the layer, in whole tiles of the image below."""
    unit = 2 * winograd.TILE
    band = max(unit, _BAND // row // unit * unit)
    return [min(end, height) for end in range(band, height + band, band)]


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
        """Image (n, img_channels, height, width), or features (n, channels, h, w) after layer `until`.

        Args:
            w: styles (n, num_layers, w_dim), or (n, w_dim) for all layers; or channel styles (n, 1, S).
            until: layer to stop after; nothing beyond it is computed, and no RGB on the way.
            noise: per-pixel noise: "none", "const" (that of the checkpoint) or "random".
            seed: seed of the random noise; None takes torch's global generator.
        """
        config = self.config
        last = check_layer(until, config.num_layers)
        outputs = affine_outputs(w, self.affines(), last, config.num_layers, config.w_dim)
        styles: list[Tensor] = []
        rgb_styles: dict[int, Tensor] = {}
        for (layer, module), output in zip(self._styled(), outputs, strict=False):
            if isinstance(module, ToRGB):
                rgb_styles[layer] = output
            else:
                styles.append(output)
        rng = None if seed is None else rng_of(seed, w.device)
        noises = [layer.noise_map(len(w), noise, rng) for layer in self._layers()[: last + 1]]
        conditions = Conditions(styles, rgb_styles, noises, wants_image=last == config.num_layers - 1)
        return self._run(config.resolutions, self._const(len(w)), None, conditions)

    def _run(self, resolutions: list[int], x: Tensor, image: Tensor | None, conditions: Conditions) -> Tensor:
        """Image or features after the blocks of these resolutions, from the features and the RGB below them."""
        config = self.config
        count = len(conditions.noises)
        for i, resolution in enumerate(resolutions):
            block: Any = self.get_submodule(f"b{resolution}")
            if block.first >= count:
                break
            values = math.prod(config.size(resolution)) * config.channels(resolution)
            large = values > _LARGE_MAP and not torch.is_grad_enabled()
            if large and len(x) > 1:
                return self._run_each(resolutions[i:], x, image, conditions)
            image = None if image is None else block.conv1.enlarge(image)
            kernel = block.conv0.winograd_kernel(x) if large and block.last < count else None
            if kernel is None:
                x, image = block(x, image, conditions)
            else:
                keep = not conditions.wants_image or resolution < config.img_resolution
                x, image = block.forward_in_bands(kernel, x, image, conditions, keep)
        return x if image is None else image

    def _run_each(self, resolutions: list[int], x: Tensor, image: Tensor | None, conditions: Conditions) -> Tensor:
        """`_run`, sample by sample."""
        result = None
        for k in range(len(x)):
            one = slice(k, k + 1)
            y = self._run(resolutions, x[one], None if image is None else image[one], conditions.of_sample(k))
            if result is None:
                result = y.new_empty(len(x), *y.shape[1:]).to(memory_format=torch.channels_last)
            result[one] = y
        assert result is not None
        return result

    def affines(self) -> list[tuple[int, Linear]]:
        """The affine layers in the network's order, each with the layer whose style enters it."""
        return [(layer, module.affine) for layer, module in self._styled()]

    def _styled(self) -> list[tuple[int, StyledConv | ToRGB]]:
        """What styles enter, in the network's order: the RGB of a block takes that of the layer above it."""
        blocks: list[Any] = [self.get_submodule(f"b{resolution}") for resolution in self.config.resolutions]
        return [
            (layer, block.get_submodule(name))
            for block in blocks
            for name, layer in (("conv0", block.first), ("conv1", block.last), ("torgb", block.last + 1))
            if hasattr(block, name)
        ]

    def _layers(self) -> list[StyledConv]:
        return [module for _, module in self._styled() if isinstance(module, StyledConv)]

    def _const(self, n: int) -> Tensor:
        block: Any = self.get_submodule("b4")
        return block.const.expand(n, -1, -1, -1).contiguous(memory_format=torch.channels_last)


class StyleGAN2(WithChannelStyles, nn.Module):
    """The complete generator: `mapping` and `synthesis` (see `ganwalk.generators.base.Generator`)."""

    style_based = True

    def __init__(self, config: StyleGAN2Config):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.num_layers = config.num_layers
        self.layer_resolutions = config.layer_resolutions
        self.image_size = config.image_size
        self.resolution = max(config.image_size)
        self.img_channels = config.img_channels
        self.mapping = Mapping(config, config.label_concat)
        self.synthesis = Synthesis(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def w_avg(self) -> Tensor:
        return self.mapping.w_avg

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, w_dim) that the style of a layer meets first; that of the image enters the last RGB."""
        last: Any = self.synthesis.get_submodule(f"b{self.config.img_resolution}")
        layers = [*self.synthesis._layers(), last.torgb]
        return (layers[layer].affine.weight,)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        return f"stylegan2 ({self.config.architecture})"

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes, with the constant noise."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
