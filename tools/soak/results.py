"""What a run has left, as far as it must be the same after every disturbance."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from pathlib import Path
from typing import Any

# How long something took is measured anew by every run.
_TIME = "seconds"
# The last column of a table of a report, whose head is this word.
_TIME_COLUMN = re.compile(r"\| [^|\n]*\|$", re.MULTILINE)


def results(folder: Path) -> dict[str, str]:
    """A hash of every file by its path, but for hidden ones.

    Files are compared byte for byte. Of tables and JSON that tell how long something took, all but that is.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.startswith("."):
            found[name] = hashlib.sha256(_timeless(path)).hexdigest()
    return found


def hidden(folder: Path) -> list[str]:
    """Hidden files, such as what a killed write leaves."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob(".*") if path.is_file())


def differences(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """The files that differ, in words."""
    changed = [f"{name} differs" for name in before if name in now and before[name] != now[name]]
    missing = [f"{name} is missing" for name in before if name not in now]
    return changed + missing + [f"{name} is too many" for name in now if name not in before]


def _timeless(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix not in (".json", ".csv", ".md") or _TIME.encode() not in data:
        return data
    text = data.decode()
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(text))).encode()
    if path.suffix == ".csv":
        rows = [
            {name: cell for name, cell in row.items() if name != _TIME} for row in csv.DictReader(io.StringIO(text))
        ]
        return json.dumps(rows).encode()
    return _TIME_COLUMN.sub("|", text).encode()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(inner) for name, inner in value.items() if name != _TIME}
    return [_without_times(inner) for inner in value] if isinstance(value, list) else value
