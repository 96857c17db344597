"""How long work is watched: functions that are told how far it is, and counters that tell them."""

from __future__ import annotations

from collections.abc import Callable

# Called with what is done so far and what is being done.
Advance = Callable[[int, str], None]
# How functions of rooms are watched: the share that is done, what is done and how much of it, and how many of how many.
OnShare = Callable[[float], None]
OnStage = Callable[[str, float], None]
OnCount = Callable[[int, int], None]


def counter(total: int, on_count: OnCount | None) -> Callable[[int], None]:
    """Takes how many more are done, and tells how many that makes."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done = min(total, done + more)
        if on_count is not None:
            on_count(done, total)

    return count


def share_counter(total: int, on_share: OnShare | None) -> Callable[[int], None]:
    """Takes how many more are done, and tells the share that makes."""
    return counter(total, None if on_share is None else lambda done, total: on_share(done / total))
