"""What people call directions: a name, a note, a star, and whether they want to see them at all."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ganwalk.errors import GanwalkError, one_line

# Characters: a name is a label in grids, a note a sentence or three.
MAX_NAME, MAX_NOTE = 60, 500
# Unit of effects in notes that `ganwalk name --auto` writes.
EFFECT_UNIT = "σ per σ"
# Of a name's characters, those that are left for a number.
_NUMBER = 5


@dataclass(frozen=True)
class Label:
    """What is known of a direction beyond its number.

    Attributes:
        name: such as "smile"; empty for none. Printable, without commas (which separate names in `--combine`), and
            neither a number nor "all", which mean something else where a direction is asked for.
        note: a remark, printable.
        starred: one of the good ones.
        hidden: left out of overviews and reports.
    Raises:
        GanwalkError: on construction, if the values do not agree with this.
    """

    name: str = ""
    note: str = ""
    starred: bool = False
    hidden: bool = False

    def __post_init__(self) -> None:
        for what, text, longest in (("name", self.name, MAX_NAME), ("note", self.note, MAX_NOTE)):
            if not isinstance(text, str) or not text.isprintable():
                raise GanwalkError(
                    f"the {what} {one_line(repr(text), 80)} must be text of one line that can be printed"
                )
            if len(text) > longest:
                raise GanwalkError(f"a {what} has at most {longest} characters, not {len(text)}")
            if text != text.strip():
                raise GanwalkError(f"the {what} {text!r} begins or ends with a space")
        if "," in self.name:
            raise GanwalkError(f"the name {self.name!r} has a comma, which separates names in --combine: leave it out")
        if self.name.isdecimal() or self.name.casefold() == "all":
            raise GanwalkError(f"{self.name!r} is no name: numbers and all already mean other directions")
        if type(self.starred) is not bool or type(self.hidden) is not bool:
            raise GanwalkError("starred and hidden are true or false")


def check_unique(labels: Sequence[Label]) -> None:
    """Raises GanwalkError if two directions have one name, whatever its case."""
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        if label.name and seen.setdefault(label.name.casefold(), index) != index:
            first = seen[label.name.casefold()]
            raise GanwalkError(f"direction {first} is called {labels[first].name!r} already: choose another name")


def numbered_name(name: str, taken: Collection[str], between: str = " ") -> str:
    """A name with a number behind it, and `between` them, if it is among those taken, which are casefolded."""
    numbered, number = name, 1
    while numbered.casefold() in taken:
        number += 1
        numbered = f"{name[: MAX_NAME - _NUMBER].strip()}{between}{number}"
    return numbered


def find_direction(text: str, labels: Sequence[Label]) -> int:
    """The index of the direction that is called so, or has this number.

    Raises:
        GanwalkError: there is none; the message names similar names.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        if int(text) < len(labels):
            return int(text)
        raise GanwalkError(f"direction {int(text)} does not exist: there are directions 0 to {len(labels) - 1}")
    names = {label.name.casefold(): index for index, label in enumerate(labels) if label.name}
    if text.casefold() in names:
        return names[text.casefold()]
    known = [label.name for label in labels if label.name]
    close = difflib.get_close_matches(text, known, n=3) or known[:8]
    hint = f"the names are {', '.join(close)}" if close else "none has a name yet, see ganwalk name --help"
    raise GanwalkError(
        f"no direction is called {one_line(text, 80)!r}: give a number from 0 to {len(labels) - 1}; {hint}"
    )
