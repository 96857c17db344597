"""Features as a few principal coordinates, in which distances are nearly those of the features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.discovery.spectra import leading_eigenvectors
from ganwalk.errors import GanwalkError

COORDINATES = 96


@dataclass(frozen=True)
class Reduction:
    """A projection to the principal components of sketched features, float32 on the CPU.

    Attributes:
        mean: (p,).
        components: (k, p) orthonormal rows.
    """

    mean: Tensor
    components: Tensor

    def __call__(self, sketches: Tensor) -> Tensor:
        """Coordinates (n, k) of sketches (n, p)."""
        return (sketches - self.mean) @ self.components.T


def fit_reduction(sketches: Tensor, coordinates: int = COORDINATES) -> Reduction:
    """The leading principal components of sketches (n, p): as many as asked for, or as there are.

    Raises:
        GanwalkError: the features do not vary.
    """
    mean = sketches.mean(dim=0)
    centred = sketches - mean
    values, vectors = leading_eigenvectors((centred @ centred.T).double(), min(coordinates, len(sketches) - 1))
    # Below this share of the first there is rounding only: the products are float32.
    found = int((values > 1e-7 * values[0].clamp_min(1e-30)).sum())
    if found == 0 or not torch.isfinite(values).all():
        raise GanwalkError("the compared features do not change with the latents: use a higher --layer")
    rows = (vectors[:found] / values[:found, None].sqrt()).float() @ centred
    return Reduction(mean, torch.nn.functional.normalize(rows, dim=1))
