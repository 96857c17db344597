"""Directions whose effects are alike wherever they start, and unlike one another.

Yüksel, Simsar, Er & Yanardag, "LatentCLR: A Contrastive Learning Approach for Unsupervised Discovery of Interpretable
Directions" (ICCV 2021), with the paper's global directions: a contrastive loss on how features of an intermediate layer
change, in which changes by one direction attract each other and changes by different ones repel. No network is trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ganwalk.directions import shift_latents
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import View, features
from ganwalk.generators.base import Generator
from ganwalk.layers import hull_of

# Of the contrast, as in the paper.
_TEMPERATURE = 0.5


@dataclass(frozen=True)
class LatentCLR:
    """The loss of one batch, in which a few latents are shifted along every direction; a `base.Learner`."""

    generator: Generator
    view: View
    oblique = True
    networks: nn.Module = field(default_factory=nn.Identity)

    def loss(self, latents: Tensor, steps: Tensor, seed: int) -> Tensor:
        """Contrast of the changes by all directions, each on the same latents."""
        view, n = self.view, len(steps)
        latents = latents[: _latents(len(latents), n)]
        with torch.no_grad():
            before = features(self.generator, view, latents, seed)

        def change(step: Tensor) -> Tensor:
            return (features(self.generator, view, shift_latents(latents, step, view.layers), seed) - before).flatten(1)

        # One call makes a few latents only, so that the bound on the memory is kept here.
        if len(latents) <= view.chunk < n * len(latents):
            changes = [checkpoint(change, step, use_reentrant=False, preserve_rng_state=False) for step in steps]
        else:
            changes = [change(step) for step in steps]
        return contrast(torch.stack(changes))


def contrast(changes: Tensor) -> Tensor:
    """The loss of changes (n, m, values) of m latents' features by each of n directions, a scalar.

    Minus the logarithm of how alike a change is to those by its own direction on other latents, over how alike it is to
    those by the others; likeness is the mean exponential of |cosine|, since a direction and its opposite are one.
    """
    n, m, _ = changes.shape
    unit = F.normalize(changes, dim=2).flatten(0, 1)
    alike = ((unit @ unit.T).abs() / _TEMPERATURE).exp()
    own = torch.arange(n, device=changes.device).repeat_interleave(m)
    same = own[:, None] == own
    others = (alike * ~same).sum(dim=1) / max(1, (n - 1) * m)
    itself = (alike * same).sum(dim=1) - alike.diagonal()
    return (others.clamp_min(1e-8).log() - (itself / (m - 1)).log()).mean()


def make_latentclr(generator: Generator, settings: DiscoverySettings, subspace: Subspace) -> LatentCLR:
    """The learner of resolved settings: of their layer or, where that is the image, of one in the middle."""
    view = settings.view()
    # Code of others may make nothing but images.
    if view.layer == generator.num_layers - 1 and getattr(generator, "stops", True):
        first = 0 if view.layers is None else hull_of(view.layers)[0]
        view = replace(view, layer=max(first, generator.num_layers // 2))
    return LatentCLR(generator, view)


def cost(batch: int, n: int) -> tuple[int, int]:
    """A `base.Cost`."""
    count = _latents(batch, n)
    return count, count * n


def _latents(batch: int, n: int) -> int:
    """Latents that are shifted along each of n directions, so that about a batch is synthesised; at least two."""
    return min(batch, max(2, batch // n))
