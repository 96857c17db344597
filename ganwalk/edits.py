"""Edits: several directions walked at once, each as far and in the layers that it is meant to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.directions import Directions, shift_latents
from ganwalk.generators.base import Generator, check_layers


@dataclass(frozen=True)
class Move:
    """A walk along one direction.

    Attributes:
        index: which direction.
        amplitude: how far, in standard deviations of the latents along it.
        layers: first and last layer (inclusive) whose style is shifted; None takes the directions' own range.
    """

    index: int
    amplitude: float = 1.0
    layers: tuple[int, int] | None = None


def walk(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    z: Tensor,
    fractions: Tensor,
    *,
    c: Tensor | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
) -> Tensor:
    """Styles on the path of an edit: (n, len(fractions), num_layers, w_dim) for codes z (n, z_dim).

    In w the samples are truncated, then shifted: the shift itself is as long as it says. In z the shifted code is
    mapped and truncated. Shifts of one latent space are additions, so the order of the moves does not matter.

    Args:
        edit: what is walked together; nothing gives the samples themselves.
        fractions: (m,) multiples of the whole edit; for one move of amplitude 1, amplitudes.
        c: one-hot labels (n, c_dim) of a class-conditional generator.
        truncation_psi: distance from the mean style that is kept; 1 truncates nothing.
        truncation_cutoff: truncate only this many first layers; None truncates all.
    Raises:
        GanwalkError: a direction or layers do not exist, or layers are given for directions in z.
    """
    fractions = fractions.to(z.device)

    def mapped(codes: Tensor) -> Tensor:
        return generator.mapping(codes, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)

    for layers in (directions.layers, *(move.layers for move in edit)):
        check_layers(generator, layers, directions.space)
    if directions.space == "z":
        shift = torch.zeros_like(z[0])
        for move in edit:
            shift = shift + directions.step(move.index, move.amplitude).to(z)
        return torch.stack([mapped(z + fraction * shift) for fraction in fractions], dim=1)
    w = mapped(z)
    shift = torch.zeros_like(w[:1])
    for move in edit:
        step = directions.step(move.index, move.amplitude).to(w)
        shift = shift_latents(shift, step, move.layers or directions.layers)
    return torch.stack([w + fraction * shift for fraction in fractions], dim=1)
