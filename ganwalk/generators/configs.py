"""Configurations of generators: frozen dataclasses whose values may come from a file and are checked for it."""

from __future__ import annotations

import reprlib
from dataclasses import fields
from typing import Any

from ganwalk.errors import GanwalkError

# Far above every published network, and small enough that a file cannot ask for all memory.
MAX_DIM = 32768
MAX_RESOLUTION = 4096
_MAX_NUMBER = 2**63
MAX_MAPPING_LAYERS = 64


def check_types(config: Any, name: str) -> None:
    """Raises GanwalkError unless every field, perhaps from a file, has the type that it is annotated with."""
    for field in fields(config):
        value, annotation = getattr(config, field.name), str(field.type)
        if not _fits(value, annotation):
            raise GanwalkError(f"{name}'s {field.name} must be {annotation}, not {reprlib.repr(value):.60}")


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
            plain = all(isinstance(n, int | float) and _is_number(n) for n in value)
            value = tuple(map(float, value)) if plain and "float" in annotations[name] else tuple(value)
        converted[name] = value
    try:
        return kind(**converted)
    except TypeError as error:
        raise GanwalkError("is damaged: its configuration is not complete") from error


def _fits(value: object, annotation: str) -> bool:
    if value is None:
        return annotation.endswith("| None")
    kind = annotation.removesuffix(" | None")
    if kind == "float":
        return isinstance(value, int | float) and not isinstance(value, bool) and _is_number(value)
    if kind.startswith("tuple"):
        inner = kind.removeprefix("tuple[").partition(",")[0]
        return isinstance(value, tuple) and all(type(v).__name__ == inner and _is_number(v) for v in value)
    return type(value).__name__ == kind and (kind != "int" or _is_number(value))


def _is_number(value: Any) -> bool:
    """Whether a number is finite, and small enough to be converted and shown."""
    return -_MAX_NUMBER < value < _MAX_NUMBER
