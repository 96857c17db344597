"""The steps of a projection: Adam on coordinates of latents, in w first, then in each layer's.

Learning rates rise and fall as those of Karras et al. (CVPR 2020, appendix D). Unlike theirs, the noise maps of the
generator stay as they are: what they could draw is not in the latents, and is lost when these are walked.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ganwalk.projection.coordinates import Coordinates
from ganwalk.projection.distance import Distance, shown

# Share of the steps that w+ spends in w.
_SHARED = 0.3
_LR = 0.07
_BETAS = (0.9, 0.99)
# Shares of the steps in which the learning rate rises and falls, and what it falls to.
_RISE, _FALL, _LEAST = 0.05, 0.25, 0.02
# Weights of the mean square of the coordinates, which is 1 for samples, and of how far those of layers are apart.
_NORMAL = 1e-3
_APART = 1e-3


@dataclass(frozen=True)
class Progress:
    """Where a projection stands; everything that its checkpoint holds.

    Attributes:
        values: (n, rows, d) coordinates, a row for each layer once these are free.
        optimizer: state of Adam.
        step: steps done.
    """

    values: Tensor
    optimizer: dict[str, Any] = field(default_factory=dict)
    step: int = 0


def optimise(
    coordinates: Coordinates,
    distance: Distance,
    progress: Progress,
    steps: int,
    on_step: Callable[[Progress], None] | None = None,
    enough: Callable[[], bool] | None = None,
) -> Progress:
    """The state after `steps` steps, from wherever `progress` stands: the same, bit for bit, on the same machine.

    Args:
        on_step: called after every step (checkpoints, progress bars).
        enough: asked after every step whether to stop there; from what is returned it goes on another time.
    """
    generator = coordinates.generator
    freed = math.ceil(_SHARED * steps) if coordinates.space == "w+" else steps
    values, state = progress.values, progress.optimizer
    while progress.step < steps:
        if progress.step == freed:
            values, state = values.expand(-1, generator.num_layers, -1).contiguous(), {}
        values = values.detach().clone().requires_grad_()
        optimizer = torch.optim.Adam([values], _LR, betas=_BETAS)
        if state:
            optimizer.load_state_dict(state)
        last = steps if progress.step >= freed else freed
        while progress.step < last:
            optimizer.param_groups[0]["lr"] = _LR * ramp(progress.step / steps)
            optimizer.zero_grad()
            # Pictures do not touch one another: the gradient of a sum is that of each.
            loss = (distance(shown(generator.synthesis(coordinates.styles(values)))) + _unlikely(values)).sum()
            loss.backward()
            optimizer.step()
            progress = replace(
                progress,
                values=values.detach().clone(),
                optimizer=copy.deepcopy(optimizer.state_dict()),
                step=progress.step + 1,
            )
            if on_step is not None:
                on_step(progress)
            if enough is not None and enough():
                return progress
        values, state = progress.values, progress.optimizer
    return progress


def ramp(share: float) -> float:
    """The learning rate's factor after a share of the steps: up in a line, down along a cosine, never to nothing."""
    fall = 0.5 - 0.5 * math.cos(math.pi * min(1.0, (1 - share) / _FALL))
    return max(_LEAST, fall * min(1.0, share / _RISE))


def _unlikely(values: Tensor) -> Tensor:
    """How unlike samples latents are, (n,): far from their mean, and in every layer elsewhere."""
    far = values.square().mean(dim=(1, 2))
    apart = (values - values.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2))
    return _NORMAL * far + _APART * apart
