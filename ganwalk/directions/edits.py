"""Edits: several directions walked at once, each as far and in the layers that it is meant to, also in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.directions import CHANNELS, Directions
from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.base import Generator, check_layers, device_of
from ganwalk.generators.channels import channelled
from ganwalk.layers import Layers
from ganwalk.options.latents import MAX_AMPLITUDE
from ganwalk.options.ranges import format_layers, parse_layers
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


def parse_edit(
    text: str, directions: Directions, layers: Layers | None = None, *, most: float = MAX_AMPLITUDE
) -> list[Move]:
    """The moves of "smile=2,pose=-1" or "3=1.5@0-3+7": directions by name or number, σ, and layers if not their own.

    Args:
        layers: of the moves that name none.
        most: σ either way.
    Raises:
        GanwalkError: the text is no such list, goes too far, or names a direction twice or one that does not exist.
    """
    moves: list[Move] = []
    for part in text.split(","):
        # A name may have a = of its own: the last one counts.
        name, equals, value = part.rpartition("=")
        amount, at, limits = value.partition("@")
        try:
            amplitude = float(amount) if equals else math.nan
        except ValueError:
            amplitude = math.nan
        if not math.isfinite(amplitude):
            raise GanwalkError(f"the edit {one_line(text, 80)!r} is not a list such as smile=2,pose=-1 or 3=1.5@0-3+7")
        if abs(amplitude) > most:
            raise GanwalkError(f"the edit {one_line(text, 80)!r} goes too far: at most {most:g} σ either way")
        index = directions.find(name)
        if any(move.index == index for move in moves):
            raise GanwalkError(f"the edit {one_line(text, 80)!r} names direction {directions.title(index)} twice")
        called = f"the edit {one_line(text, 80)!r} has layers that are wrong:"
        moves.append(Move(index, amplitude, parse_layers(limits, called, "+") if at else layers))
    return moves


def format_edit(edit: list[Move], directions: Directions) -> str:
    """The text that `parse_edit` reads, with names where there are any."""
    parts = []
    for move in edit:
        limits = "" if move.layers is None else f"@{format_layers(move.layers, '+')}"
        parts.append(f"{directions.labels[move.index].name or move.index}={move.amplitude:g}{limits}")
    return ",".join(parts)
