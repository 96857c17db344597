"""Edits: several directions walked at once, each as far and in the layers that it is meant to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.directions import CHANNELS, Directions
from ganwalk.generators.base import Generator, check_layers, device_of
from ganwalk.generators.channels import channelled
from ganwalk.layers import Layers
from ganwalk.samples import Samples


@dataclass(frozen=True)
class Move:
    """A walk along one direction.

    Attributes:
        index: which direction.
        amplitude: how far, in standard deviations of the latents along it.
        layers: whose styles are shifted; None takes the direction's own. Of a direction in w+, those that are left.
    """

    index: int
    amplitude: float = 1.0
    layers: Layers | None = None


def walk(
    generator: Generator, directions: Directions, edit: Sequence[Move], samples: Samples, fractions: Tensor
) -> Tensor:
    """Styles on the path of an edit: (len(samples), len(fractions), num_layers, w_dim); of one in s, channel styles.

    In w and s the samples are truncated, then shifted: the shift itself is as long as it says. In z the shifted code is
    mapped and truncated. Shifts of one latent space are additions, so the order of the moves does not matter.

    Args:
        edit: what is walked together; nothing gives the samples themselves.
        fractions: (m,) multiples of the whole edit; for one move of amplitude 1, amplitudes.
    Raises:
        GanwalkError: a direction or layers do not exist, layers are given for directions in z, or these directions
            cannot shift such samples.
    """
    for layers in (directions.layers, *directions.own_layers, *(move.layers for move in edit)):
        check_layers(generator, layers, directions.space)
    if directions.space == "z":
        shift = torch.zeros(generator.z_dim, device=device_of(generator))
        for move in edit:
            shift = shift + directions.step(move.index, move.amplitude).to(shift)
        return samples.shifted_styles(generator, fractions.to(shift)[:, None] * shift)
    w = samples.styles(generator)
    if directions.space == CHANNELS:
        w = channelled(generator).channel_styles(w)
    shift = torch.zeros_like(w[:1])
    for move in edit:
        shift = shift + directions.shift(
            move.index, move.amplitude, num_layers=generator.num_layers, layers=move.layers
        ).to(w)
    return torch.stack([w + fraction * shift for fraction in fractions.to(w)], dim=1)
