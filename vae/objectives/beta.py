"""β-VAE: a heavier KL divergence (Higgins et al., ICLR 2017), or a capacity that grows (Burgess et al., 2018)."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganwalk import parallel
from ganwalk.errors import GanwalkError
from vae.objectives.base import Context, Objective, Terms
from vae.objectives.checks import check_not_negative, check_share

_OF_CAPACITY = ("capacity_weight", "capacity_until")


@dataclass(frozen=True)
class BetaSettings:
    """Attributes are options of the command line; `help` in their metadata is shown there."""

    beta: float = field(default=4.0, metadata={"help": "Weight of the KL divergence, or of its total correlation."})
    capacity: float | None = field(
        default=None, metadata={"help": "Capacity in nats that the KL divergence is drawn to at last."}
    )
    capacity_weight: float = field(
        default=1000.0, metadata={"help": "Weight of the KL divergence's distance from the capacity."}
    )
    capacity_until: float = field(default=0.5, metadata={"help": "Share of the steps over which the capacity grows."})

    def __post_init__(self) -> None:
        check_not_negative(self, "beta", "capacity_weight")
        if self.capacity is not None:
            check_not_negative(self, "capacity")
        check_share(self, "capacity_until")
        what, unused = ("with", ("beta",)) if self.capacity is not None else ("without", _OF_CAPACITY)
        for name in unused:
            if getattr(self, name) != getattr(type(self), name):
                raise GanwalkError(f"{name} has no effect {what} a capacity: leave it out")


class Beta(Objective):
    """β · KL, or γ · |KL - C| with C growing linearly from 0."""

    name = "beta"

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
