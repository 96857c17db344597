"""Fonts for pictures: DejaVu Sans, and for what it lacks another one of this machine, where there is one."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

# Of characters that no font here has.
_MISSING = "?"
_FAMILY = "DejaVu Sans"
_REGULAR = 400


@functools.lru_cache(256)
def load_font(size: int, path: Path | None = None) -> FreeTypeFont:
    """A font from its file; by default DejaVu Sans, which matplotlib ships: Pillow's own lacks σ."""
    from PIL import ImageFont

    return ImageFont.truetype(str(path or _own_path()), size)


def readable(text: str) -> str:
    """The text with a question mark for each character that no font of this machine has."""
    lacking = unreadable([text])
    return "".join(_MISSING if character in lacking else character for character in text)


def unreadable(texts: Sequence[str]) -> str:
    """The characters that no font of this machine has, each once."""
    characters = "".join(dict.fromkeys("".join(texts)))
    places = _places(characters)
    return "".join(character for character in characters if character not in places)


def of_people(texts: Sequence[str]) -> dict[str, Any]:
    """How matplotlib draws texts that people wrote: in fonts that have the characters, and a $ begins no formula."""
    names = dict.fromkeys([_FAMILY, *(name for name, _ in _places("".join(texts)).values())])
    return {"fontfamily": list(names), "parse_math": False}


def runs(text: str, size: int) -> list[tuple[str, FreeTypeFont]]:
    """The text, as `readable`, in parts that one font can draw: Pillow draws boxes where a font ends."""
    shown = readable(text)
    places = _places(shown)
    parts = groupby(shown, key=lambda character: places.get(character, ("", _own_path()))[1])
    return [("".join(part), load_font(size, path)) for path, part in parts]


@functools.lru_cache(1)
def _own_path() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


def _places(text: str) -> dict[str, tuple[str, Path]]:
    """Name and file of the font of each character that has one: of few fonts, so that words do not change theirs."""
    own = _characters(_own_path())
    places = {character: (_FAMILY, _own_path()) for character in text if ord(character) in own}
    left = set(text) - places.keys()
    while left:
        # Fonts are sorted: of equals the first is the plainest.
        font = max(_others(), key=lambda font: _covered(left, font[1]), default=None)
        if font is None or not _covered(left, font[1]):
            break
        found = {character for character in left if ord(character) in _characters(font[1])}
        places |= dict.fromkeys(found, font)
        left -= found
    return places


def _covered(characters: set[str], path: Path) -> int:
    return sum(ord(character) in _characters(path) for character in characters)


@functools.lru_cache(1)
def _others() -> list[tuple[str, Path]]:
    """Names and files of the fonts here, upright and regular sans-serifs first; not those that draw boxes for all."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    # matplotlib keeps a list of the fonts that were here when it first looked.
    for path in set(findSystemFonts()) - {entry.fname for entry in fontManager.ttflist}:
        with contextlib.suppress(OSError, RuntimeError, NotImplementedError):
            fontManager.addfont(path)
    entries = [entry for entry in fontManager.ttflist if not entry.name.lower().startswith("last resort")]
    entries.sort(
        key=lambda entry: (
            entry.style != "normal",
            abs(int(entry.weight) - _REGULAR) if str(entry.weight).isdigit() else 0,
            "sans" not in entry.name.lower(),
            entry.name,
            entry.fname,
        )
    )
    return [(entry.name, Path(entry.fname)) for entry in entries]


@functools.lru_cache(None)
def _characters(path: Path) -> frozenset[int]:
    """The characters of a font; none of one that cannot be read, such as one that was removed."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(str(path)).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()
