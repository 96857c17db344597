"""What the training of directions and its methods know of one another."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn


class Learner(Protocol):
    """What directions are trained for, and the networks that are trained with them.

    Made anew from the settings whenever a run begins or continues: everything random in it follows from the seed.

    Attributes:
        networks: trained with the directions; without parameters where these are trained alone.
        oblique: whether the directions need not be orthogonal.
    """

    @property
    def networks(self) -> nn.Module: ...

    @property
    def oblique(self) -> bool: ...

    def loss(self, latents: Tensor, steps: Tensor, seed: int) -> Tensor:
        """The loss of a batch of latents and of shifts (n, d) by the amplitude, a scalar with its gradient."""
        ...


class Cost(Protocol):
    """Latents that a step of a batch synthesises for n directions: without gradients, and with."""

    def __call__(self, batch: int, n: int) -> tuple[int, int]: ...
