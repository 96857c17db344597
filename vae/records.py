"""Frozen dataclasses from JSON values, checked against their annotations."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from ganwalk.errors import GanwalkError, one_line

T = TypeVar("T")


def build_record(kind: type[T], values: Mapping[str, Any]) -> T:
    """An instance of a dataclass from values by field name; fields that are missing keep their defaults.

    Raises:
        GanwalkError: a name is unknown, or a value is not of its field's type. Whole numbers pass for fractions.
    """
    hints = typing.get_type_hints(kind)
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    for name, value in values.items():
        if name not in known:
            raise GanwalkError(f"unknown setting {one_line(str(name), 60)}: there are {', '.join(known)}")
        options = typing.get_args(hints[name]) if _is_union(hints[name]) else (hints[name],)
        if not any(_fits(value, option) for option in options):
            raise GanwalkError(f"{name} cannot be {one_line(repr(value), 60)}")
    return kind(**values)


def scalar_type(annotation: Any) -> type[Any]:
    """The type of a field that holds one value or None: str, int, float or bool."""
    options = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    return next(option for option in options if option is not types.NoneType)


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)


def _fits(value: Any, annotation: Any) -> bool:
    if annotation in (Any, types.NoneType):
        return annotation is Any or value is None
    kind = typing.get_origin(annotation) or annotation
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)
