"""What must agree between a run that stopped and the one that continues."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError


def check_same(path: Path, before: str, run: str) -> None:
    """Raises GanwalkError, naming what is not the same, unless the two fingerprints agree.

    Args:
        before: from a file of somebody's.
    """
    try:
        then: dict[str, Any] = dict(json.loads(before))
    except (ValueError, TypeError, RecursionError) as error:
        raise GanwalkError(f"{path} is damaged: start anew with --force") from error
    now: dict[str, Any] = json.loads(run)
    changed = sorted(key.removesuffix("_index") for key in {*then, *now} if then.get(key) != now.get(key))
    if changed:
        raise GanwalkError(
            f"{path} is of another {', '.join(changed)}: resume with its options, or start anew with --force"
        )
