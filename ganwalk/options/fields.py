"""What a field says of itself, and what follows from it for values: checks, and files of older versions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError

_KEY = "option"
# Of `Option.absent`: the field's default.
_DEFAULT: Any = object()


@dataclass(frozen=True)
class TextForm:
    """How a value that is no number, text or truth is typed.

    Attributes:
        metavar: its form, such as A-B.
        parse: text → value; GanwalkError if it is no such text.
        format: value → text that `parse` reads.
        many: the option may be repeated: the field is a tuple of values.
    """

    metavar: str
    parse: Callable[[str], Any]
    format: Callable[[Any], str]
    many: bool = False


# Files, one for each time that the option is given.
FILES = TextForm("FILE", Path, str, many=True)


@dataclass(frozen=True)
class Option:
    """What a field of a dataclass of settings is, beyond its type and default.

    Attributes:
        help: a sentence for people.
        flags: spellings on the command line, the long one last; none stands for the field's name.
        at_least, above, at_most, below: bounds of a number.
        why: what is behind the bounds, for the message.
        choices: the texts that it may be.
        text: how it is typed, for values of other types.
        shown: what help and tables say of the default, where the value itself says nothing.
        absent: the value that a file means which was written before there was this field; by default its default.
        typed: whether there is an option on the command line; otherwise only Python sets it.
    """

    help: str
    flags: tuple[str, ...] = ()
    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None
    why: str = ""
    choices: tuple[str, ...] = ()
    text: TextForm | None = None
    shown: str | None = None
    absent: Any = _DEFAULT
    typed: bool = True


def option(default: Any, help: str, *flags: str, **rest: Any) -> Any:
    """A field of a dataclass with an `Option`: its default, its help, its flags, and any other attribute by name."""
    return field(default=default, metadata={_KEY: Option(help, flags, **rest)})


def options_of(kind: type[Any]) -> dict[str, Option]:
    """The options of a dataclass by the names of their fields, in their order."""
    return {entry.name: entry.metadata[_KEY] for entry in fields(kind) if _KEY in entry.metadata}


def shown_name(name: str, about: Option) -> str:
    """What people call a field: its long flag without dashes in front."""
    return about.flags[-1].split("/")[0].lstrip("-") if about.flags else name.replace("_", "-")


def check_settings(settings: Any) -> None:
    """Raises GanwalkError, naming the option, unless every value lies within its bounds or among its choices."""
    for name, about in options_of(type(settings)).items():
        value = getattr(settings, name)
        if value is None:
            continue
        shown = shown_name(name, about)
        if about.choices and value not in about.choices:
            raise GanwalkError(f"unknown {shown} {value!r}: choose {' or '.join(about.choices)}")
        if isinstance(value, int | float) and not isinstance(value, bool) and not _within(value, about):
            why = f": {about.why}" if about.why else ""
            raise GanwalkError(f"{shown} must {_bounds(about)}, not {value:g}{why}")


def _within(value: float, about: Option) -> bool:
    return (
        math.isfinite(value)
        and (about.at_least is None or value >= about.at_least)
        and (about.above is None or value > about.above)
        and (about.at_most is None or value <= about.at_most)
        and (about.below is None or value < about.below)
    )


def _bounds(about: Option) -> str:
    """The bounds in words, to go after "must"."""
    low, high = (about.at_least, about.above), (about.at_most, about.below)
    if high == (None, None):
        if low == (None, None):
            return "be a finite number"
        if low in ((0, None), (None, 0)):
            return "not be negative" if low[1] is None else "be positive and finite"
        return f"be at least {low[0]:g}" if low[0] is not None else f"be above {low[1]:g}"
    if high == (1, None) and low in ((0, None), (None, 0)):
        return "be a share from 0 to 1" if low[1] is None else "be a share in (0, 1]"
    first = f"at least {low[0]:g}" if low[0] is not None else f"above {low[1]:g}" if low[1] is not None else ""
    last = f"at most {high[0]:g}" if high[0] is not None else f"below {high[1]:g}"
    return f"be {first} and {last}" if first else f"be {last}"


def completed(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by field name from a file, with what was meant by leaving out the fields that it lacks.

    An older version did not know them: each has the value that its absence meant then.
    """
    found = dict(values)
    for entry in fields(kind):
        if entry.name in found:
            continue
        about = entry.metadata.get(_KEY)
        if about is not None and about.absent is not _DEFAULT:
            found[entry.name] = about.absent
        elif entry.default is not MISSING:
            found[entry.name] = entry.default
        elif entry.default_factory is not MISSING:
            found[entry.name] = entry.default_factory()
    return found
