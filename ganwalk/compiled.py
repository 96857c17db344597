"""Loops that numba compiles. Importing this module loads numba."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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
