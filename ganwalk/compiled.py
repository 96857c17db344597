"""Loops that numba compiles. Importing this module loads numba."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from functools import wraps
from types import FrameType
from typing import Any

import numba


def jit(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """Compiled at the first call, without the GIL, and kept on disk if there is any place for it.

    Args:
        options: further ones of numba.njit.
    """
    try:
        return numba.njit(cache=True, nogil=True, **options)(function)
    except RuntimeError:
        return numba.njit(nogil=True, **options)(function)


def entry(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    """`jit` of what Python calls: Ctrl-C meanwhile counts when it ends. Other compiled functions cannot call it.

    While numba compiles, an interrupt would be lost; and as it makes the arrays that are returned, it would become a
    SystemError.
    """
    kernel = jit(function, **options)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        with _interrupts_held():
            return kernel(*arguments)

    return call


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """SIGINT meanwhile is handled at the end. Only the main thread handles signals, and nothing is to do elsewhere."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    held: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if held:
            handler(*held[0])
