"""Whose turn it is: one picture at a time is made, each page waits in line once, and only for its newest wish.

What takes long has lines of its own, so that it does not hold up the pictures of other pages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Superseded(Exception):
    """Raised within work that nobody waits for any more."""


class Line:
    """A worker that all pages share, first come, first served."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ganwalk")
        self.waiting = 0
        self._closed = False

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work`, run in the worker's thread when it is this caller's turn."""
        self.waiting += 1
        try:
            async with self._turn:
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        finally:
            self.waiting -= 1

    def check(self) -> None:
        """For long work to call now and then: raises `Superseded` once the line is closed."""
        if self._closed:
            raise Superseded

    def close(self) -> None:
        """Nothing more is begun."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)


class Lines:
    """A line for each kind of work.

    Attributes:
        pictures: what is shown, and short pieces of projections.
        exports: animations.
        measurements: scores.
        openings: other directions and generators.
    """

    def __init__(self) -> None:
        self.pictures, self.exports, self.measurements, self.openings = Line(), Line(), Line(), Line()

    def close(self) -> None:
        """Nothing more is begun in any of them."""
        for line in (self.pictures, self.exports, self.measurements, self.openings):
            line.close()


class Errand:
    """Long work that one page has asked for: how far it is, and whether it is still wanted.

    Attributes:
        words: how far it is.
        cancelled: whether nobody wants it any more.
    """

    def __init__(self, line: Line):
        self.line, self.words, self.cancelled = line, "waiting", False

    async def run(self, work: Callable[[], T]) -> T:
        """The result of `work` in its turn; `Superseded` if it was cancelled by then."""

        def wanted() -> T:
            self.tell("working")
            return work()

        return await self.line.run(wanted)

    def tell(self, words: str) -> None:
        """Says how far the work is, from within it; raises `Superseded` if nobody wants it any more."""
        self.line.check()
        if self.cancelled:
            raise Superseded
        self.words = words

    def cancel(self) -> None:
        """Ends the work where it next says how far it is, or before it begins."""
        self.cancelled = True


class Newest(Generic[T]):
    """Of the wishes of one page, the newest one only: older ones that were not begun are dropped.

    Args:
        line: where the work is done.
        make: the work for a wish, in the worker's thread; it may call the function that it is given between parts of
            the work, which raises `Superseded` if there is a newer wish by now.
        show: what is done with a result, in the event loop.
        fail: what is done with an error.
    """

    def __init__(
        self,
        line: Line,
        make: Callable[[T, Callable[[], None]], Any],
        show: Callable[[T, Any], Awaitable[None] | None],
        fail: Callable[[Exception], None],
    ):
        self._line, self._make, self._show, self._fail = line, make, show, fail
        self._wish: T | None = None
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def ask(self, wish: T) -> None:
        """Wishes for something, and no longer for what was asked for before."""
        if self._wish is not None:
            self.dropped += 1
        self._wish = wish
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._serve())

    @property
    def busy(self) -> bool:
        """Whether anything is wished for, begun or not."""
        return self._task is not None and not self._task.done()

    @property
    def pending(self) -> bool:
        """Whether there is a wish that was not begun."""
        return self._wish is not None

    async def _serve(self) -> None:
        while self._wish is not None:
            try:
                wish, result = await self._line.run(self._take)
                shown = self._show(wish, result)
                if shown is not None:
                    await shown
            except Superseded:
                self.dropped += 1
            except Exception as error:
                self._fail(error)

    def forget(self) -> None:
        """Wishes for nothing any more."""
        self._wish = None

    def _take(self) -> tuple[T, Any]:
        # Not before it is this page's turn: while it waited, there may have come a newer wish, or none is left.
        wish, self._wish = self._wish, None
        if wish is None:
            raise Superseded

        def check() -> None:
            if self._wish is not None:
                raise Superseded

        return wish, self._make(wish, check)
