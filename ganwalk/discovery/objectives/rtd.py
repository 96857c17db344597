"""Discovery by topology: shifts along good directions keep the shape of batches of images.

Balabin et al., "Disentanglement Learning via Topology" (ICML 2024): directions minimise the Representation Topology
Divergence between a generated batch and the same batch shifted along each direction.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.compute import parallel
from ganwalk.compute.seeds import rng_of
from ganwalk.directions import shift_latents
from ganwalk.discovery.objectives.base import HELD_SEED, HeldScores, Timing, check_finite
from ganwalk.discovery.scores import BasisScores, score_basis
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import features
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss


def cost(batch: int, n: int) -> tuple[int, int]:
    """Latents that a step of a batch synthesises for n shifts: the reference, and the shifted ones."""
    return batch, n * batch


@dataclass(frozen=True)
class RTDObjective:
    """Mean RTD between a batch and its copies, shifted along a few directions; a `base.Objective`."""

    generator: Generator
    settings: DiscoverySettings
    loss: RTDLoss
    equalized = True

    def accumulate(self, latents: Tensor, steps: Tensor, seed: int, timing: Timing) -> float:
        """RTD of `directions_per_step` random shifts, with random signs or both, and its gradient."""
        settings, view = self.settings, self.settings.view()
        rng = rng_of(seed)
        chosen = torch.randperm(len(steps), generator=rng)[: settings.directions_per_step]
        signs = torch.randint(2, (len(chosen),), generator=rng).to(steps) * 2 - 1
        mark = time.perf_counter()
        signed = steps[chosen.to(steps.device)] * signs[:, None]
        if settings.both_signs:
            signed = torch.cat([signed, -signed])
        with torch.no_grad():
            reference = features(self.generator, view, latents, seed)
        mark = timing.lap("synthesis", mark)
        # Direction by direction, so that the memory is that of one; processes share them.
        leaves = signed.detach().requires_grad_()
        total = torch.zeros(())
        for index in range(parallel.rank(), len(leaves), parallel.processes()):
            shifted = features(self.generator, view, shift_latents(latents, leaves[index], view.layers), seed)
            mark = timing.lap("synthesis", mark)
            cloud = shifted.detach().requires_grad_()
            check_finite(cloud)
            value = self.loss(reference, [cloud]).sum() / len(leaves)
            (gradient,) = torch.autograd.grad(value, cloud)
            mark = timing.lap("topology", mark)
            shifted.backward(gradient)
            mark = timing.lap("backward", mark)
            total += value.detach().cpu()
        gradients = torch.zeros_like(signed) if leaves.grad is None else leaves.grad
        signed.backward(parallel.total(gradients))
        timing.lap("backward", mark)
        return parallel.total(total).item()

    def held(self, steps: Tensor) -> HeldScores:
        """Mean RTD over all directions and both signs."""
        scores = self.scores(steps)
        return HeldScores(scores.mean_rtd, scores.displacement)

    def scores(self, steps: Tensor) -> BasisScores:
        """RTD and image change of every shift (n, d) on the held batch."""
        settings = self.settings
        return score_basis(
            self.generator,
            settings.view(),
            steps,
            self.loss,
            batch=settings.batch,
            seed=settings.seed + HELD_SEED,
        )
