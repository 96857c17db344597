"""Which latents a student is shown: samples, shifted as a search may shift them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of
from ganwalk.directions import shift_latents
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import View, latent_styles, sample_latents
from ganwalk.generators.base import Generator

# Latents that share one seed: the smallest number that is drawn.
BLOCK = 64
_UNSHIFTED = 0.25
# Blocks have seeds of their own, below all others of a discovery.
_SEEDS = 2**20


@dataclass(frozen=True)
class Shifts:
    """Where the images of a student lie.

    Attributes:
        view: of the search.
        subspace: components along which latents are shifted; those that are searched come first.
        reach: longest shift, in standard deviations of the latents along it.
        seed: of everything random.
    """

    view: View
    subspace: Subspace
    reach: float
    seed: int

    def styles(self, generator: Generator, block: int) -> Tensor:
        """Styles (BLOCK, num_layers, w_dim) of a block: a quarter as sampled, the others shifted.

        Lengths are uniform up to the reach. Directions mix the components with heavy-tailed weights, so that most lie
        near one or two of them, as the directions of a basis do, without being parallel to any.
        """
        seed = self.seed * _SEEDS + block
        rng = rng_of(seed)
        components = self.subspace.components
        weights = torch.randn(BLOCK, len(components), generator=rng, dtype=torch.float64) ** 3
        lengths = self.reach * torch.rand(BLOCK, generator=rng, dtype=torch.float64)
        lengths *= torch.rand(BLOCK, generator=rng) >= _UNSHIFTED
        vectors = torch.nn.functional.normalize(weights @ components, dim=1)
        with torch.no_grad():
            latents = sample_latents(generator, self.view, BLOCK, seed)
            steps = self.subspace.steps(vectors, lengths).to(latents)
            shifted = shift_latents(latents, steps[:, None] if latents.ndim == 3 else steps, self.view.layers)
            return latent_styles(generator, self.view, shifted, seed)
