"""Ranges as people type them, and as they are printed: samples "1-6" or "3,8,20-22", layers "4-7"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ganwalk.errors import GanwalkError
from ganwalk.options import TextForm

_MAX_SEEDS = 10_000
# Whose random numbers a seed stands for: torch's, or numpy's as NVIDIA's scripts draw them.
SEED_STYLES = ("torch", "nvidia")


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


def format_layers(layers: tuple[int, int]) -> str:
    """The text that `parse_layers` reads."""
    return f"{layers[0]}-{layers[1]}"


LAYERS = TextForm("A-B", parse_layers, format_layers)
SEEDS = TextForm("A-B,C,…", lambda text: tuple(parse_seeds(text)), format_seeds)
