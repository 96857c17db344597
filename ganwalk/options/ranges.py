"""Ranges as people type them, and as they are printed: samples "1-6" or "3,8,20-22", layers "4-7" or "0-3,7"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ganwalk.errors import GanwalkError, one_line
from ganwalk.layers import AUTO, Layers, layers_of, numbers_of
from ganwalk.options import TextForm

_MAX_SEEDS = 10_000
# Of a seed, which has 64 bits.
_DIGITS = 18
# Whose random numbers a seed stands for: torch's, or numpy's as NVIDIA's scripts draw them.
SEED_STYLES = ("torch", "nvidia")


def parse_seeds(text: str) -> list[int]:
    """Seeds in the order given; GanwalkError if the text is no list of numbers and ranges, or they are too many."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+))?\s*", part)
        if match is None:
            raise GanwalkError(f"--seeds {one_line(text, 60)!r} is not a list such as 1-6 or 3,8,20-22")
        if max(len(digits or "") for digits in match.groups()) > _DIGITS:
            shown = one_line(part.strip(), 60)
            raise GanwalkError(f"--seeds {shown!r} is too large: a seed has up to {_DIGITS} digits")
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise GanwalkError(f"--seeds {part.strip()!r} runs backwards: write {last}-{first}")
        if last - first + len(seeds) >= _MAX_SEEDS:
            raise GanwalkError(f"--seeds {one_line(text, 60)!r} are more than {_MAX_SEEDS} seeds: give fewer")
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


def parse_layers(text: str, called: str = "--layers", separator: str = ",") -> Layers:
    """The layers of "4-7", "5" or "0-3,7"; GanwalkError if the text is none of these.

    A plus does for a comma, where commas separate other things.

    Args:
        called: what messages call the text, such as the option that it was typed after.
        separator: what messages show between the parts of a list.
    """
    indices: set[int] = set()
    for part in re.split("[,+]", text):
        match = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        if match is None:
            raise GanwalkError(
                f"{called} {one_line(text, 60)!r} is not a range such as 4-7, a layer such as 5, or a list: "
                f"0-3{separator}7"
            )
        first = int(match[1])
        last = int(match[2]) if match[2] else first
        if last < first:
            raise GanwalkError(f"{called} {part.strip()!r} runs backwards: write {last}-{first}")
        indices.update(range(first, last + 1))
    return layers_of(indices)


def format_layers(layers: Layers, separator: str = ",") -> str:
    """The text that `parse_layers` reads; its separator is a comma or a plus."""
    return numbers_of(layers, separator)


LAYERS = TextForm("A-B,C,…", parse_layers, format_layers)
LAYERS_OR_AUTO = TextForm(
    "A-B,C,…",
    lambda text: AUTO if text == "auto" else parse_layers(text),
    lambda layers: "auto" if layers == AUTO else format_layers(layers),
)
SEEDS = TextForm("A-B,C,…", lambda text: tuple(parse_seeds(text)), format_seeds)
