"""What small steps change in each place of the features: the derivatives that locality is judged by.

Of a latent and a place x on a coarse grid, T(x) holds one row for each step of a basis: the derivative of the features'
channels at x. Everything that follows needs inner products of its rows alone, so that their Gram matrix is kept, whose
size does not depend on the channels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.directions import shift_latents
from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT, View, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, sample_labels
from ganwalk.layers import hull_of

# Places on a side. Finer grids found nothing else, and take four times the memory.
GRID = 8
# Pixels on a side of early features, and of late ones of networks whose pictures are too large to be made thousands of
# times.
_EARLY_SIZE = 8
_LATE_SIZE = 16


@dataclass(frozen=True)
class Places:
    """Gram matrices of what unit steps along a basis change, by latent and place.

    Attributes:
        grams: (s, x, k, k) float32 on the generator's device, scaled so that their traces sum to s.
    """

    grams: Tensor

    @property
    def mean(self) -> Tensor:
        """The metric that the features induce on the basis: M = mean of Σ_x T Tᵀ, (k, k) float64 on the CPU."""
        return (self.grams.sum(dim=(0, 1)) / len(self.grams)).cpu().double()

    def of(self, rows: Tensor) -> Tensor:
        """Grams (s, x, m, m) of rows (m, k) in the coordinates of the basis."""
        moved = rows.to(self.grams)
        return moved @ self.grams @ moved.T

    def weighted(self, weights: Tensor) -> Tensor:
        """The mean over latents of Σ_x weight · T Tᵀ, (k, k) float64 on the CPU, of weights (s, x)."""
        return (torch.einsum("sx,sxkl->kl", weights, self.grams) / len(self.grams)).cpu().double()


def seen_layers(generator: Generator, view: View) -> tuple[int, ...]:
    """The layers whose features are looked at: an early one, of few places, and a late one.

    The late one is the view's, or one of at most 16 px where pictures are large. The early one is the last of at most 8
    px; neither lies before the layers that are shifted.
    """
    sizes = generator.layer_resolutions
    least = 0 if view.layers is None else min(hull_of(view.layers)[1], view.layer)

    def last_of(limit: int) -> int:
        limit = max(limit, min(sizes))
        return max(least, max(k for k in range(view.layer + 1) if k == 0 or sizes[k] <= limit))

    late = view.layer if generator.resolution <= IMAGE_DISTANCE_LIMIT else last_of(_LATE_SIZE)
    return tuple(dict.fromkeys((last_of(_EARLY_SIZE), late)))


def measure_places(
    generator: Generator,
    view: View,
    layer: int,
    basis: Tensor,
    lengths: Tensor,
    *,
    samples: int,
    seed: int,
    on_share: Callable[[float], None] | None = None,
) -> Places:
    """Derivatives along a basis by central differences, on random latents.

    Args:
        layer: whose features are differentiated; pooled to 8 × 8 places where they are larger.
        basis: unit rows (k, d) in view.space.
        lengths: (k,) of the steps, each way.
        samples: latents.
        seed: of the latents, labels and noise.
        on_share: called with the share of the latents that is done.
    Raises:
        GanwalkError: the features do not depend on the latents, or are not finite.
    """
    latents = sample_latents(generator, view, samples, seed)
    labels = sample_labels(generator, samples, view.class_index, seed)
    steps = (lengths[:, None] * basis).to(latents.dtype).to(latents.device)
    scale = (2 * lengths).to(latents.dtype).to(latents.device)
    grams = []
    with torch.no_grad():
        for s in range(samples):
            # A drawn class belongs to its latent, not to the steps.
            at = replace(view, layer=layer, class_index=None if labels is None else int(labels[s].argmax()))
            tangents = _differences(generator, at, latents[s], steps, seed + s) / scale[:, None, None]
            places = tangents.transpose(0, 1)
            grams.append(places @ places.transpose(1, 2))
            if on_share is not None:
                on_share((s + 1) / samples)
    found = torch.stack(grams)
    energy = float(found.diagonal(dim1=-2, dim2=-1).sum()) / samples
    if energy == 0:
        raise GanwalkError(f"the features of layer {layer} do not depend on the latents: use a higher --layer")
    if not energy < float("inf"):
        raise GanwalkError("the generator's features are not finite: the local method cannot serve it")
    return Places(found / energy)


def _differences(generator: Generator, view: View, latent: Tensor, steps: Tensor, seed: int) -> Tensor:
    """Differences (k, x, c) of the pooled features of one latent, shifted there and back along each step (k, d)."""
    parts = []
    for some in steps.split(view.chunk):
        shifts = some.view(len(some), *[1] * (latent.ndim - 1), some.shape[-1])
        same = latent.expand(len(some), *latent.shape)
        # One call for each way: what a network draws by itself is then the same for both.
        there, back = (
            features(generator, view, shift_latents(same, sign * shifts, view.layers), seed) for sign in (1, -1)
        )
        parts.append(pooled(there - back))
    return torch.cat(parts)


def pooled(difference: Tensor) -> Tensor:
    """Features (n, c, h, w), or (n, c) of one place, as (n, x, c) on a grid of at most 8 × 8."""
    if difference.ndim == 2:
        return difference[:, None]
    size = min(GRID, *difference.shape[-2:])
    return F.adaptive_avg_pool2d(difference, size).flatten(2).transpose(1, 2)
