"""ControlVAE: a PI controller sets β such that the KL divergence follows a capacity (Shao et al., ICML 2020)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganwalk import parallel
from vae.objectives.base import Context, Objective, Terms
from vae.objectives.checks import check_at_least, check_not_negative, check_share


@dataclass(frozen=True)
class ControlSettings:
    """Of the paper for dSprites, where the capacity grows by 0.15 nats every 5000 of a million steps.

    `ki` is per step, and so is the paper's: it depends on how fast the optimiser moves the KL divergence, not on how
    long the training takes.
    """

    capacity: float = field(
        default=18.0, metadata={"help": "Capacity in nats that the KL divergence is drawn to at last."}
    )
    capacity_start: float = field(default=0.5, metadata={"help": "Capacity in nats at the first step."})
    capacity_until: float = field(default=0.6, metadata={"help": "Share of the steps over which the capacity grows."})
    capacity_levels: int = field(
        default=117, metadata={"help": "Stairs by which the capacity grows; 0 for a straight line."}
    )
    kp: float = field(default=0.01, metadata={"help": "Proportional gain of the controller."})
    ki: float = field(default=0.001, metadata={"help": "Integral gain of the controller."})
    beta_min: float = field(default=1.0, metadata={"help": "Smallest weight of the KL divergence."})

    def __post_init__(self) -> None:
        check_not_negative(self, "capacity", "capacity_start", "kp", "ki", "beta_min")
        check_at_least(self, 0, "capacity_levels")
        check_share(self, "capacity_until")


class Control(Objective):
    """β(t) · KL, where β(t) = Kp / (1 + exp(e)) - Ki Σe + β_min, e = C(t) - KL, and never below β_min."""

    name = "control"
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
