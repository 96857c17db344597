"""Latents that are shifted each by an amount of its own."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.directions import shift_latents
from ganwalk.discovery.view import View, features
from ganwalk.generators.base import Generator

# Shortest shift over the longest one, as Voynov & Babenko (ICML 2020) have them.
_SHORTEST = 0.5 / 6


def random_amounts(count: int, rng: torch.Generator) -> Tensor:
    """Signed amounts (count,) by which shifts are scaled: uniform up to one either way, but for the shortest."""
    amounts = 2 * torch.rand(count, generator=rng) - 1
    return amounts.abs().clamp_min(_SHORTEST).copysign(amounts)


def pairs(generator: Generator, view: View, latents: Tensor, shifts: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Features (m, …) of latents, without gradients, and of the same, each with a shift (m, d) of its own."""
    with torch.no_grad():
        before = features(generator, view, latents, seed)
    own = shifts[:, None] if latents.ndim == 3 else shifts
    return before, features(generator, view, shift_latents(latents, own, view.layers), seed)
