"""A process's turns at jobs, and what is known of all of them meanwhile."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.ledger.jobs import Job, Ledger, Turn
from ganwalk.progress.callbacks import OnStage

# Told a job's name and the share of it that is done, or why it failed.
Tell = Callable[[str, "float | str"], None]
_SHOWN = 3


class Board:
    """What is known of jobs while they run.

    Attributes:
        failures: why jobs failed, by name; one that another process has done meanwhile may be among them.
    """

    def __init__(self, names: Sequence[str], on_progress: OnStage | None):
        self.failures: dict[str, str] = {}
        self._shares = dict.fromkeys(names, 0.0)
        self._latest = ""
        self._on_progress = on_progress

    def note(self, name: str, news: float | str) -> None:
        """Keeps what a job's process says; safe to call from any thread."""
        if isinstance(news, str):
            self.failures[name] = news
        self._shares[name] = 1.0 if isinstance(news, str) else news
        self._latest = name

    def show(self) -> None:
        """Hands the share of everything on; from the main thread only."""
        if self._on_progress is not None and self._shares:
            self._on_progress(self._latest, sum(self._shares.values()) / len(self._shares))

    def tell(self, name: str, news: float | str) -> None:
        """Both."""
        self.note(name, news)
        self.show()

    def check(self, ledger: Ledger, jobs: Sequence[Job]) -> None:
        """Raises GanwalkError if jobs have failed."""
        failed = [job.name for job in jobs if job.name in self.failures and peek(ledger, job) is None]
        if failed:
            more = f", and {len(failed) - _SHOWN} more" if len(failed) > _SHOWN else ""
            reasons = "; ".join(f"{name}: {self.failures[name]}" for name in failed[:_SHOWN])
            raise GanwalkError(
                f"{len(failed)} of {len(jobs)} jobs failed ({reasons}{more}); "
                "the others are kept: the same command with --resume tries these again"
            )


def take_turns(
    ledger: Ledger,
    jobs: Sequence[Job],
    loaded: Any,
    threads: int | None,
    tell: Tell,
    *,
    skip: Collection[str] = (),
) -> list[Job]:
    """Runs each job that has no result and that no other process is at; returns those that others are at."""
    held = []
    for job in jobs:
        if job.name in skip:
            continue
        reason = None
        try:
            if ledger.find(job) is None:
                with ledger.claim(job) as mine:
                    if not mine:
                        held.append(job)
                        continue
                    reason = ledger.failure(job)
                    if reason is None:
                        reason = _attempt(ledger, job, loaded, threads, tell)
        except Exception as error:
            reason = ledger.fail(job, error)
        tell(job.name, 1.0 if reason is None else reason)
    return held


def _attempt(ledger: Ledger, job: Job, loaded: Any, threads: int | None, tell: Tell) -> str | None:
    """Runs a claimed job and keeps its result, or why it failed, which others look for as soon as the claim ends."""
    try:
        # Another process may have ended it before it was claimed.
        if ledger.find(job) is None:
            tell(job.name, 0.0)
            turn = Turn(ledger.folder(job), loaded, threads, functools.partial(tell, job.name))
            ledger.store(job, job.work(turn))
    except Exception as error:
        return ledger.fail(job, error)
    return None


def peek(ledger: Ledger, job: Job) -> Any:
    """The job's result, or None where it is another's or damaged."""
    try:
        return ledger.find(job)
    except GanwalkError:
        return None
