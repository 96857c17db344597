"""Directions that a network can tell apart.

Voynov & Babenko, "Unsupervised Discovery of Interpretable Directions in the GAN Latent Space" (ICML 2020): a matrix of
directions (the "latent deformator") and a network are trained together, so that the network reads off an image and its
shifted version which direction was walked, and how far. The matrix has orthonormal columns or, oblique, columns of unit
length, the two that the paper keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of, seeded
from ganwalk.discovery.learned.shift_predictor import ShiftPredictor, Sight, balanced, shift_loss, small
from ganwalk.discovery.learned.shifts import pairs, random_amounts
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import View, sample_latents
from ganwalk.generators.base import Generator, device_of

# Latents by which the network's input is scaled.
_SAMPLES = 32


@dataclass(frozen=True)
class LatentDeformator:
    """The loss of one batch, in which each latent is shifted along one direction; a `base.Learner`.

    Attributes:
        sight, scale: what the network sees of the features, and the size of their usual change.
    """

    generator: Generator
    view: View
    amplitude: float
    oblique: bool
    sight: Sight
    scale: float
    networks: ShiftPredictor = field(repr=False)

    def loss(self, latents: Tensor, steps: Tensor, seed: int) -> Tensor:
        """Cross-entropy of the direction and a quarter of the error of the amplitude in standard deviations."""
        rng = rng_of(seed)
        labels = balanced(len(latents), len(steps), rng).to(steps.device)
        amounts = random_amounts(len(latents), rng).to(steps)
        before, after = pairs(self.generator, self.view, latents, steps[labels] * amounts[:, None], seed)
        before, after = self.sight(before), self.sight(after)
        answers, found = self.networks(torch.cat([before, (after - before) / self.scale], dim=1))
        return shift_loss(answers, found, labels, self.amplitude * amounts)


def make_latent_deformator(generator: Generator, settings: DiscoverySettings, subspace: Subspace) -> LatentDeformator:
    """The learner of resolved settings, its network untrained."""
    view, seed = settings.view(), settings.seed
    steps = subspace.steps(subspace.components, settings.amplitude).to(device_of(generator))
    with torch.no_grad():
        latents = sample_latents(generator, view, _SAMPLES, seed)
        shifts = steps[torch.arange(_SAMPLES) % len(steps)]
        before, after = pairs(generator, view, latents, shifts, seed)
        sight = Sight.of(small(torch.cat([before, after])))
        before, after = sight(before), sight(after)
    with seeded(device_of(generator), seed):
        network = ShiftPredictor(2 * before.shape[1], before.shape[2], settings.n_directions)
    return LatentDeformator(
        generator,
        view,
        settings.amplitude,
        settings.oblique,
        sight,
        max(1e-8, float((after - before).square().mean().sqrt())),
        network.to(device_of(generator)),
    )


def cost(batch: int, n: int) -> tuple[int, int]:
    """A `base.Cost`."""
    return batch, batch
