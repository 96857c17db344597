"""Sketches: features of any size as few numbers, among which distances and inner products stay nearly the same."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of

MAX_VALUES = 2**14


class Sketch:
    """Features (n, values) to (n, at most 2¹⁴) float32 on the CPU; smaller features as they are.

    Each value is added, with a random sign, to a random place (count sketch: Charikar, Chen & Farach-Colton, ICALP
    2002). Inner products keep their expectation, with an error below 1 % of the norms. Pooling would be as cheap, but
    would lose what varies from pixel to pixel.
    """

    def __init__(self, seed: int):
        self._seed = seed
        self._places: Tensor | None = None
        self._signs: Tensor | None = None

    def __call__(self, features: Tensor) -> Tensor:
        """The sketch of features (n, …), all of one size."""
        part = features.flatten(1)
        values = part.shape[1]
        if values > MAX_VALUES:
            if self._places is None or self._signs is None:
                rng = rng_of(self._seed)
                self._places = torch.randint(MAX_VALUES, (values,), generator=rng).to(part.device)
                self._signs = (torch.randint(2, (values,), generator=rng) * 2 - 1).to(part)
            part = part.new_zeros(len(part), MAX_VALUES).index_add_(1, self._places, part * self._signs)
        return part.float().cpu()
