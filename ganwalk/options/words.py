"""Settings in words: the options that set them, and a table of them for the docs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ganwalk.options.fields import Option, options_of


def shown_default(about: Option, value: Any) -> str:
    """What people are told of a default."""
    if about.shown is not None:
        return about.shown
    if value is None or value == ():
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return _typed(about, value)


def command_words(
    settings: Any,
    base: Any,
    *,
    without: Collection[str] = (),
    is_default: Callable[[str], bool] | None = None,
) -> list[str] | None:
    """The options that make `settings` of `base`, as words of a command; None if only Python can set one of them.

    Args:
        without: fields that are left out.
        is_default: whether a field, by name, is what a command takes if nothing is said; None compares with `base`.
    """
    words: list[str] = []
    for name, about in options_of(type(settings)).items():
        value = getattr(settings, name)
        same = value == getattr(base, name) if is_default is None else is_default(name)
        if name in without or same:
            continue
        if not about.typed:
            return None
        words += _option_words(name, about, value)
    return words


def _option_words(name: str, about: Option, value: Any) -> list[str]:
    flag, _, negative = (about.flags[-1] if about.flags else f"--{name.replace('_', '-')}").partition("/")
    if isinstance(value, bool):
        return [flag] if value else [negative or f"--no-{flag[2:]}"]
    if about.text is not None and about.text.many:
        return [word for one in value for word in (flag, about.text.format(one))]
    return [flag, _typed(about, value)]


def _typed(about: Option, value: Any) -> str:
    """A value as somebody would type it."""
    if about.text is not None:
        return about.text.format(value)
    return repr(value) if isinstance(value, float) else str(value)


def options_table(kind: type[Any], spelled: str = "") -> str:
    """A Markdown table of the options of a dataclass of settings: flag, default, meaning."""
    base = kind()
    lines = ["| option | default | |", "|---|---|---|"]
    for name, about in options_of(kind).items():
        if about.typed:
            dashed = f"--{spelled}{name.replace('_', '-')}"
            flags = ", ".join(f"`{flag}`" for flag in about.flags or (dashed,))
            value = shown_default(about, getattr(base, name))
            lines.append(f"| {flags} | {value} | {about.help} |")
    return "\n".join(lines)
