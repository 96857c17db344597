"""Processes beside this one that take the same jobs."""

from __future__ import annotations

import _thread
import contextlib
import functools
import importlib
import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from ganwalk.compute.allocation import keep_freed_memory
from ganwalk.compute.threads import threads_limited
from ganwalk.ledger.jobs import Job, Ledger
from ganwalk.ledger.turns import Board, take_turns

_POLL_SECONDS = 0.1
# For a step to end and its checkpoint to be written.
_STOP_SECONDS = 15.0


class Workers:
    """Processes that have been started, and take jobs once `begin` hands them some; `close` ends them."""

    def __init__(self, count: int, modules: Sequence[str], threads: int | None):
        self._board: Board | None = None
        self._links: list[tuple[Any, Connection]] = []
        self._listeners: list[threading.Thread] = []
        context = multiprocessing.get_context("spawn")
        for _ in range(count):
            here, there = context.Pipe()
            process = context.Process(target=_work, args=(there, tuple(modules), threads), daemon=True)
            process.start()
            # Only the process holds its end now: once it is gone, this one reads to the end.
            there.close()
            self._links.append((process, here))

    def begin(self, ledger: Ledger, jobs: Sequence[Job], load: Callable[[], Any] | None, board: Board) -> None:
        """Hands the jobs to every process, each with another one to begin with.

        Neighbours are alike, and what the first of its kind costs is then rarely paid twice.
        """
        self._board = board
        count = len(self._links) + 1
        for rank, (process, link) in enumerate(self._links, start=1):
            first = rank * len(jobs) // count
            with contextlib.suppress(BrokenPipeError):
                link.send((ledger, [*jobs[first:], *jobs[:first]], load))
            listener = threading.Thread(target=_listen, args=(process, link, board), daemon=True)
            listener.start()
            self._listeners.append(listener)

    def wait(self) -> None:
        """Returns once every process has found nothing left to take."""
        for listener in self._listeners:
            while listener.is_alive():
                listener.join(_POLL_SECONDS)
                assert self._board is not None
                self._board.show()

    def close(self) -> None:
        """Ends the processes: those that are at a job as Ctrl-C does."""
        for process, link in self._links:
            if self._listeners:
                with contextlib.suppress(OSError):
                    link.send(None)
            else:
                process.terminate()
        for process, link in self._links:
            process.join(_STOP_SECONDS)
            if process.is_alive():
                process.kill()
                process.join()
            link.close()


def _listen(process: Any, link: Connection, board: Board) -> None:
    """Notes what a process says until it ends, and what it was at if it died."""
    at = None
    with contextlib.suppress(EOFError, OSError):
        while True:
            name, news = link.recv()
            at = None if isinstance(news, str) or news == 1.0 else name
            board.note(name, news)
    process.join()
    if at is not None:
        code = process.exitcode
        how = f"signal {-code}; out of memory?" if code is not None and code < 0 else f"exit code {code}"
        board.note(at, f"its process died ({how})")


def _work(link: Connection, modules: Sequence[str], threads: int | None) -> None:
    """What a process does."""
    signal.signal(signal.SIGINT, _interrupted_once)
    keep_freed_memory()
    try:
        with threads_limited(threads):
            for name in modules:
                importlib.import_module(name)
            ledger, jobs, load = link.recv()
            threading.Thread(target=_watch, args=(link,), daemon=True).start()
            loaded = None if load is None else load()
            # Once more: torch is here now.
            with threads_limited(threads):
                take_turns(ledger, jobs, loaded, threads, functools.partial(_send, link))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        # The process that wanted the results has ended, or wants no more: it says so itself.
        sys.exit(1)


def _send(link: Connection, name: str, news: float | str) -> None:
    link.send((name, news))


def _interrupted_once(*_: Any) -> None:
    """Ctrl-C reaches a process twice, from the terminal and from the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _watch(link: Connection) -> None:
    """Interrupts the job once the process that wants it says so, or has ended."""
    with contextlib.suppress(EOFError, OSError):
        link.recv()
    if hasattr(signal, "pthread_kill"):
        # A call that waits, such as for a process, is interrupted too.
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    else:
        _thread.interrupt_main()
