"""What must agree between a run that stopped and the one that continues, and the line that says what does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError

# What to do about a run of others in a folder that --out named.
START_ANEW = "start anew with --force, or choose another --out"
RESUME_OR_START_ANEW = f"resume with its options, {START_ANEW}"


def differing(before: Any, now: Any, path: str = "") -> list[str]:
    """Names of the facts that differ, such as "settings.steps", in order."""
    if isinstance(before, dict) and isinstance(now, dict):
        inner = [(f"{path}.{key}" if path else key, key) for key in sorted({*before, *now})]
        nothing = object()
        return [
            name for where, key in inner for name in differing(before.get(key, nothing), now.get(key, nothing), where)
        ]
    return [] if before == now else [path]


def check_same(path: Path | str, before: dict[str, Any], now: dict[str, Any], remedy: str) -> None:
    """Raises GanwalkError, naming what is not the same, unless the facts of two runs agree.

    Args:
        path: what the run before has left.
        remedy: what to do where they differ.
    """
    # What is typed as --class is the setting `class_index`.
    changed = [name.removesuffix("_index") for name in differing(before, now)]
    if changed:
        raise GanwalkError(f"{path} belongs to a run with another {', '.join(changed)}: {remedy}")


def check_fingerprint(path: Path, before: str, run: str) -> None:
    """`check_same` of facts in JSON; GanwalkError, too, if those before are damaged.

    Args:
        before: from a file of somebody's.
    """
    try:
        then: dict[str, Any] = dict(json.loads(before))
    except (ValueError, TypeError, RecursionError) as error:
        raise GanwalkError(f"{path} is damaged: start anew with --force") from error
    check_same(path, _given(then), _given(json.loads(run)), "resume with its options, or start anew with --force")


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts without those that are None, which a version that did not know them has not written."""
    return {name: value for name, value in facts.items() if value is not None}
