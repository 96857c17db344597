"""β-VAE: a heavier KL divergence (Higgins et al., ICLR 2017), or a capacity that grows (Burgess et al., 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.compute import parallel
from vae.objectives.base import Context, Objective, Terms
from vae.objectives.settings import BetaSettings


class Beta(Objective):
    """β · KL, or γ · |KL - C| with C growing linearly from 0."""

    def __init__(self, settings: BetaSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings

    def forward(self, context: Context) -> Terms:
        kl: Tensor = context.batch.kl.sum(dim=1).mean()
        settings = self.settings
        if settings.capacity is None:
            return Terms(settings.beta * kl, {})
        capacity = growing(settings.capacity, context.step, settings.capacity_until * context.steps)
        # One side of the capacity for all processes: their gradients are averaged.
        (mean,) = parallel.average([kl.detach()])
        distance = (kl - capacity) * torch.sign(mean - capacity)
        return Terms(settings.capacity_weight * distance, {"capacity": kl.new_tensor(capacity)})


def growing(end: float, step: int, until: float) -> float:
    """Linear growth from 0 to `end` at step `until`."""
    return end * min(1.0, step / until) if until > 0 else end
