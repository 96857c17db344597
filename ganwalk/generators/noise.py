"""Noise of networks whose files hold none: one map for every layer, the same in every process, or drawn anew."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of
from ganwalk.generators.base import Noise


def constant_noise(size: int, seed: int) -> Tensor:
    """A map (size, size) of standard normal values, on the CPU even while a module is built without memory ("meta")."""
    return torch.randn(size, size, generator=rng_of(seed), device="cpu")


def add_noise(x: Tensor, strength: Tensor, constant: Tensor, noise: Noise, rng: torch.Generator | None) -> Tensor:
    """Features (n, c, h, w) with noise of a strength (c,): none, a constant map (h, w), or one drawn for each."""
    if noise == "none":
        return x
    pixels = constant
    if noise == "random":
        size = (len(x), 1, *constant.shape)
        pixels = torch.randn(size, generator=rng, device=constant.device, dtype=constant.dtype)
    return x + strength[:, None, None] * pixels
