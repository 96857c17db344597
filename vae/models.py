"""The encoder and decoder of the paper: four strided convolutions, a hidden layer, a Gaussian code."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganwalk.errors import GanwalkError
from vae.data import RESOLUTIONS

# Channels of the convolutions, from the images on, and the width of the hidden layer on one channel and on three.
_LAYERS = {"narrow": ((32, 32, 64, 64), (128, 256)), "wide": ((32, 64, 128, 256), (512, 512))}
# Of the initialisation "normal".
_DEVIATION = 0.02
# Far above any published model, and small enough that a file cannot ask for all memory.
_MAX_WIDTH = 8192
# exp of more than this is no variance of any code, and overflows soon after.
_LOG_VARIANCE_RANGE = (-30.0, 20.0)


@dataclass(frozen=True)
class ModelConfig:
    """Shape of a model.

    Attributes:
        resolution: 32 or 64 pixels.
        channels: 1 or 3.
        z_dim: size of the latent code.
        hidden: width of the layer between convolutions and code; None takes that of the layers.
        layers: "narrow", convolutions of 32, 32, 64 and 64 channels and a hidden layer of 128 on one channel and 256
            on three; or "wide", 32, 64, 128, 256 and 512.
        levels: of quantised codes, how many each dimension has; None for codes of a normal distribution.
    """

    resolution: int = 64
    channels: int = 1
    z_dim: int = 10
    hidden: int | None = None
    layers: str = "narrow"
    levels: int | None = None

    def __post_init__(self) -> None:
        if self.resolution not in RESOLUTIONS:
            raise GanwalkError(f"the model takes images of {' or '.join(map(str, RESOLUTIONS))} px")
        if self.channels not in (1, 3):
            raise GanwalkError(f"the model takes images of 1 or 3 channels, not {self.channels}")
        if self.layers not in _LAYERS:
            raise GanwalkError(f"unknown layers {self.layers!r}: choose {' or '.join(_LAYERS)}")
        for name, size in (("z_dim", self.z_dim), ("hidden", self.width)):
            if not 1 <= size <= _MAX_WIDTH:
                raise GanwalkError(f"{name} must be from 1 to {_MAX_WIDTH}, not {size}")
        if self.levels is not None and not 2 <= self.levels <= _MAX_WIDTH:
            raise GanwalkError(f"levels must be from 2 to {_MAX_WIDTH}, not {self.levels}")

    @property
    def width(self) -> int:
        """The hidden layer's width."""
        return self.hidden if self.hidden is not None else _LAYERS[self.layers][1][self.channels > 1]

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of the convolutions, from the images on."""
        return _LAYERS[self.layers][0]


class PhasedConvTranspose2d(nn.ConvTranspose2d):
    """Transposed convolution 4×4, stride 2, padding 1, by one 2×2 convolution; for few output channels.

    Each output pixel sees 2×2 input pixels, through one of four sets of weights that its row and column choose. All
    four are channels of one ordinary convolution, which runs faster on a CPU than a transposed one whose output has
    one or three channels.
    """

    def __init__(self, in_channels: int, out_channels: int):
        super().__init__(in_channels, out_channels, 4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        assert self.bias is not None
        return phased_transpose(x, self.weight, self.bias)


def phased_transpose(x: Tensor, weight: Tensor, bias: Tensor, groups: int = 1) -> Tensor:
    """What `PhasedConvTranspose2d` does; arguments as of torch's conv_transpose2d."""
    n, _, height, width = x.shape
    channels = weight.shape[1]
    # Of the flipped kernel, entry 2·tap + phase of an axis is what output 2i + phase takes of input
    # i + phase - 1 + tap.
    taps = weight.flip(2, 3).view(groups, -1, channels, 2, 2, 2, 2).permute(0, 4, 6, 2, 1, 3, 5)
    kernel = taps.reshape(groups * 4 * channels, -1, 2, 2).contiguous(memory_format=torch.channels_last)
    biases = bias.view(groups, 1, channels).expand(groups, 4, channels).reshape(-1)
    y = F.conv2d(x, kernel, biases, padding=1, groups=groups)
    y = y.view(n, groups, 2, 2, channels, height + 1, width + 1)
    rows = [torch.stack([y[:, :, a, b, :, a : a + height, b : b + width] for b in (0, 1)], dim=-1) for a in (0, 1)]
    return torch.stack(rows, dim=4).reshape(n, groups * channels, 2 * height, 2 * width)


