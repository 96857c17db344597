"""Loops that numba compiles. Importing this module loads numba."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

import numba
from numba.core import event


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
    """`jit` of what Python calls: Ctrl-C meanwhile is a KeyboardInterrupt. Other compiled functions cannot call it.

    To return several arrays, numba calls Python as the last thing it does, and turns an interrupt that waits there into
    a SystemError.
    """
    kernel = jit(function, **options)

    @wraps(function)
    def call(*arguments: Any) -> Any:
        try:
            return kernel(*arguments)
        except SystemError as error:
            if _interrupted(error):
                raise KeyboardInterrupt from None
            raise

    return call


def _interrupted(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


class _HeldInterrupts(event.Listener):  # type: ignore[misc]
    """While numba compiles SIGINT waits for the end of that: raised in a callback of the compiler, it would be lost.

    Only the main thread handles signals: nothing is held while another one compiles.
    """

    def __init__(self) -> None:
        self._depth = 0
        self._handler: Callable[[int, FrameType | None], Any] | None = None
        self._waiting: list[tuple[int, FrameType | None]] = []

    def on_start(self, event: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth += 1
        handler = signal.getsignal(signal.SIGINT)
        if self._depth == 1 and callable(handler):
            self._handler = handler
            signal.signal(signal.SIGINT, lambda number, frame: self._waiting.append((number, frame)))

    def on_end(self, event: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        self._depth -= 1
        if self._depth or self._handler is None:
            return
        (handler, self._handler), (waiting, self._waiting) = (self._handler, None), (self._waiting, [])
        signal.signal(signal.SIGINT, handler)
        if waiting:
            handler(*waiting[0])


event.register("numba:compiler_lock", _HeldInterrupts())
