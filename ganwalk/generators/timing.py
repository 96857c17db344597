"""How long a synthesis takes, and who has made how much: for estimates and progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganwalk.generators.base import Generator, sample_labels, sample_z
from ganwalk.generators.wrapper import Wrapper

# Seconds from which the first call, that sets things up, is taken for what all take.
_SLOW = 0.5


def seconds_per_latent(generator: Generator, until: int | None = None, *, batch: int = 1) -> float:
    """Seconds on this machine for one latent of a batch, synthesised up to a layer; roughly, from two calls at most."""
    seconds = 0.0
    with torch.no_grad():
        w = generator.mapping(sample_z(generator, batch, 0), sample_labels(generator, batch, None, 0))
        for _ in range(2):
            began = time.perf_counter()
            # Reading one value waits for the device.
            float(generator.synthesis(w, until=until).flatten()[0])
            seconds = time.perf_counter() - began
            if seconds > _SLOW * batch:
                break
    return seconds / batch


class Watched(Wrapper):
    """A generator that tells how many latents it has synthesised.

    Args:
        generator: what it is but for that.
        on_latents: called after each synthesis with the latents that it was of.
    """

    def __init__(self, generator: Generator, on_latents: Callable[[int], None]):
        self.generator, self._on_latents = generator, on_latents

    def synthesis(self, w: Tensor, **options: Any) -> Tensor:
        """As the generator's."""
        made = self.generator.synthesis(w, **options)
        self._on_latents(len(w))
        return made
