"""Progress of long work: a bar that fits any terminal, a line now and then where there is none."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from ganwalk.progress.callbacks import Advance

# What is described comes last, its phase at the end: whatever is too narrow cuts that off first.
_FORMAT = "{percentage:3.0f}%|{bar:10}| {desc}"
_SECONDS_PER_LINE = 30.0
# Seconds before which nothing is said of the time that is left: what is done first is slower than what follows.
_WARM_UP = 3.0
# Of the time until now, the share at its end that the pace is taken of, and the points that are kept of it.
_RECENT, _POINTS = 0.5, 64


class Pace:
    """How long the rest takes at the pace of late; what came first, such as setting up, is forgotten.

    Args:
        total: of what is done.
        now: in seconds, as of all that follows.
    """

    def __init__(self, total: int, now: float):
        self._total, self._began = max(1, total), now
        self._points = deque([(now, 0)])
        self._done, self._last = 0, now
        # What is noted by the work is read by the thread that writes.
        self._lock = threading.Lock()

    def note(self, done: int, now: float) -> None:
        """Notes what is done by now."""
        with self._lock:
            self._done, self._last = done, now
            if now - self._points[-1][0] >= _RECENT * (now - self._began) / _POINTS:
                self._points.append((now, done))

    def left(self, now: float) -> float | None:
        """Seconds that are left, of all phases; None as long as there is nothing to tell them by."""
        with self._lock:
            done, last = self._done, self._last
            while len(self._points) > 1 and self._points[1][0] <= last - _RECENT * (last - self._began):
                self._points.popleft()
            then, before = self._points[0]
        elapsed, silent = now - self._began, now - last
        if elapsed < _WARM_UP or done <= 0:
            return None
        if done == before or silent > _RECENT * elapsed:
            # Nothing was done for long: the whole tells.
            return (self._total - done) * elapsed / done
        return max(0.0, (self._total - done) * (last - then) / (done - before) - silent)


@contextlib.contextmanager
def progress_bar(total: int, label: str, quiet: bool) -> Iterator[Advance]:
    """Progress on stderr: a bar on a terminal or in a notebook, elsewhere a line every half minute.

    Args:
        total: of what is done.
        label: of the whole; shown where nothing is said about the part.
        quiet: show nothing.
    """
    if quiet:
        yield lambda done, note: None
    elif sys.stderr.isatty() or in_notebook():
        with _bar(total, label) as advance:
            yield advance
    else:
        with _lines(total, label) as advance:
            yield advance


@contextlib.contextmanager
def late_bar(label: str, quiet: bool) -> Iterator[Advance]:
    """A progress bar of 100 that appears when it is called first, for what often is not needed."""
    with contextlib.ExitStack() as stack:
        advance: Advance | None = None

        def on_progress(done: int, note: str) -> None:
            nonlocal advance
            if advance is None:
                advance = stack.enter_context(progress_bar(100, label, quiet))
            advance(done, note)

        yield on_progress


def say(text: str) -> None:
    """Writes a line on stderr, above a bar if there is one."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)


def in_notebook() -> bool:
    """Whether a notebook's kernel runs this."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


@contextlib.contextmanager
def _bar(total: int, label: str) -> Iterator[Advance]:
    with warnings.catch_warnings():
        # A notebook without widgets gets the bar of a terminal, which is no matter to warn about.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm
    widget = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)
    bar: Any = tqdm(
        total=total,
        desc=label,
        file=sys.stderr,
        bar_format=None if widget else _FORMAT,
        dynamic_ncols=True,
        leave=False,
        # Of a widget, which tells the time itself: of the whole, not of the phase that runs.
        smoothing=0,
    )

    pace, said = Pace(total, time.monotonic()), label

    def describe() -> None:
        left = None if widget else pace.left(time.monotonic())
        shown = "" if left is None else f"{tqdm.format_interval(left)} left · "
        bar.set_description_str(f"{shown}{said}", refresh=False)

    def advance(done: int, note: str) -> None:
        nonlocal said
        said = note or label
        pace.note(done, time.monotonic())
        describe()
        bar.update(done - bar.n)

    def tick() -> None:
        describe()
        bar.refresh()

    # Also while a phase says nothing.
    with bar, _ticking(1.0, tick):
        yield advance


@contextlib.contextmanager
def _lines(total: int, label: str) -> Iterator[Advance]:
    pace = Pace(total, time.monotonic())
    done, note = 0, ""

    def advance(now_done: int, now_note: str) -> None:
        nonlocal done, note
        done, note = now_done, now_note
        pace.note(done, time.monotonic())

    def write() -> None:
        share, seconds = done / max(1, total), pace.left(time.monotonic())
        left = "" if seconds is None else f", {_in_words(seconds)} left"
        print(f"{label}: {100 * share:.0f} %{f', {note}' if note else ''}{left}", file=sys.stderr, flush=True)

    with _ticking(_SECONDS_PER_LINE, write):
        yield advance


@contextlib.contextmanager
def _ticking(seconds: float, tick: Callable[[], object]) -> Iterator[None]:
    """Calls a function now and then in a thread of its own."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(seconds):
            tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _in_words(seconds: float) -> str:
    if seconds < 90:
        return f"about {max(1, round(seconds))} s"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {seconds / 3600:.1f} h"
