"""Configurations of generators: frozen dataclasses whose values may come from a file and are checked for it."""

from __future__ import annotations

import reprlib
import typing
from dataclasses import fields
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.options.records import fits, is_number

# Far above every published network, and small enough that a file cannot ask for all memory.
MAX_DIM = 32768
MAX_RESOLUTION = 4096
MAX_MAPPING_LAYERS = 64


def check_types(config: Any, name: str) -> None:
    """Raises GanwalkError unless every field, perhaps from a file, has the type that it is annotated with."""
    hints = typing.get_type_hints(type(config))
    for field in fields(config):
        value = getattr(config, field.name)
        if not fits(value, hints[field.name]):
            raise GanwalkError(f"{name}'s {field.name} must be {field.type}, not {reprlib.repr(value):.60}")


def check_sizes(name: str, sizes: tuple[int, ...], resolution: int | None = None) -> None:
    """Raises GanwalkError unless all sizes are positive and no larger than anything that exists."""
    if min(sizes) < 1:
        raise GanwalkError(f"{name} dimensions must be positive")
    if max(sizes) > MAX_DIM:
        raise GanwalkError(f"{name} dimensions are beyond anything that exists")
    if resolution is not None:
        if resolution < 4 or resolution & (resolution - 1):
            raise GanwalkError(f"{name} resolution must be a power of two of at least 4, not {resolution}")
        if resolution > MAX_RESOLUTION:
            raise GanwalkError(f"{name} dimensions are beyond anything that exists")


def from_json(kind: type, values: Any) -> Any:
    """A configuration of a class from JSON values, whose lists stand for tuples.

    Raises:
        GanwalkError: the values are of wrong types, unknown, or do not belong together.
    """
    annotations = {field.name: str(field.type) for field in fields(kind)}
    if not isinstance(values, dict) or set(values) - set(annotations):
        raise GanwalkError("is damaged: its configuration holds unknown keys")
    converted = {}
    for name, value in values.items():
        if isinstance(value, list):
            plain = all(isinstance(n, int | float) and is_number(n) for n in value)
            value = tuple(map(float, value)) if plain and "float" in annotations[name] else tuple(value)
        converted[name] = value
    try:
        return kind(**converted)
    except TypeError as error:
        raise GanwalkError("is damaged: its configuration is not complete") from error
