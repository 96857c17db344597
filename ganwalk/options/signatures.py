"""Functions that take settings as keywords, and show them by name."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Collection
from dataclasses import MISSING, fields
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_settings(kind: type[Any], *, without: Collection[str] = ()) -> Callable[[Function], Function]:
    """A decorator: the `**settings` of a function are these fields, for `help`, notebooks and completion.

    Args:
        kind: a dataclass of settings.
        without: fields that the function has a parameter for.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind is not inspect.Parameter.VAR_KEYWORD]
        hints = typing.get_type_hints(kind)
        added = [
            inspect.Parameter(
                entry.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if entry.default is MISSING else entry.default,
                annotation=hints[entry.name],
            )
            for entry in fields(kind)
            if entry.name not in without
        ]
        function.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        return function

    return decorate
