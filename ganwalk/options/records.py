"""Frozen dataclasses from values of a file, checked against their annotations."""

from __future__ import annotations

import reprlib
import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ganwalk.errors import GanwalkError, one_line

T = TypeVar("T")
# Numbers beyond this, and those that are not finite, are no setting of anything and cannot all be converted or shown.
_MAX_NUMBER = 2**63


def build_record(kind: type[T], values: Mapping[str, Any]) -> T:
    """An instance of a dataclass from values by field name; fields that are missing keep their defaults.

    Raises:
        GanwalkError: a name is unknown, or a value is not of its field's type.
    """
    hints = typing.get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise GanwalkError(f"unknown setting {one_line(str(name), 60)}: there are {', '.join(known)}")
        if not fits(value, hints[name]):
            raise GanwalkError(f"{name} cannot be {one_line(reprlib.repr(value), 60)}")
    return kind(**values)


def as_tuples(value: Any) -> Any:
    """A value with tuples for a list and for lists in it: JSON has no tuples, and frozen dataclasses no lists."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(inner) if isinstance(inner, list) else inner for inner in value)


def scalar_type(annotation: Any) -> type[Any]:
    """The type of a field that holds one value or None: str, int, float or bool."""
    return next(option for option in _options(annotation) if option is not types.NoneType)


def fits(value: object, annotation: Any) -> bool:
    """Whether a value is of the annotated type; whole numbers pass for fractions, truth values for no numbers."""
    return any(_is_one(value, option) for option in _options(annotation))


def _options(annotation: Any) -> tuple[Any, ...]:
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    return typing.get_args(annotation) if union else (annotation,)


def _is_one(value: object, annotation: Any) -> bool:
    if annotation is Any:
        return True
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and is_number(value)
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool) and is_number(value)
    kind = typing.get_origin(annotation) or annotation
    if kind is not tuple:
        return isinstance(value, kind)
    inner = typing.get_args(annotation)
    if not isinstance(value, tuple):
        return False
    if len(inner) == 2 and inner[1] is Ellipsis:
        return all(fits(v, inner[0]) for v in value)
    return len(value) == len(inner) and all(map(fits, value, inner))


def is_number(value: Any) -> bool:
    """Whether a number is finite, and small enough to be converted and shown."""
    return -_MAX_NUMBER < value < _MAX_NUMBER
