"""Directions whose variations an encoder tells apart by contrast.

Ren, Yang, Wang & Zeng, "Learning Disentangled Representation by Exploiting Pretrained Generative Models: A Contrastive
Learning View" (ICLR 2022): directions (the "navigator") and an encoder are trained together. The variation of a pair is
how the encoder's answer to an image changes when this is shifted, without signs and of unit length. Variations along
one direction attract each other, and are repelled by those along others; a negative that is nearly the same is no
negative any more (hard negatives flipped), and a variation should lie in one of the encoder's dimensions (entropy).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganwalk.compute.seeds import rng_of, seeded
from ganwalk.discovery.learned.shift_predictor import HIDDEN, Sight, convolutions, small
from ganwalk.discovery.learned.shifts import pairs, random_amounts
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, device_of

# Likeness from which on a negative is taken for a positive, as in the paper.
_SAME = 0.95
# Images by which the encoder's input is chosen.
_SAMPLES = 32


@dataclass(frozen=True)
class DisCo:
    """The loss of one batch, half of it shifted along one direction and half along others; a `base.Learner`.

    Attributes:
        sight: what the encoder sees of the features.
        networks: the encoder, as many dimensions as directions.
    """

    generator: Generator
    view: View
    oblique: bool
    sight: Sight
    networks: nn.Module = field(repr=False)

    def loss(self, latents: Tensor, steps: Tensor, seed: int) -> Tensor:
        """Contrast of the variations, and their entropy; negatives have no gradient, as in the paper."""
        n, same = len(steps), 2 * _queries(len(latents))
        rng = rng_of(seed)
        direction = torch.randint(n, (1,), generator=rng)
        others = (direction + 1 + torch.randint(n - 1, (len(latents) - same,), generator=rng)) % n
        amounts = random_amounts(len(latents), rng).to(steps)[:, None]
        queries, positives = self._variations(latents[:same], steps[direction] * amounts[:same], seed).chunk(2)
        with torch.no_grad():
            negatives = self._variations(latents[same:], steps[others] * amounts[same:], seed + 1)
        return contrast(queries, positives, negatives) + entropy(queries)

    def _variations(self, latents: Tensor, shifts: Tensor, seed: int) -> Tensor:
        """Variations (m, n) of latents, each with a shift of its own."""
        before, after = pairs(self.generator, self.view, latents, shifts, seed)
        change = self.networks(self.sight(after)) - self.networks(self.sight(before))
        return F.normalize(change.abs(), dim=1)


def contrast(queries: Tensor, positives: Tensor, negatives: Tensor) -> Tensor:
    """Binary cross-entropy of which variations (m, k) belong with the queries, by their cosines; a scalar.

    Negatives closer than 0.95 are wanted to be what they are.
    """
    with_positives, with_negatives = queries @ positives.T, queries @ negatives.T
    found = with_negatives.detach()
    labels = torch.cat([torch.ones_like(with_positives), torch.where(found > _SAME, found, 0.0)], dim=1)
    return F.binary_cross_entropy_with_logits(torch.cat([with_positives, with_negatives], dim=1), labels)


def entropy(variations: Tensor) -> Tensor:
    """Mean entropy of the softmax of variations (m, k), a scalar: small where one dimension dominates."""
    logs = variations.log_softmax(dim=1)
    return -(logs.exp() * logs).sum(dim=1).mean()


def make_disco(generator: Generator, settings: DiscoverySettings, subspace: Subspace) -> DisCo:
    """The learner of resolved settings, its encoder untrained.

    Raises:
        GanwalkError: a single direction, which nothing can be contrasted with.
    """
    if settings.n_directions < 2:
        raise GanwalkError("disco contrasts directions with one another: use --n-directions 2 or more")
    view, device = settings.view(), device_of(generator)
    with torch.no_grad():
        maps = small(features(generator, view, sample_latents(generator, view, _SAMPLES, settings.seed), settings.seed))
        sight = Sight.of(maps)
        channels, size = sight(maps).shape[1:3]
    with seeded(device, settings.seed):
        encoder = nn.Sequential(convolutions(channels, size, dropout=0.0), nn.Linear(HIDDEN, settings.n_directions))
    return DisCo(generator, view, settings.oblique, sight, encoder.to(device))


def cost(batch: int, n: int) -> tuple[int, int]:
    """A `base.Cost`."""
    same = 2 * _queries(batch)
    return 2 * batch - same, same


def _queries(batch: int) -> int:
    """Queries of a batch; as many positives, and twice as many negatives."""
    return max(1, batch // 4)
