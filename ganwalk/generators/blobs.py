"""`blobs`: an analytic generator with known axes, for tests, studies and first experiments. It has no weights.

A soft ellipse on a plain background. Six factors (position x and y, scale, angle, hue, background) are smooth monotone
functions of u = Q z, where Q is a seeded random rotation: the rows of Q are the true disentangled directions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganwalk.generators.base import Noise, broadcast_styles, check_codes, check_layer

FACTOR_NAMES = ("x", "y", "scale", "angle", "hue", "background")


@dataclass(frozen=True)
class BlobsConfig:
    """Size of the picture and seed of the rotation that hides the axes."""

    resolution: int = 32
    seed: int = 0


class Blobs(nn.Module):
    """Implements `ganwalk.generators.base.Generator` with z_dim 6 and no mapping.

    Attributes:
        rotation: Q, (6, 6) orthogonal; row i is the direction in z of factor `FACTOR_NAMES[i]`.
    """

    rotation: Tensor
    style_based = False
    z_dim = w_dim = len(FACTOR_NAMES)
    c_dim = 0
    num_layers = 1
    img_channels = 3

    def __init__(self, config: BlobsConfig | None = None):
        super().__init__()
        self.config = config or BlobsConfig()
        self.resolution = self.config.resolution
        self.layer_resolutions = (self.resolution,)
        rng = torch.Generator().manual_seed(self.config.seed)
        q, r = torch.linalg.qr(torch.randn(self.z_dim, self.z_dim, generator=rng, dtype=torch.float64))
        # The signs of R's diagonal make the rotation uniformly distributed, whatever LAPACK chose.
        self.register_buffer("rotation", (q * r.diagonal().sign()).T.float())
        self.register_buffer("w_avg", torch.zeros(self.z_dim), persistent=False)

    def mapping(
        self,
        z: Tensor,
        c: Tensor | None = None,
        *,
        truncation_psi: float = 1.0,
        truncation_cutoff: int | None = None,
    ) -> Tensor:
        """z itself, as (n, 1, 6); truncation scales it towards the origin."""
        check_codes(z, self.z_dim)
        return z.unsqueeze(1) * truncation_psi

    def factors(self, z: Tensor) -> Tensor:
        """Factor coordinates u = Q z, (n, 6), standard normal."""
        return z @ self.rotation.T.to(z.dtype)

    def synthesis(
        self, w: Tensor, *, until: int | None = None, noise: Noise = "const", seed: int | None = None
    ) -> Tensor:
        """Images (n, 3, resolution, resolution) in [-1, 1], differentiable in w."""
        check_layer(until, self.num_layers)
        z = broadcast_styles(w, self.num_layers, self.z_dim)[:, 0]
        x, y, scale, angle, hue, background = self.factors(z)[:, :, None, None].unbind(1)
        ticks = (torch.arange(self.resolution, device=z.device, dtype=z.dtype) + 0.5) / self.resolution * 2 - 1
        px = ticks.view(1, 1, -1) - 0.5 * torch.tanh(0.6 * x)
        py = ticks.view(1, -1, 1) - 0.5 * torch.tanh(0.6 * y)
        turn = 0.45 * angle
        along = torch.cos(turn) * px + torch.sin(turn) * py
        across = torch.cos(turn) * py - torch.sin(turn) * px
        size = 0.42 * torch.exp(0.3 * torch.tanh(scale))
        radius = ((along / size).square() + (across / (0.5 * size)).square() + 1e-6).sqrt()
        mask = torch.sigmoid((1 - radius) * 6)[:, None]
        phase = 1.2 * torch.tanh(0.6 * hue)
        shades = [torch.cos(phase + offset * 2 * math.pi / 3) for offset in range(3)]
        colour = torch.stack(shades, dim=1) * 0.8
        ground = 0.8 * torch.tanh(0.6 * background)[:, None]
        return mask * colour + (1 - mask) * ground
