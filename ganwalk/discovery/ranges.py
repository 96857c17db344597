"""Directions of several ranges of layers side by side: which ranges there are, and whose directions are kept.

Early layers of a StyleGAN hold geometry and late ones colours, so that a direction may do one thing in some layers and
another in others. What speaks for a direction here is what speaks for it elsewhere: little change of a batch's shape
(RTD) for the change that it makes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery.local.places import pooled
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.generators.base import Generator, device_of
from ganwalk.layers import Layers

# Shares of the picture's side up to which layers are called early, and middle ones, and what these are at least: of
# 1024 px, 8 and 32 px, as the field has it since Karras et al. (2019).
_EARLY, _MIDDLE = (1 / 128, 4), (1 / 32, 8)
# Directions that change the image less than this share of the strongest one's change are kept only for want of others.
_LEAST = 0.1
# Cosine between what two directions change, from which they are one.
_ALIKE = 0.5


def ranges_of_layers(generator: Generator, last: int) -> list[Layers | None]:
    """All layers, then the early, the middle and the late ones, as far as there are such up to the layer looked at."""
    early, middle = (max(share * generator.resolution, least) for share, least in (_EARLY, _MIDDLE))
    parts: list[list[int]] = [[], [], []]
    for layer, size in enumerate(generator.layer_resolutions[: last + 1]):
        parts[(size > early) + (size > middle)].append(layer)
    found = [(part[0], part[-1]) for part in parts if part]
    return [None, *found] if len(found) > 1 else [None]


def likeness(
    generator: Generator, view: View, directions: Directions, lengths: Tensor, *, samples: int, seed: int
) -> Tensor:
    """|cosine| (n, n) between the changes that directions make, as means over latents.

    Args:
        view: whose features are compared, pooled to 8 × 8 places where they are larger.
        lengths: (n,) of the shifts, in standard deviations.
        samples: latents.
        seed: of these, of labels and noise.
    """
    changes = []
    with torch.no_grad():
        latents = sample_latents(generator, view, samples, seed)
        before = features(generator, view, latents, seed)
        for index, length in enumerate(lengths.tolist()):
            step = directions.shift(index, length, num_layers=generator.num_layers).to(device_of(generator))
            change = pooled(features(generator, view, latents + step, seed) - before)
            changes.append(F.normalize(change.flatten(1), dim=1).cpu())
    stacked = torch.stack(changes, dim=1)
    return (stacked @ stacked.transpose(1, 2)).mean(dim=0).abs()


def cleanest(rtd: Tensor, effects: Tensor, alike: Tensor, n: int) -> list[int]:
    """The n candidates with the smallest RTD, each unlike those before it; as far as there are such.

    Then come those that are least like the chosen ones.

    Args:
        rtd: (m,) at one common change of the image.
        effects: (m,) change of the image by one standard deviation.
        alike: (m, m) of `likeness`.
    """
    strong = effects >= _LEAST * effects.max()
    order = sorted(range(len(rtd)), key=lambda k: (not bool(strong[k]), float(rtd[k])))
    chosen: list[int] = []
    for k in order:
        if len(chosen) < n and strong[k] and _most_alike(alike, k, chosen) < _ALIKE:
            chosen.append(k)
    while len(chosen) < n:
        rest = [k for k in order if k not in chosen]
        chosen.append(min(rest, key=lambda k: _most_alike(alike, k, chosen)))
    return chosen


def _most_alike(alike: Tensor, k: int, chosen: Sequence[int]) -> float:
    return max((float(alike[k, other]) for other in chosen), default=0.0)
