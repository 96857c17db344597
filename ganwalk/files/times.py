"""Times as files hold them."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone


def timestamp() -> str:
    """The time as files hold it, in UTC: 2026-01-31T12:00:00Z.

    The environment variable SOURCE_DATE_EPOCH (reproducible-builds.org) stands for the clock, so that equal results can
    be equal files.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    return as_timestamp(int(fixed) if fixed.isdecimal() else time.time())


def as_timestamp(seconds: float) -> str:
    """Seconds since 1970 as `timestamp` writes them; of no possible time, an empty text."""
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return ""
