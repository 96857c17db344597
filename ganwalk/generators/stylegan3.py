"""StyleGAN3 (Karras et al., "Alias-Free Generative Adversarial Networks", NeurIPS 2021), configurations T and R.

StyleGAN-XL (Sauer et al., SIGGRAPH 2022) is the same synthesis with layers on top and another mapping of classes.

Parameter and buffer names equal those of NVIDIA's PyTorch checkpoints, the filters included, so that their tensors
load as they are. As in `stylegan2`, one convolution serves the whole batch (input scaled by the style, output by the
demodulation), in channels-last memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, check_layer
from ganwalk.generators.channels import WithChannelStyles, affine_outputs
from ganwalk.generators.configs import MAX_DIM, MAX_MAPPING_LAYERS, check_sizes, check_types
from ganwalk.generators.filtered_activation import Resampling, filtered_activation
from ganwalk.generators.mapping import Linear, Mapping

_MAX_LAYERS = 64
_MAX_KERNEL = 32
_MAX_FACTOR = 16
_MAX_TAPS = 256
_ACTIVATIONS = ("linear", "relu", "lrelu")


@dataclass(frozen=True)
class StyleGAN3Config:
    """Everything that fixes the shape and the arithmetic of a StyleGAN3 generator.

    Attributes:
        img_resolution: larger side of the image in pixels.
        channels, sizes: of the Fourier features, then of each layer's output; sizes are heights in pixels, margins
            included. The last layer makes the image.
        widths: in pixels as sizes are heights; None where all maps are square.
        kernels: width of each layer's convolution.
        up, down: factors of the resampling around each layer's activation, in sampling rates.
        up_taps, down_taps: lengths of its filters; 1 stands for no filter.
        radial: whether each layer's down-sampling filter is a kernel (taps, taps) instead of a separable one.
        input_rate: samples of the Fourier features per image height.
        input_bandwidth: highest frequency of the Fourier features, in cycles per image height.
        class_table: rows and columns of the table that classes are looked up in, as in StyleGAN-XL; None embeds labels.
    """

    img_resolution: int
    channels: tuple[int, ...]
    sizes: tuple[int, ...]
    kernels: tuple[int, ...]
    up: tuple[int, ...]
    down: tuple[int, ...]
    up_taps: tuple[int, ...]
    down_taps: tuple[int, ...]
    radial: tuple[bool, ...]
    input_rate: float
    input_bandwidth: float
    z_dim: int = 512
    w_dim: int = 512
    c_dim: int = 0
    img_channels: int = 3
    mapping_layers: int = 2
    mapping_features: int | None = None
    mapping_lr: float = 0.01
    mapping_activation: str = "lrelu"
    embed_features: int | None = None
    conv_clamp: float | None = 256.0
    output_scale: float = 0.25
    class_table: tuple[int, int] | None = None
    widths: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        check_types(self, "StyleGAN3")
        layers = len(self.kernels)
        if not 1 <= layers <= _MAX_LAYERS:
            raise GanwalkError(f"StyleGAN3 must have 1 to {_MAX_LAYERS} layers, not {layers}")
        if not len(self.channels) == len(self.sizes) == len(self.widths or self.sizes) == layers + 1:
            raise GanwalkError(f"StyleGAN3's channels and sizes must be {layers + 1} numbers, one more than layers")
        for name, limit in (
            ("kernels", _MAX_KERNEL),
            ("up", _MAX_FACTOR),
            ("down", _MAX_FACTOR),
            ("up_taps", _MAX_TAPS),
            ("down_taps", _MAX_TAPS),
            ("radial", 1),
        ):
            values = getattr(self, name)
            if len(values) != layers:
                raise GanwalkError(f"StyleGAN3's {name} must be {layers} values, one for each layer")
            if max(values) > limit or (name != "radial" and min(values) < 1):
                raise GanwalkError(f"StyleGAN3's {name} must be 1 to {limit}, not {values}")
        optional = [n for n in (self.mapping_features, self.embed_features) if n is not None]
        maps = (*self.channels, *self.sizes, *(self.widths or ()))
        check_sizes("StyleGAN3", (self.w_dim, self.z_dim, self.mapping_layers, *optional, *maps))
        if not 0 <= self.c_dim <= MAX_DIM or self.mapping_layers > MAX_MAPPING_LAYERS:
            raise GanwalkError("StyleGAN3 dimensions are beyond anything that exists")
        if self.class_table is not None:
            check_sizes("StyleGAN-XL", self.class_table)
            if not 1 <= self.c_dim <= self.class_table[0]:
                raise GanwalkError(f"a table of {self.class_table[0]} embeddings cannot serve {self.c_dim} classes")
        if self.mapping_activation not in _ACTIVATIONS:
            raise GanwalkError(f"unknown activation {self.mapping_activation!r:.60}, not one of {_ACTIVATIONS}")
        if self.mapping_lr <= 0 or (self.conv_clamp is not None and self.conv_clamp <= 0):
            raise GanwalkError("the mapping's learning rate and the clamp must be positive")
        if (self.channels[-1], max(self.image_size)) != (self.img_channels, self.img_resolution):
            raise GanwalkError("StyleGAN3's last layer must make the image")
        if self.input_bandwidth <= 0 or self.input_rate <= 2 * self.input_bandwidth:
            raise GanwalkError("StyleGAN3's input rate must be above twice its bandwidth")
        for up, down, taps in zip(self.up, self.down, self.up_taps, strict=True):
            if up % down or taps < up:
                raise GanwalkError(
                    f"is not supported: a StyleGAN3 layer resamples by {up}/{down} with {taps} taps, but the first "
                    "factor must be a multiple of the second, and not above the taps"
                )
        for layer in range(layers):
            # Margins grow and shrink by some pixels; a file must not ask for images from nothing.
            for before, after in zip(self.size(layer), self.size(layer + 1), strict=True):
                if after > 2 * (before * self.up[layer] // self.down[layer]) + _MAX_TAPS:
                    raise GanwalkError(f"StyleGAN3's layer {layer} cannot make {after} px")

    @property
    def num_layers(self) -> int:
        return len(self.sizes)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self.size(-1)

    def size(self, index: int) -> tuple[int, int]:
        """Height and width of the Fourier features (0), or of the output of the layer before `index`."""
        return self.sizes[index], (self.widths or self.sizes)[index]

    @property
    def layer_names(self) -> tuple[str, ...]:
        """NVIDIA's names of the layers after the Fourier features: index, size, channels."""
        sizes_channels = zip(self.sizes[1:], self.channels[1:], strict=True)
        return tuple(f"L{i}_{size}_{channels}" for i, (size, channels) in enumerate(sizes_channels))

    def padding(self, layer: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Zeros before and behind the zero-inserted signal that align its samples (Karras et al. 2021, appendix C.3).

        Of the rows, and of the columns.

        Args:
            layer: 0 is the one after the Fourier features.
        """
        (rows, columns), (rows_after, columns_after) = self.size(layer), self.size(layer + 1)
        return self._padding(layer, rows, rows_after), self._padding(layer, columns, columns_after)

    def _padding(self, layer: int, size: int, size_after: int) -> tuple[int, int]:
        wanted = (size_after - 1) * self.down[layer] + self.up_taps[layer] + self.down_taps[layer] - 1
        total = wanted - (size + self.kernels[layer] - 1) * self.up[layer]
        before = (total + self.up[layer]) // 2
        return before, total - before


def published_config(
    img_resolution: int,
    *,
    channel_base: int = 32768,
    channel_max: int = 512,
    layers: int = 14,
    critical: int = 2,
    first_cutoff: float = 2.0,
    first_stopband: float = 2**2.1,
    last_stopband: float = 2**0.3,
    margin: int = 10,
    kernel: int = 3,
    filter_size: int = 6,
    activation_rate: int = 2,
    radial: bool = False,
    img_channels: int = 3,
    **others: int | float | None,
) -> StyleGAN3Config:
    """The configuration of the published progression of cutoffs (Karras et al. 2021, section 3.2, equation 5 on).

    The defaults are those of T; R has kernel 1, radial True, and twice the channel_base and channel_max.

    Args:
        layers: between the Fourier features and the image.
        critical: how many of the last of them are sampled without a transition band.
        first_cutoff, first_stopband: of the first layer, in cycles per image width.
        last_stopband: of the last layer, as a multiple of its cutoff.
        margin: pixels around the image.
        filter_size: taps of a filter at the lower of its two rates.
        activation_rate: rate of the activation, as a multiple of the higher of the rates around it.
        others: further fields of the configuration.
    """
    last_cutoff = img_resolution / 2
    rates, cutoffs = [], []
    for layer in range(layers + 1):
        position = min(layer / (layers - critical), 1)
        cutoffs.append(first_cutoff * (last_cutoff / first_cutoff) ** position)
        stopband = first_stopband * (last_cutoff * last_stopband / first_stopband) ** position
        rates.append(2 ** math.ceil(math.log2(min(2 * stopband, img_resolution))))
    sizes = [rate + 2 * margin for rate in rates[:-2]] + [img_resolution] * 2
    channels = [round(min(channel_base / 2 / cutoff, channel_max)) for cutoff in cutoffs[:-1]] + [img_channels]
    up, down = [], []
    for layer in range(layers + 1):
        before, after = rates[max(layer - 1, 0)], rates[layer]
        # The image has no activation, for whose sake the others are computed at a higher rate.
        common = max(before, after) * (activation_rate if layer < layers else 1)
        up.append(common // before)
        down.append(common // after)
    return StyleGAN3Config(
        img_resolution=img_resolution,
        img_channels=img_channels,
        channels=(channels[0], *channels),
        sizes=(sizes[0], *sizes),
        kernels=(kernel,) * layers + (1,),
        up=tuple(up),
        down=tuple(down),
        up_taps=tuple(filter_size * factor if factor > 1 else 1 for factor in up),
        down_taps=tuple(filter_size * factor if factor > 1 else 1 for factor in down),
        radial=tuple(radial and layer < layers - critical for layer in range(layers + 1)),
        input_rate=float(rates[0]),
        input_bandwidth=float(cutoffs[0]),
        **others,  # type: ignore[arg-type]
    )


def low_pass(taps: int, factor: int) -> Tensor:
    """A plain low-pass filter (taps,) for resampling by a factor: Hann-windowed sinc with sum 1.

    Only for generators that are not from a checkpoint, which brings the filters that it was trained with.
    """
    # On the CPU even while a module is built without memory ("meta"): no file stores filters of one tap.
    at = torch.arange(taps, device="cpu") - (taps - 1) / 2
    filter_ = torch.sinc(at / factor) * torch.hann_window(taps + 2, periodic=False, device="cpu")[1:-1]
    return filter_ / filter_.sum()


class FourierFeatures(nn.Module):
    """Style → the first features: sines of a rotated and shifted grid, mixed by a matrix."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, config: StyleGAN3Config):
        super().__init__()
        channels = config.channels[0]
        self.size = config.size(0)
        self.rate, self.bandwidth = config.input_rate, config.input_bandwidth
        self.weight = nn.Parameter(torch.randn(channels, channels))
        self.affine = Linear(config.w_dim, 4, lr=1.0, activation="linear")
        self.affine.weight.data.zero_()
        self.affine.bias.data[0] = 1.0
        # Frequencies fill a disc whose radius is the bandwidth, dense in the middle.
        freqs = torch.randn(channels, 2)
        radii = freqs.norm(dim=1, keepdim=True)
        self.register_buffer("freqs", freqs / (radii * (radii.square() / 4).exp()) * self.bandwidth)
        self.register_buffer("phases", torch.rand(channels) - 0.5)
        self.register_buffer("transform", torch.eye(3))

    def forward(self, t: Tensor) -> Tensor:
        """Features (n, channels, height, width) of rotation and shift (n, 4), which the affine layer makes of w."""
        cos, sin, right, down = (t / t[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        # The picture is rotated, then shifted, then moved by the user's transform (all of them inverses).
        first = torch.stack([cos, -sin, sin * down - cos * right], 1)
        second = torch.stack([sin, cos, -sin * right - cos * down], 1)
        matrix = torch.stack([first, second], dim=1) @ self.transform
        freqs = self.freqs @ matrix[:, :, :2]
        phases = self.phases + (self.freqs @ matrix[:, :, 2:]).squeeze(2)
        # A transform may enlarge frequencies beyond the bandwidth: they fade out up to the highest that exists.
        excess = (freqs.norm(dim=2) - self.bandwidth) / (self.rate / 2 - self.bandwidth)
        amplitudes = (1 - excess).clamp(0, 1)
        y, x = ((torch.arange(size, device=t.device, dtype=t.dtype) + (1 - size) / 2) / self.rate for size in self.size)
        freqs, phases = freqs[:, None, None], phases[:, None, None]
        angles = x[:, None] * freqs[..., 0] + (y[:, None, None] * freqs[..., 1] + phases)
        waves = (2 * math.pi * angles).sin() * amplitudes[:, None, None]
        return F.linear(waves, self.weight / math.sqrt(len(self.weight))).permute(0, 3, 1, 2)


class Layer(nn.Module):
    """Modulated convolution, bias, alias-free activation; the last one makes the image, without either of the two."""

    magnitude_ema: Tensor
    up_filter: Tensor
    down_filter: Tensor

    def __init__(self, config: StyleGAN3Config, index: int):
        super().__init__()
        in_channels, out_channels = config.channels[index : index + 2]
        kernel = config.kernels[index]
        self.makes_image = index == len(config.kernels) - 1
        self.clamp = config.conv_clamp
        rows, columns = config.padding(index)
        pad = (rows[0], columns[0])
        self.resampling = Resampling(config.up[index], config.down[index], pad, config.size(index + 1))
        self.affine = Linear(config.w_dim, in_channels, lr=1.0, activation="linear", bias_init=1.0)
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("magnitude_ema", torch.ones([]))
        up_taps, down_taps = config.up_taps[index], config.down_taps[index]
        down_filter = low_pass(down_taps, config.down[index])
        if config.radial[index]:
            down_filter = torch.outer(down_filter, down_filter)
        # NVIDIA's checkpoints hold no filter where there is none, which one tap of 1 is here.
        self.register_buffer("up_filter", low_pass(up_taps, config.up[index]), persistent=up_taps > 1)
        self.register_buffer("down_filter", down_filter, persistent=down_taps > 1)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """Features (n, out, h, w) of features and of what the affine layer made of w, (n, in)."""
        weight: Tensor = self.weight
        padding = weight.shape[2] - 1
        gain = self.magnitude_ema.rsqrt()
        if self.makes_image:
            style = style * (gain / math.sqrt(weight[0].numel()))
            x = F.conv2d(x * style[:, :, None, None], weight, self.bias, padding=padding)
        else:
            weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
            # NVIDIA takes this mean over the batch. It cancels in the demodulation, so that each sample's own mean
            # does the same, and no image depends on its neighbours.
            style = style * style.square().mean(dim=1, keepdim=True).rsqrt()
            demod = (style.square() @ weight.square().sum(dim=(2, 3)).T + 1e-8).rsqrt() * gain
            x = F.conv2d(x * style[:, :, None, None], weight, padding=padding)
            x = torch.addcmul(self.bias[:, None, None], x, demod[:, :, None, None])
        activation = (1.0, 1.0) if self.makes_image else (math.sqrt(2), 0.2)
        return filtered_activation(
            x,
            self.up_filter,
            self.down_filter,
            self.resampling,
            gain=activation[0],
            slope=activation[1],
            clamp=self.clamp,
        )


class Synthesis(nn.Module):
    """Styles → image, or the features after any layer."""

    def __init__(self, config: StyleGAN3Config):
        super().__init__()
        self.config = config
        self.input = FourierFeatures(config)
        for index, name in enumerate(config.layer_names):
            self.add_module(name, Layer(config, index))

    def forward(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Image (n, img_channels, height, width), or features (n, channels, h, w) after layer `until`.

        Args:
            w: styles (n, num_layers, w_dim), or (n, w_dim) for all layers; or channel styles (n, 1, S). Style 0 is that
                of the Fourier features, style k + 1 that of the layer which NVIDIA calls Lk.
            until: layer to stop after, counted as the styles are: 0 gives the Fourier features.
            noise, seed: without effect, StyleGAN3 has no noise.
        """
        config = self.config
        last = check_layer(until, config.num_layers)
        styles = affine_outputs(w, self.affines(), last, config.num_layers, config.w_dim)
        x = self.input(styles[0])
        for style, name in zip(styles[1:], config.layer_names, strict=False):
            x = self.get_submodule(name)(x, style)
        return x * config.output_scale if last == config.num_layers - 1 else x

    def affines(self) -> list[tuple[int, Linear]]:
        """The affine layer of each layer."""
        modules: list[Any] = [self.get_submodule(name) for name in ("input", *self.config.layer_names)]
        return [(layer, module.affine) for layer, module in enumerate(modules)]


class StyleGAN3(WithChannelStyles, nn.Module):
    """The complete generator: `mapping` and `synthesis` (see `ganwalk.generators.base.Generator`).

    Layer 0 are the Fourier features, layer k + 1 is the one that NVIDIA calls Lk, the last one makes the image.
    """

    style_based = True

    def __init__(self, config: StyleGAN3Config):
        super().__init__()
        self.config = config
        self.z_dim, self.w_dim, self.c_dim = config.z_dim, config.w_dim, config.c_dim
        self.num_layers = config.num_layers
        self.layer_resolutions = tuple(map(max, zip(config.sizes, config.widths or config.sizes, strict=True)))
        self.image_size = config.image_size
        self.resolution = config.img_resolution
        self.img_channels = config.img_channels
        self.mapping = Mapping(config, class_table=config.class_table)
        self.synthesis = Synthesis(config)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def w_avg(self) -> Tensor:
        average = self.mapping.w_avg
        return average if average.ndim == 1 else average.mean(dim=0)

    def latent_weights(self, layer: int) -> tuple[Tensor, ...]:
        """Matrices (out, w_dim) that the style of a layer meets first."""
        return (self.synthesis.affines()[layer][1].weight,)

    @property
    def summary(self) -> str:
        """The architecture for people."""
        rotation = any(self.config.radial)
        classes = ", classes from a table as in StyleGAN-XL" if self.config.class_table else ""
        return f"stylegan3 ({'R: translation and rotation' if rotation else 'T: translation'}{classes})"

    def forward(self, z: Tensor, c: Tensor | None = None, *, truncation_psi: float = 1.0) -> Tensor:
        """Images of latent codes."""
        return self.synthesis(self.mapping(z, c, truncation_psi=truncation_psi))
