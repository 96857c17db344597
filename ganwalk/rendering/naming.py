"""Names and marks of pictures: settings have names of their own, and only what is the same is replaced unasked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.directions.files import is_directions_file
from ganwalk.files import check_free

# Characters of a name before it is cut and told apart by a hash.
_LONGEST = 100
# Bytes at the start and the end of a file among which its mark is.
_SEARCHED = 2**16


def settings_name(stem: str, words: Sequence[str]) -> str:
    """A file's name without its suffix that tells what is not as by default: direction-3-seeds-7-9-amplitude-5.

    Args:
        words: the options that were given, with or without their dashes, and their values.
    """
    parts = [stem, *(word.removeprefix("--") for word in words)]
    name = "".join(letter if letter.isalnum() or letter in ".,+=@-" else "_" for letter in "-".join(parts))
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def given_words(given: Mapping[str, Any]) -> list[str]:
    """Options and their values, as `settings_name` takes them; those that are None were not given."""
    return [word for key, value in given.items() if value is not None for word in (key, str(value))]


def stem_among_others(path: Path) -> str:
    """What names of pictures of a directions file begin with: its stem, where its folder holds others besides.

    The pictures of a discovery are those that need none.
    """
    if path.name == DIRECTIONS_FILE:
        return ""
    others = (other for other in path.parent.glob("*.safetensors") if other.name != path.name)
    return f"{path.stem}-" if any(map(is_directions_file, others)) else ""


def mark_of(directions: Directions | None, settings: Mapping[str, Any]) -> str:
    """What a picture carries so that one of the same directions, if it shows any, and settings is known."""
    shown = None if directions is None else directions.fingerprint()
    facts = json.dumps({"directions": shown, **settings}, sort_keys=True, default=str)
    return f"ganwalk-mark-{hashlib.sha256(facts.encode()).hexdigest()[:32]}"


def check_replaceable(path: Path, mark: str, force: bool) -> None:
    """Refuses to replace a file that does not carry the mark; GanwalkError names --force."""
    if not (path.is_file() and carries(path, mark)):
        check_free(path, force)


def carries(path: Path, mark: str) -> bool:
    """Whether a file has a mark at its start or its end."""
    with path.open("rb") as file:
        head = file.read(_SEARCHED)
        file.seek(max(len(head), path.stat().st_size - _SEARCHED))
        return mark.encode() in head or mark.encode() in file.read()
