"""How much different directions act in the same places, and the rotation in which they do so least."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of

_STEPS = 300
_STARTS = 8
_LR = 0.1
# Latents in a step, and share of the learning rate that is left at the end.
_BATCH = 16
_LAST = 0.05
_TINY = 1e-12


def overlap(amounts: Tensor) -> Tensor:
    """Σ_{i≠j} Σ a_i a_j / Σ a², of amounts (…, s, x, n) that n directions change by latent and place.

    0 if no two act in the same place, n - 1 if all act everywhere alike.
    """
    own = amounts.square().sum(dim=(-3, -2, -1))
    return (amounts.sum(dim=-1).square().sum(dim=(-2, -1)) - own) / own.clamp_min(_TINY)


def amounts_of(rows: Tensor, grams: Tensor) -> Tensor:
    """The amounts (…, s, x, n) of rows (…, n, m), from Gram matrices (s, x, m, m) of what they are made of."""
    flat = grams.flatten(0, 1)
    moved = torch.einsum("...nm,qmk->...qnk", rows, flat)
    squares = (moved * rows.unsqueeze(-3)).sum(dim=-1)
    return (squares.clamp_min(0) + _TINY).sqrt().unflatten(-2, grams.shape[:2])


def total_overlap(rows: Tensor, grams: tuple[Tensor, ...]) -> Tensor:
    """The overlap of rows (…, n, m) summed over sets of features."""
    return torch.stack([overlap(amounts_of(rows, some)) for some in grams]).sum(dim=0)


def least_overlap(grams: tuple[Tensor, ...], *, seed: int) -> Tensor:
    """The orthogonal matrix (m, m), float64 on the CPU, whose rows' changes overlap least: the best of 8 random starts.

    Directions are not normalised one by one: a small one may vanish into another's place, and costs nothing there.

    Args:
        grams: (s, x, m, m) float32 of each set of features, on any device; overlaps add up.
        seed: of the starts, and of the latents of each step.
    """
    m, device = grams[0].shape[-1], grams[0].device
    rng = rng_of(seed)
    free = torch.randn(_STARTS, m, m, generator=rng).to(device).requires_grad_()
    optimizer = torch.optim.Adam([free], _LR)
    for step in range(_STEPS):
        optimizer.param_groups[0]["lr"] = _LR * (_LAST + (1 - _LAST) * (1 + math.cos(math.pi * step / _STEPS)) / 2)
        picks = torch.randperm(len(grams[0]), generator=rng)[:_BATCH].to(device)
        with torch.enable_grad():
            loss = total_overlap(torch.linalg.qr(free).Q, tuple(some[picks] for some in grams)).sum()
            optimizer.zero_grad()
            loss.backward()
        optimizer.step()
    rotations = torch.linalg.qr(free.detach().cpu().double()).Q
    reached = [float(total_overlap(one.to(grams[0]), grams)) for one in rotations]
    return rotations[reached.index(min(reached))]
