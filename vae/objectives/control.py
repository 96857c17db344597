"""ControlVAE: a PI controller sets β such that the KL divergence follows a capacity (Shao et al., ICML 2020)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganwalk.compute import parallel
from vae.objectives.base import Context, Objective, Terms
from vae.objectives.settings import ControlSettings


class Control(Objective):
    """β(t) · KL, where β(t) = Kp / (1 + exp(e)) - Ki Σe + β_min, e = C(t) - KL, and never below β_min."""

    integral: Tensor
    saturated: Tensor

    def __init__(self, settings: ControlSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.register_buffer("integral", torch.zeros(()))
        self.register_buffer("saturated", torch.zeros((), dtype=torch.bool))

    def forward(self, context: Context) -> Terms:
        kl = context.batch.kl.sum(dim=1).mean()
        capacity = self.capacity(context)
        output, _ = self._control(kl, capacity)
        beta = output.clamp(min=self.settings.beta_min)
        return Terms(beta * kl, {"capacity": kl.new_tensor(capacity), "beta": beta})

    def update(self, context: Context) -> dict[str, Tensor]:
        output, integral = self._control(context.batch.kl.sum(dim=1).mean(), self.capacity(context))
        self.integral.copy_(integral)
        self.saturated.copy_(output < self.settings.beta_min)
        return {}

    def capacity(self, context: Context) -> float:
        """The set point C(t) in nats."""
        settings = self.settings
        until = settings.capacity_until * context.steps
        share = min(1.0, context.step / until) if until > 0 else 1.0
        if settings.capacity_levels:
            share = math.floor(share * settings.capacity_levels) / settings.capacity_levels
        return settings.capacity_start + share * (settings.capacity - settings.capacity_start)

    def _control(self, kl: Tensor, capacity: float) -> tuple[Tensor, Tensor]:
        """What the controller puts out at this KL divergence before it is bounded, and its integral then.

        The integral rests while the output is below its bound (the paper's guard against windup), but for errors that
        lift it: else one step far below the set point would leave it there for good.
        """
        settings = self.settings
        (kl,) = parallel.average([kl.detach()])
        error = capacity - kl
        rests = self.saturated & (error > 0)
        integral = torch.where(rests, self.integral, self.integral - settings.ki * error)
        return settings.kp * torch.sigmoid(-error) + integral + settings.beta_min, integral
