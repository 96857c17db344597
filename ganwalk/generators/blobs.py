"""`blobs`: analytic generators with known axes, for tests, studies and first experiments. They have no weights.

A soft ellipse on a plain background. Six factors (position x and y, scale, angle, hue, background) are functions of
u = Q w, where Q is a seeded random rotation: the first six rows of Q are the true disentangled directions. The variants
differ in what stands between the latent code, u and the picture:

    blobs             w = z of 6 dimensions; the picture is smooth and monotone in u
    blobs-curved      hue and angle go round their circles, and a bar in the foreground hides the blob
    blobs-correlated  the mapping correlates the factors: x with scale, hue with background, y with angle
    blobs-dead        w = z of 16 dimensions: 6 active, 2 almost without effect, 8 without any
    blobs-unequal     the mapping gives the factors standard deviations from 2 down to 0.35
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer

FACTOR_NAMES = ("x", "y", "scale", "angle", "hue", "background")
VARIANTS = ("independent", "curved", "correlated", "dead", "unequal")
_ACTIVE = len(FACTOR_NAMES)
_AMBIENT = 16
_DEVIATIONS = (2.0, 1.5, 1.1, 0.8, 0.55, 0.35)
# Pairs of factors, and their correlation.
_CORRELATIONS = ((0, 2, 0.7), (4, 5, -0.6), (1, 3, 0.5))
# Of the curved variant: two standard deviations either way go round once.
_PERIOD = 4.0
# Largest change of brightness by the dimensions that are almost dead.
_FAINT = 0.006


@dataclass(frozen=True)
class BlobsConfig:
    """Size of the picture, seed of the rotation that hides the axes, and variant (one of `VARIANTS`)."""

    resolution: int = 32
    seed: int = 0
    variant: str = "independent"


class Blobs(nn.Module):
    """Implements `ganwalk.generators.base.Generator`; only the variants with a mapping have a w space.

    Attributes:
        rotation: Q, (d, d) orthogonal.
        factor_names: names of the six factors.
    """

    rotation: Tensor
    mixing: Tensor | None
    c_dim = 0
    num_layers = 1
    img_channels = 3
    factor_names = FACTOR_NAMES

    def __init__(self, config: BlobsConfig | None = None):
        super().__init__()
        self.config = config or BlobsConfig()
        variant = self.config.variant
        if variant not in VARIANTS:
            raise GanwalkError(f"unknown variant {variant!r} of blobs: choose one of {', '.join(VARIANTS)}")
        self.style_based = variant in ("correlated", "unequal")
        self.z_dim = self.w_dim = _AMBIENT if variant == "dead" else _ACTIVE
        self.resolution = self.config.resolution
        self.image_size = (self.resolution, self.resolution)
        self.layer_resolutions = (self.resolution,)
        rng = rng_of(self.config.seed)
        q, r = torch.linalg.qr(torch.randn(self.z_dim, self.z_dim, generator=rng, dtype=torch.float64))
        # The signs of R's diagonal make the rotation uniformly distributed, whatever LAPACK chose.
        rotation = (q * r.diagonal().sign()).T
        self.register_buffer("rotation", rotation.float())
        self.register_buffer("mixing", (rotation.T @ _factor_root(variant)).float() if self.style_based else None)
        self.register_buffer("w_avg", torch.zeros(self.z_dim), persistent=False)

    @property
    def factor_periods(self) -> dict[str, float]:
        """Periods of the factors that come round, by name: only the curved variant has them."""
        return {"angle": _PERIOD, "hue": _PERIOD} if self.config.variant == "curved" else {}

    @property
    def axes(self) -> Tensor:
        """The true directions (6, d): in w for variants with a mapping, else in z."""
        return self.rotation[:_ACTIVE]

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """Styles (n, 1, d), linear in z; truncation scales them towards the origin."""
        check_codes(z, self.z_dim)
        w = z if self.mixing is None else z @ self.mixing.T.to(z.dtype)
        return w.unsqueeze(1) * truncation_psi

    def factors(self, w: Tensor) -> Tensor:
        """Factor coordinates u = Q w of styles (n, d), as (n, 6)."""
        return w @ self.axes.T.to(w.dtype)

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, 3, resolution, resolution) in [-1, 1], differentiable in w."""
        check_layer(until, self.num_layers)
        w = broadcast_styles(w, self.num_layers, self.w_dim)[:, 0]
        curved = self.config.variant == "curved"
        x, y, scale, angle, hue, background = self.factors(w)[:, :, None, None].unbind(1)
        ticks = (torch.arange(self.resolution, device=w.device, dtype=w.dtype) + 0.5) / self.resolution * 2 - 1
        px = ticks.view(1, 1, -1) - 0.5 * torch.tanh(0.6 * x)
        py = ticks.view(1, -1, 1) - 0.5 * torch.tanh(0.6 * y)
        # An ellipse repeats itself after half a turn.
        turn = angle * (math.pi / _PERIOD if curved else 0.45)
        along = torch.cos(turn) * px + torch.sin(turn) * py
        across = torch.cos(turn) * py - torch.sin(turn) * px
        size = 0.42 * torch.exp(0.3 * torch.tanh(scale))
        radius = ((along / size).square() + (across / (0.5 * size)).square() + 1e-6).sqrt()
        mask = torch.sigmoid((1 - radius) * 6)[:, None]
        phase = hue * (2 * math.pi / _PERIOD) if curved else 1.2 * torch.tanh(0.6 * hue)
        shades = [torch.cos(phase + offset * 2 * math.pi / 3) for offset in range(3)]
        colour = torch.stack(shades, dim=1) * 0.8
        ground = 0.8 * torch.tanh(0.6 * background)[:, None]
        image = mask * colour + (1 - mask) * ground
        if curved:
            bar = torch.sigmoid((0.22 - (ticks - 0.35).abs()) * 30).view(1, 1, 1, -1)
            image = bar * -0.9 + (1 - bar) * image
        if self.config.variant == "dead":
            faint = torch.tanh(w @ self.rotation[_ACTIVE : _ACTIVE + 2].T.to(w.dtype))[:, :, None, None]
            image = image * (1 - 2 * _FAINT) + _FAINT * (faint[:, :1] + faint[:, 1:] * ticks.view(1, 1, -1, 1))
        return image


def _factor_root(variant: str) -> Tensor:
    """Square root (6, 6) of the covariance that the mapping gives the factors, float64."""
    if variant == "unequal":
        return torch.tensor(_DEVIATIONS, dtype=torch.float64).diag()
    covariance = torch.eye(_ACTIVE, dtype=torch.float64)
    for i, j, correlation in _CORRELATIONS:
        covariance[i, j] = covariance[j, i] = correlation
    return torch.linalg.cholesky(covariance)
