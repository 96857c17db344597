"""Options of the command line from fields of settings."""

from __future__ import annotations

import functools
import math
import typing
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ganwalk.errors import GanwalkError
from ganwalk.options.fields import Option, TextForm, options_of
from ganwalk.options.files import load_settings
from ganwalk.options.records import scalar_type
from ganwalk.options.words import shown_default

Command = Callable[..., Any]
PATH = click.Path(path_type=Path)
# Of the parameter of --config.
_CONFIG = "config"


class Number(click.FloatRange):
    """A finite number within bounds, if there are any: click takes NaN and infinity for numbers."""

    def __init__(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        min_open: bool = False,
        max_open: bool = False,
    ):
        super().__init__(low, high, min_open, max_open)
        if low is None and high is None:
            self.name = "float"

    def _describe_range(self) -> str:
        return "" if self.min is None and self.max is None else super()._describe_range()

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number", param, ctx)
        return number


class _Text(click.ParamType):
    """A value with a form of its own."""

    name = "text"

    def __init__(self, form: TextForm):
        self.form = form

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return self.form.parse(value) if isinstance(value, str) else value


def as_typed(kind: click.ParamType, value: Any) -> str:
    """The text that an option of this kind reads as this value."""
    return kind.form.format(value) if isinstance(kind, _Text) else str(value)


def option_group(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """A decorator: these options of click, which help lists in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def settings_options(
    into: str, base: Any, *, without: Collection[str] = (), config: bool = False
) -> Callable[[Command], Command]:
    """A decorator: one option for each field of `base` that has one; the command gets settings as one argument.

    Args:
        into: name of that argument: `base` with what was typed put over it.
        base: settings whose values are the defaults.
        without: fields that this command does not offer.
        config: offer --config too, a file of settings that stands for `base`.
    """
    about = options_of(type(base))
    offered = [name for name in about if about[name].typed and name not in without]
    many = {name: text is not None and text.many for name in offered for text in (about[name].text,)}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            typed = {name: kwargs.pop(_parameter(into, name)) for name in offered}
            given = {
                name: value for name, value in typed.items() if value is not None and not (value == () and many[name])
            }
            file = kwargs.pop(_parameter(into, _CONFIG), None)
            under = base if file is None else load_settings(type(base), file)
            return command(*args, **{into: replace(under, **given)}, **kwargs)

        if config:
            wrapped = click.option(
                "--config",
                _parameter(into, _CONFIG),
                type=PATH,
                help="JSON of settings, such as the metrics.json of a run; options go over it.",
            )(wrapped)
        return field_options(type(base), offered, prefix=_parameter(into, ""), base=base)(wrapped)

    return decorate


def _parameter(into: str, name: str) -> str:
    return f"{into}_{name}"


def field_options(
    kind: type[Any], names: Collection[str] | None = None, *, prefix: str = "", base: Any = None, spelled: str = ""
) -> Callable[[Command], Command]:
    """A decorator: one option for each of these fields; the command gets each as an argument, None if it was not typed.

    Args:
        kind: a dataclass of settings.
        names: of fields; None takes all that have an option.
        prefix: of the arguments' names.
        base: where shown defaults are from; None takes those of the dataclass.
        spelled: what the flags begin with, such as topdis-.
    """
    about = options_of(kind)
    hints = typing.get_type_hints(kind)
    base = kind() if base is None else base

    def decorate(command: Command) -> Command:
        for name in reversed([name for name in about if names is None or name in names]):
            help = f"{about[name].help} [default: {shown_default(about[name], getattr(base, name))}]"
            command = click_option(prefix + name, name, about[name], hints[name], help, spelled)(command)
        return command

    return decorate


def click_option(
    parameter: str, name: str, about: Option, annotation: Any, help: str, spelled: str = ""
) -> Callable[[Command], Command]:
    """The option of one field; it has no default, so that a command can tell what was typed."""
    text = about.text
    kind = str if text is not None else scalar_type(annotation)
    dashed = f"--{spelled}{name.replace('_', '-')}"
    flags = about.flags or ((f"{dashed}/--no-{dashed[2:]}",) if kind is bool else (dashed,))
    settings: dict[str, Any] = {"default": None, "help": help}
    if kind is bool:
        settings["is_flag"] = True
    elif text is not None:
        settings |= {"type": _Text(text), "metavar": text.metavar, "multiple": text.many}
    elif about.choices:
        settings["type"] = click.Choice(about.choices)
    elif kind is int:
        settings["type"] = click.IntRange(_whole(about.at_least), _whole(about.at_most))
    elif kind is float:
        low = about.above if about.at_least is None else about.at_least
        high = about.below if about.at_most is None else about.at_most
        settings["type"] = Number(low, high, min_open=about.above is not None, max_open=about.below is not None)
    if settings.get("multiple"):
        # click's own word for an option that was not repeated even once.
        settings["default"] = ()
    return click.option(*flags, parameter, **settings)


def _whole(bound: float | None) -> int | None:
    if bound is not None and not float(bound).is_integer():
        raise GanwalkError(f"the bound {bound} of a whole number is none")
    return None if bound is None else int(bound)
