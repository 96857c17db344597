"""The folder where downloads and what is made of them are kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ganwalk.errors import GanwalkError


def cache_folder() -> Path:
    """Where downloads and what is made of them are kept: $GANWALK_CACHE, or the user's cache folder."""
    import platformdirs

    chosen = os.environ.get("GANWALK_CACHE")
    return Path(chosen).expanduser() if chosen else platformdirs.user_cache_path("ganwalk", appauthor=False)


@contextlib.contextmanager
def cache_errors(target: Path) -> Iterator[None]:
    """Troubles with a file that is kept in the cache, in one line with what helps."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise GanwalkError(
            f"cannot keep {target}: {reason}; free some space, or choose another folder with GANWALK_CACHE"
        ) from error
