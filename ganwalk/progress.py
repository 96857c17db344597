"""Progress of long work: a bar that fits any terminal, a line now and then where there is none."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

# Called with what is done so far and what is being done.
Advance = Callable[[int, str], None]

# The phase comes last: whatever is too narrow cuts it off first, and the time that is left is of all phases.
_FORMAT = "{percentage:3.0f}%|{bar:10}| {remaining} left · {desc}"
_SECONDS_PER_LINE = 30.0


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
        # Of the whole, not of the phase that runs.
        smoothing=0,
    )

    def advance(done: int, note: str) -> None:
        bar.set_description_str(note or label, refresh=False)
        bar.update(done - bar.n)

    # A phase that says nothing for a while still counts down.
    with bar, _ticking(1.0, bar.refresh):
        yield advance


@contextlib.contextmanager
def _lines(total: int, label: str) -> Iterator[Advance]:
    began = time.monotonic()
    done, note = 0, ""

    def advance(now_done: int, now_note: str) -> None:
        nonlocal done, note
        done, note = now_done, now_note

    def write() -> None:
        share = done / max(1, total)
        left = "" if share <= 0 else f", {_in_words((time.monotonic() - began) * (1 - share) / share)} left"
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
