"""Edits as people type them: "smile=2,pose=-1"."""

from __future__ import annotations

import math

from ganwalk.directions import Directions
from ganwalk.edits import Move
from ganwalk.errors import GanwalkError, one_line
from ganwalk.layers import Layers
from ganwalk.ranges import format_layers, parse_layers


def parse_edit(text: str, directions: Directions, layers: Layers | None = None) -> list[Move]:
    """The moves of "smile=2,pose=-1" or "3=1.5@0-3+7": directions by name or number, σ, and layers if not their own.

    Args:
        layers: of the moves that name none.
    Raises:
        GanwalkError: the text is no such list, or names a direction twice or one that does not exist.
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
        index = directions.find(name)
        if any(move.index == index for move in moves):
            raise GanwalkError(f"the edit {one_line(text, 80)!r} names direction {directions.title(index)} twice")
        moves.append(Move(index, amplitude, parse_layers(limits) if at else layers))
    return moves


def format_edit(edit: list[Move], directions: Directions) -> str:
    """The text that `parse_edit` reads, with names where there are any."""
    parts = []
    for move in edit:
        limits = "" if move.layers is None else f"@{format_layers(move.layers, '+')}"
        parts.append(f"{directions.labels[move.index].name or move.index}={move.amplitude:g}{limits}")
    return ",".join(parts)
