"""Where a projection starts: the nearest of many sampled images, as far as small versions of them tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ganwalk.discovery.view import default_chunk
from ganwalk.generators.base import Generator, sample_labels, sample_z
from ganwalk.projection.distance import differences, shown

# Pixels on a side of the images that are compared: layout and colours, no detail.
_COMPARED = 16
# Seeds of candidates begin here, far from those that people give to samples.
_SEED = 2**61


@dataclass(frozen=True)
class Candidates:
    """Sampled latents and what their images look like.

    Attributes:
        codes: (n, z_dim).
        styles: (n, w_dim).
        features: (n, f) of their images.
    """

    codes: Tensor
    styles: Tensor
    features: Tensor

    def nearest(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (m, z_dim) and styles (m, w_dim) of the candidates nearest to images (m, colours, h, w)."""
        chosen = torch.cdist(_features(images), self.features).argmin(dim=1)
        return self.codes[chosen], self.styles[chosen]

    def joined(self, others: Candidates) -> Candidates:
        """These and others."""
        pairs = ((getattr(self, name), getattr(others, name)) for name in ("codes", "styles", "features"))
        return Candidates(*map(torch.cat, pairs))


def sample_candidates(
    generator: Generator,
    count: int,
    *,
    class_index: int | None = None,
    seed: int = 0,
    on_share: Callable[[float], object] | None = None,
) -> Candidates:
    """Images of random latents; the share that is done goes to `on_share`."""
    chunk = default_chunk(generator, generator.num_layers - 1)
    codes = sample_z(generator, count, _SEED + seed)
    labels = sample_labels(generator, count, class_index, _SEED + seed)
    styles, features = [], []
    with torch.no_grad():
        for start in range(0, count, chunk):
            part = slice(start, start + chunk)
            w = generator.mapping(codes[part], None if labels is None else labels[part])
            styles.append(w[:, 0])
            features.append(_features(shown(generator.synthesis(w).clamp(-1, 1))))
            if on_share is not None:
                on_share(min(1.0, (start + chunk) / count))
    return Candidates(codes, torch.cat(styles), torch.cat(features))


def _features(images: Tensor) -> Tensor:
    """Colours of small versions and their differences, (n, f)."""
    small = functional.adaptive_avg_pool2d(images, min(_COMPARED, *images.shape[-2:]))
    return torch.cat([part.flatten(1) for part in (small, *differences(small))], dim=1)
