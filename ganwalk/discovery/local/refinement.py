"""Directions that keep their own change and do less where others act."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.discovery.local.overlap import amounts_of
from ganwalk.discovery.local.places import Places

_ROUNDS = 5
# Of the penalty on leaving the bulk of the latents, against that on acting where others do; and the amount, as a share
# of its root mean square, below which a direction counts as absent from a place.
_PULL = 0.03
_FLOOR = 0.05


def refine(rows: Tensor, places: Places, spreads: Tensor) -> Tensor:
    """Rows (n, k) moved, each in turn by v ← (Q + μ s P)⁻¹ M v⁰, float64 on the CPU.

    Q weighs the change in every place by what the other directions do there, relative to one's own; P is the inverse
    spread of the latents, s makes the two comparable at v⁰, and M v⁰ holds to the change that the direction began with.

    Args:
        rows: (n, k) float64 in the coordinates of the basis that `places` was measured along.
        spreads: (k,) standard deviations of the latents along that basis.
    """
    metric, pull = places.mean, (1 / spreads).diag()
    now = rows.clone()
    for _ in range(_ROUNDS):
        amounts = amounts_of(now.to(places.grams), places.grams)
        floor = _FLOOR * amounts.square().mean().sqrt()
        moved = []
        for k, first in enumerate(rows):
            others = amounts.sum(dim=-1) - amounts[..., k]
            penalty = places.weighted(others / (amounts[..., k] + floor))
            share = (first @ penalty @ first) / (first @ pull @ first)
            found = torch.linalg.solve(penalty + _PULL * share * pull, metric @ first)
            moved.append(found * ((first @ metric @ first) / (found @ metric @ found)).sqrt())
        now = torch.stack(moved)
    return now
