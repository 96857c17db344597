"""Files that ship with ganwalk."""

from __future__ import annotations

from pathlib import Path

from ganwalk.errors import GanwalkError


def shipped_file(name: str) -> Path:
    """Where a shipped file lies: in the installed package, or in the checkout's pretrained/."""
    package = Path(__file__).resolve().parents[1]
    candidates = (package / "pretrained" / name, package.parent / "pretrained" / name)
    for path in candidates:
        if path.exists():
            return path
    raise GanwalkError(f"the shipped file {name} is missing: install ganwalk again")
