"""What the search and its objectives know of one another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError

# Of the batch that every basis of a run is scored on.
HELD_SEED = 2**62


@dataclass
class Timing:
    """Seconds spent in the parts of the steps of this process."""

    synthesis: float = 0.0
    topology: float = 0.0
    backward: float = 0.0
    evaluation: float = 0.0

    def lap(self, part: str, since: float) -> float:
        """Adds the time since a mark to a part, and returns the new mark."""
        now = time.perf_counter()
        setattr(self, part, getattr(self, part) + now - since)
        return now


@dataclass(frozen=True)
class HeldScores:
    """Of a basis on the held batch: the loss, and the image change (n,) of each direction's shift."""

    loss: float
    displacement: Tensor


class Objective(Protocol):
    """What a basis is rotated for.

    Attributes:
        equalized: whether shifts are scaled so that all change the image equally, and grow during the run; otherwise
            they are of a fixed length.
    """

    equalized: bool

    def accumulate(self, latents: Tensor, steps: Tensor, seed: int, timing: Timing) -> float:
        """The loss of a batch of latents and shifts (n, d); adds its gradient to the shifts' leaves."""
        ...

    def held(self, steps: Tensor) -> HeldScores:
        """Scores of shifts (n, d) on the held batch."""
        ...


def check_finite(values: Tensor) -> None:
    """Raises GanwalkError if shifted images or their loss are NaN or infinite."""
    if not torch.isfinite(values).all():
        raise GanwalkError("shifted images are not finite: use a smaller --amplitude or --lr")
