"""Gives back the memory of closed pages."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable

# Of a tab that is closed, and of those that are closed with it.
_SECONDS = 2.0


def give_back() -> None:
    """Frees what nothing refers to but itself, and returns what is free to the system, where that can be asked for.

    The parts of a page refer to one another, so that Python frees them when it next looks at old objects, which can be
    hours later; and the C library keeps what is free in between for itself.
    """
    gc.collect()
    if sys.platform == "linux":
        # Not of every C library.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


class Sweep:
    """Gives memory back a little after it is asked to, once for all who ask meanwhile.

    Args:
        work: what it then does.
        seconds: to wait.
    """

    def __init__(self, work: Callable[[], None] = give_back, seconds: float = _SECONDS):
        self._work, self._seconds = work, seconds
        self._due: asyncio.TimerHandle | None = None

    def ask(self) -> None:
        """A page has been closed; within an event loop."""
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(self._seconds, self._sweep)

    def _sweep(self) -> None:
        self._due = None
        self._work()
