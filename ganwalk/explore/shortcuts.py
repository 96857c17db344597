"""Keys and what they do, in one table: for the page that listens, and for the help that lists them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganwalk.explore.page import Page

# σ of a key press.
_STEP = 0.5
# Keys that put the cursor into the name.
NAMING = ("n",)


@dataclass(frozen=True)
class Shortcut:
    """Keys by the names that browsers give them, what they do in words, and how; None is done by the browser itself."""

    keys: tuple[str, ...]
    words: str
    act: Callable[[Page], None] | None


SHORTCUTS = (
    Shortcut(("j", "ArrowDown"), "next direction", lambda page: page.select_next(1)),
    Shortcut(("k", "ArrowUp"), "previous direction", lambda page: page.select_next(-1)),
    Shortcut((".", "]"), f"walk {_STEP} σ further", lambda page: page.nudge(_STEP)),
    Shortcut((",", "["), f"walk {_STEP} σ back", lambda page: page.nudge(-_STEP)),
    Shortcut(("0",), "this direction back to 0", lambda page: page.walk_to(0.0)),
    Shortcut(("r",), "reset: all directions back to 0", lambda page: page.reset()),
    Shortcut((" ",), "shuffle: other samples", lambda page: page.shuffle()),
    Shortcut(("z", "Ctrl+z"), "undo", lambda page: page.undo()),
    Shortcut(("y", "Ctrl+y", "Ctrl+Shift+z"), "redo", lambda page: page.redo()),
    Shortcut(NAMING, "name the direction", None),
    Shortcut(("s",), "star it, or not", lambda page: page.toggle_star()),
    Shortcut(("h",), "hide it, or show it again", lambda page: page.toggle_hidden()),
    Shortcut(("b",), "the other side of an A/B comparison", lambda page: page.switch()),
    Shortcut(("o",), "open others, on this machine", lambda page: page.toolbar.open_others()),
    Shortcut(("e",), "export", lambda page: page.toolbar.open_exports()),
    Shortcut(("?",), "this list", lambda page: page.toolbar.open_help()),
)
_SHOWN = {" ": "Space", "ArrowDown": "↓", "ArrowUp": "↑"}


def all_keys() -> list[str]:
    """Every key that means something."""
    return [key for shortcut in SHORTCUTS for key in shortcut.keys]


def press(page: Page, key: str) -> None:
    """Does what a key means."""
    for shortcut in SHORTCUTS:
        if key in shortcut.keys and shortcut.act is not None:
            shortcut.act(page)


def in_words(keys: tuple[str, ...]) -> str:
    """Keys as they are printed on keyboards."""
    return " or ".join(_SHOWN.get(key, key) for key in keys)