class VAE(nn.Module):
    """Convolutional VAE after Kim & Mnih (2018) and the appendix of Balabin et al. (ICML 2024).

    Images are (n, channels, resolution, resolution) in [0, 1], codes (n, z_dim), and the decoder yields logits of a
    Bernoulli distribution per value. At 32 px the last convolutions are 2×2 instead of 4×4. Parameters, codes and
    logits are float32; convolutions run in `precision`.

    Args:
        initialisation: "kaiming"; or, where the transposed convolutions keep torch's own initialisation as in the code
            that TopDis' authors released, "kaiming-convolutions" or "normal" for N(0, 0.02).
    """

    def __init__(self, config: ModelConfig, precision: torch.dtype = torch.float32, initialisation: str = "kaiming"):
        super().__init__()
        self.config = config
        self.precision = precision
        last = config.resolution // 2 ** len(config.widths)
        down = [config.channels, *config.widths]
        encoder: list[nn.Module] = []
        for before, after in pairwise(down):
            encoder += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU()]
        encoder += [nn.Conv2d(down[-1], config.width, last), nn.ReLU(), nn.Conv2d(config.width, 2 * config.z_dim, 1)]
        up = down[::-1]
        decoder: list[nn.Module] = [nn.Conv2d(config.z_dim, config.width, 1), nn.ReLU()]
        decoder += [nn.ConvTranspose2d(config.width, up[0], last)]
        for before, after in pairwise(up[:-1]):
            decoder += [nn.ReLU(), nn.ConvTranspose2d(before, after, 4, 2, 1)]
        decoder += [nn.ReLU(), PhasedConvTranspose2d(up[-2], up[-1])]
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.codebook: nn.Parameter | None = None
        if config.levels is not None:
            self.codebook = nn.Parameter(torch.linspace(-0.5, 0.5, config.levels).repeat(config.z_dim, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                transposed = isinstance(module, nn.ConvTranspose2d)
                if transposed and initialisation != "kaiming":
                    continue
                if initialisation == "normal":
                    nn.init.normal_(module.weight, 0, _DEVIATION)
                else:
                    nn.init.kaiming_normal_(module.weight, mode="fan_out" if transposed else "fan_in")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, (n, z_dim) each, of q(z|x)."""
        with self.autocast(images):
            statistics = self.encoder(images.contiguous(memory_format=torch.channels_last)).flatten(1)
        return bounded_statistics(statistics)

    def quantise(self, codes: Tensor) -> Tensor:
        """The nearest levels (n, z_dim) of codes, with a gradient to the levels alone; for models that have levels."""
        assert self.codebook is not None
        nearest = (codes.detach()[:, :, None] - self.codebook.detach()).abs().argmin(dim=2)
        return self.codebook[torch.arange(codes.shape[1], device=codes.device), nearest]

    def represent(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The codes (n, z_dim) that stand for images, and their log-variance: mean and log-variance of q(z|x), or
        levels with a variance of 1, so that their divergence from the prior tells how far they are from 0."""
        mean, log_variance = self.encode(images)
        if self.codebook is None:
            return mean, log_variance
        return self.quantise(mean), torch.zeros_like(log_variance)

    def decode(self, z: Tensor) -> Tensor:
        """Logits (n, channels, resolution, resolution) of codes (n, z_dim)."""
        with self.autocast(z):
            return self.decoder(z[:, :, None, None]).float()

    def autocast(self, like: Tensor) -> AbstractContextManager[Any]:
        """What the convolutions run in, for tensors such as this one."""
        # Not every device has an autocast, not even one that is switched off.
        return nullcontext() if self.precision == torch.float32 else torch.autocast(like.device.type, self.precision)

    @property
    def latent_weights(self) -> Tensor:
        """First-layer weights (width, z_dim) of the decoder: column i is what dimension i feeds."""
        first = self.decoder[0]
        assert isinstance(first, nn.Conv2d)
        return first.weight[:, :, 0, 0]


def bounded_statistics(statistics: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance (…, z_dim) of what an encoder puts out (…, 2 z_dim)."""
    mean, log_variance = statistics.float().chunk(2, dim=-1)
    return mean, log_variance.clamp(*_LOG_VARIANCE_RANGE)


def sample(mean: Tensor, log_variance: Tensor, noise: Tensor) -> Tensor:
    """Codes of q(z|x) by the reparametrisation trick, from standard normal noise of their shape."""
    return mean + (log_variance / 2).exp() * noise


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(q(z|x) ‖ N(0, I)) in nats of every image and dimension, (n, z_dim)."""
    return (mean.square() + log_variance.exp() - log_variance - 1) / 2
