"""Options of the loss that are words. Importing this module loads neither torch nor numba."""

from __future__ import annotations

from typing import Literal, get_args

Engine = Literal["relative", "ripser"]
Mode = Literal["min", "max", "symmetric"]
Variant = Literal["rtd", "max-rtd", "srtd", "rtd-lite", "max-rtd-lite", "srtd-lite"]
Over = Literal["all", "positive"]

ENGINES: tuple[Engine, ...] = get_args(Engine)
MODES: tuple[Mode, ...] = get_args(Mode)
VARIANTS: tuple[Variant, ...] = get_args(Variant)
OVER: tuple[Over, ...] = get_args(Over)
SCALE_GRADIENTS = ("exact", "constant")
ENDS = ("exact", "immovable")


def check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    """Raises ValueError unless the value of an option is one of its words."""
    if value not in words:
        *most, last = map(repr, words)
        raise ValueError(f"unknown {name} {value!r}: use {', '.join(most)} or {last}")
