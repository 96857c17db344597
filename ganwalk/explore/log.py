"""What the server's log says: what visitors send wrongly is one line, errors of our own are whole."""

from __future__ import annotations

import logging
import traceback
from pathlib import Path

from ganwalk.errors import one_line

# They log what was raised while a message was being read.
_READERS = ("asyncio", "engineio.server", "socketio.server", "uvicorn.error")
_LONGEST = 200
_PACKAGE = Path(__file__).parents[1]
# In the way of every message.
_MIDDLEWARE = Path(__file__).with_name("gate.py")


class OneLine(logging.Filter):
    """Says in one line what was raised before a message reached this package: what it holds is the visitor's making."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None and not _is_ours(error):
            record.msg = _dropped(f"{type(error).__name__}: {error}")
            record.args, record.exc_info, record.exc_text = (), None, None
        return True


def keep_log_short() -> None:
    """Lets the libraries that read messages log as `OneLine` says."""
    for name in _READERS:
        logging.getLogger(name).addFilter(OneLine())


def tell_dropped(what: str) -> None:
    """Logs that a message is of no use."""
    logging.getLogger(__name__).warning("%s", _dropped(what))


def _dropped(what: str) -> str:
    return one_line(f"a message that nobody understands was dropped ({what})", _LONGEST)


def _is_ours(error: BaseException) -> bool:
    places = (Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__))
    return any(_PACKAGE in place.parents and place != _MIDDLEWARE for place in places)
