"""Functions that take settings as keywords, and show them by name."""

from __future__ import annotations

import difflib
import functools
import inspect
import typing
from collections.abc import Callable, Collection
from dataclasses import MISSING, fields
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def takes_settings(kind: type[Any], *, without: Collection[str] = ()) -> Callable[[Function], Function]:
    """A decorator: the `**settings` of a function are these fields, for `help`, notebooks and completion.

    A name that is none of them is a TypeError that names similar ones.

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
        shown = signature.replace(parameters=[*own, *added])

        @functools.wraps(function)
        def checked(*args: Any, **kwargs: Any) -> Any:
            for name in kwargs:
                if name not in shown.parameters:
                    close = difflib.get_close_matches(name, shown.parameters)
                    meant = f": did you mean {' or '.join(close)}?" if close else ""
                    raise TypeError(f"{function.__name__}() has no setting {name!r}{meant}")
            return function(*args, **kwargs)

        checked.__signature__ = shown  # type: ignore[attr-defined]
        return typing.cast(Function, checked)

    return decorate
