"""Memory that tensors give back stays with the process, for the next ones.

A map of features takes megabytes. glibc gets blocks of that size from the kernel each time anew, which hands them out
page by page, full of zeros; that is a tenth to a quarter of all time (`benchmarks/allocation.py`).
"""

from __future__ import annotations

import ctypes
import os
import sys

# Of mallopt, from glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
# Larger blocks come and go as before: between them would be gaps, half as much again as a backward pass takes.
_LARGEST_KEPT = 2**26
# What lies unused at the heap's end goes back if it is more.
_MOST_UNUSED = 2**29
# The heap grows by so much at a time.
_GROWTH = 2**26


def keep_freed_memory() -> bool:
    """Has blocks of up to 64 MiB kept when they are freed; whether the C library can be told so.

    It holds for the whole process from now on: for commands, whose process is theirs. Where the environment tells glibc
    how to allocate (MALLOC_…_, GLIBC_TUNABLES), that stays.
    """
    if not sys.platform.startswith("linux") or _told_otherwise():
        return False
    # musl has no mallopt.
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    mallopt.argtypes, mallopt.restype = [ctypes.c_int, ctypes.c_int], ctypes.c_int
    settings = ((_MMAP_THRESHOLD, _LARGEST_KEPT), (_TRIM_THRESHOLD, _MOST_UNUSED), (_TOP_PAD, _GROWTH))
    return all([mallopt(name, value) == 1 for name, value in settings])


def _told_otherwise() -> bool:
    named = any(name.startswith("MALLOC_") and name.endswith("_") for name in os.environ)
    return named or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
