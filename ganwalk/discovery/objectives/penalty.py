"""Objectives that are a penalty of the synthesis along all directions at once, estimated with random signs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ganwalk.compute.seeds import rng_of
from ganwalk.directions import shift_latents
from ganwalk.discovery.objectives.base import HELD_SEED, HeldScores, Timing, check_finite
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import features, mean_change, sample_latents
from ganwalk.generators.base import Generator, device_of

# Random sign vectors per batch, as in the papers, and of the held one.
PROBES = 2
_HELD_PROBES = 8
# Syntheses of a batch whose gradients a penalty takes together, at most: both ways along each vector.
TOGETHER = 2 * PROBES


class Synthesis:
    """Features of shifted latents in one view; bounded memory, though a penalty needs several before its gradient."""

    def __init__(self, generator: Generator, settings: DiscoverySettings, seed: int):
        self.generator, self.view, self.seed = generator, settings.view(), seed

    def __call__(self, latents: Tensor, step: Tensor) -> Tensor:
        if torch.is_grad_enabled() and len(latents) <= self.view.chunk < TOGETHER * len(latents):
            return checkpoint(self._made, latents, step, use_reentrant=False, preserve_rng_state=False)
        return self._made(latents, step)

    def _made(self, latents: Tensor, step: Tensor) -> Tensor:
        own = step[:, None] if step.ndim == 2 and latents.ndim == 3 else step
        return features(self.generator, self.view, shift_latents(latents, own, self.view.layers), self.seed)


class Penalty(Protocol):
    """A penalty of the synthesis around latents, a scalar.

    Args:
        latents: (n, …).
        steps: (m, d) shifts by which the m coordinates are measured.
        signs: (probes, m) of ±1, or (probes, n, m) where each latent has its own.
        synthesise: features of latents shifted by a vector (d,), or by vectors (n, d).
    """

    def __call__(self, latents: Tensor, steps: Tensor, signs: Tensor, synthesise: Synthesis) -> Tensor: ...


@dataclass(frozen=True)
class PenaltyObjective:
    """A penalty of the generator along a basis; a `base.Objective`.

    Attributes:
        own_signs: whether each latent has random signs of its own, so that the estimate's error falls with the batch.
    """

    generator: Generator
    settings: DiscoverySettings
    penalty: Penalty
    own_signs: bool
    equalized = False

    def accumulate(self, latents: Tensor, steps: Tensor, seed: int, timing: Timing) -> float:
        """Penalty of all directions at once, and its gradient."""
        mark = time.perf_counter()
        synthesise = Synthesis(self.generator, self.settings, seed)
        value = self.penalty(latents, self._unit(steps), self._signs(PROBES, steps, seed), synthesise)
        mark = timing.lap("synthesis", mark)
        check_finite(value.detach())
        value.backward()
        timing.lap("backward", mark)
        return value.item()

    def held(self, steps: Tensor) -> HeldScores:
        """Penalty with more sign vectors, and the image change of every direction."""
        seed = self.settings.seed + HELD_SEED
        steps = steps.to(device_of(self.generator))
        with torch.no_grad():
            latents = sample_latents(self.generator, self.settings.view(), self.settings.batch, seed)
            synthesise = Synthesis(self.generator, self.settings, seed)
            signs = self._signs(_HELD_PROBES, steps, seed)
            value = self.penalty(latents, self._unit(steps), signs, synthesise)
            centre = synthesise(latents, torch.zeros_like(steps[0]))
            change = torch.stack([mean_change(centre, synthesise(latents, step)) for step in steps])
        return HeldScores(float(value), change.cpu())

    def _unit(self, steps: Tensor) -> Tensor:
        """Steps of one standard deviation."""
        return steps / self.settings.amplitude

    def _signs(self, probes: int, steps: Tensor, seed: int) -> Tensor:
        rng = rng_of(seed)
        each = (self.settings.batch,) if self.own_signs else ()
        return torch.randint(2, (probes, *each, len(steps)), generator=rng).to(steps) * 2 - 1
