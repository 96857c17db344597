"""What people type: samples "1-6" or "3,8,20-22", layers "4-7", edits "smile=2,pose=-1"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from ganwalk.directions import Directions
from ganwalk.edits import Move
from ganwalk.errors import GanwalkError, one_line

_MAX_SEEDS = 10_000


def parse_seeds(text: str) -> list[int]:
    """Seeds in the order given; GanwalkError if the text is no list of numbers and ranges."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,12})(?:-(\d{1,12}))?\s*", part)
        if match is None:
            raise GanwalkError(f"--seeds {text!r} is not a list such as 1-6 or 3,8,20-22")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise GanwalkError(f"--seeds {part.strip()!r} runs backwards: write {last}-{first}")
        if last - first + len(seeds) >= _MAX_SEEDS:
            raise GanwalkError(f"--seeds {text!r} are more than {_MAX_SEEDS} samples")
        seeds.extend(range(first, last + 1))
    return seeds


def format_seeds(seeds: Sequence[int]) -> str:
    """Seeds as `parse_seeds` reads them, neighbours as a range."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ",".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]) for part in parts)


def parse_layers(text: str) -> tuple[int, int]:
    """First and last layer of "4-7" or "5"; GanwalkError if the text is neither."""
    match = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", text)
    if match is None:
        raise GanwalkError(f"--layers {text!r} is not a range such as 4-7 or a layer such as 5")
    first = int(match[1])
    last = int(match[2]) if match[2] else first
    if last < first:
        raise GanwalkError(f"--layers {text!r} runs backwards: write {last}-{first}")
    return first, last


def parse_edit(text: str, directions: Directions, layers: tuple[int, int] | None = None) -> list[Move]:
    """The moves of "smile=2,pose=-1" or "3=1.5@4-7": directions by name or number, σ, and layers if not all.

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
            raise GanwalkError(f"--combine {one_line(text, 80)!r} is not a list such as smile=2,pose=-1 or 3=1.5@4-7")
        index = directions.find(name)
        if any(move.index == index for move in moves):
            raise GanwalkError(f"--combine {one_line(text, 80)!r} names direction {directions.title(index)} twice")
        moves.append(Move(index, amplitude, parse_layers(limits) if at else layers))
    return moves


def format_edit(edit: list[Move], directions: Directions) -> str:
    """The text that `parse_edit` reads, with names where there are any."""
    parts = []
    for move in edit:
        limits = "" if move.layers is None else "@{}-{}".format(*move.layers)
        parts.append(f"{directions.labels[move.index].name or move.index}={move.amplitude:g}{limits}")
    return ",".join(parts)
