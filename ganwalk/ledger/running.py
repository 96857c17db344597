"""Running the jobs of a ledger: here, in processes beside this one, or on a cluster."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.ledger.jobs import Job, Ledger, Turn
from ganwalk.ledger.placement import Placement

# Told what runs, and the share of everything that is done.
OnProgress = Callable[[str, float], None]
# Told a job's name and the share of it that is done, or why it failed.
Tell = Callable[[str, "float | str"], None]
_POLL_SECONDS = 0.2
_SHOWN = 3


class SharesMissing(Exception):
    """This share is done; others are not, and the message says which to run next."""


def run_jobs(
    ledger: Ledger,
    jobs: Sequence[Job],
    *,
    where: Placement | None = None,
    resume: bool = False,
    loaded: Any = None,
    load: Callable[[], Any] | None = None,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
) -> list[Any]:
    """Runs what has no result yet and returns all results, in the order of the jobs.

    A job that fails does not keep the others from running.

    Args:
        ledger: keeps the results.
        jobs: of different names.
        where: they run; by default here, one after the other.
        resume: take results, and what interrupted runs left, from the ledger. Without it, they are removed first.
        loaded: what the jobs of this process share.
        load: makes the same in another process, once; sent there by pickle.
        threads: of each process; None shares the cores out.
    Raises:
        GanwalkError: jobs that failed, with the reasons, or a stored result that is damaged or has other facts.
        SharesMissing: `where` is a share, and results of others are not there.
    """
    where = where or Placement()
    mine = jobs if where.shard is None else jobs[where.shard[0] - 1 :: where.shard[1]]
    for job in mine:
        ledger.open(job, resume=resume)
    board = Board([job.name for job in mine], on_progress)
    if where.cluster is not None:
        from ganwalk.ledger.cluster import submit_jobs

        submit_jobs(ledger, mine, where, load, threads, board)
    elif where.here > 1:
        from ganwalk.ledger.workers import threads_limited

        count = where.threads(threads)
        with where.ready((), threads) as ready, threads_limited(count):
            assert ready.workers is not None
            ready.workers.begin(ledger, mine, load, board)
            take_turns(ledger, mine, loaded, count, board.tell, skip=board.failures)
            ready.workers.wait()
    if where.cluster is None:
        _take_rest(ledger, mine, loaded, where.threads(threads), board)
    board.check(ledger, mine)
    results = [_peek(ledger, job) for job in jobs] if where.shard is not None else [ledger.find(job) for job in jobs]
    missing = [number for number, stored in enumerate(results) if stored is None]
    if missing:
        assert where.shard is not None
        i, n = where.shard
        raise SharesMissing(
            f"share {i} of {n} is done, {len(missing)} of {len(jobs)} results are missing; "
            f"next: the same command with --shard {missing[0] % n + 1}/{n}"
        )
    if on_progress is not None:
        on_progress("done", 1.0)
    return [stored.result for stored in results if stored is not None]


class Board:
    """What is known of jobs while they run.

    Attributes:
        failures: why jobs failed, by name; one that another process has done meanwhile may be among them.
    """

    def __init__(self, names: Sequence[str], on_progress: OnProgress | None):
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
        failed = [job.name for job in jobs if job.name in self.failures and _peek(ledger, job) is None]
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
        try:
            if ledger.find(job) is None:
                with ledger.claim(job) as mine:
                    if not mine:
                        held.append(job)
                        continue
                    reason = ledger.failure(job)
                    if reason is not None:
                        tell(job.name, reason)
                        continue
                    # Another process may have ended it since the first look.
                    if ledger.find(job) is None:
                        tell(job.name, 0.0)
                        turn = Turn(ledger.folder(job), loaded, threads, functools.partial(tell, job.name))
                        ledger.store(job, job.work(turn))
        except Exception as error:
            tell(job.name, ledger.fail(job, error))
        else:
            tell(job.name, 1.0)
    return held


def _take_rest(ledger: Ledger, jobs: Sequence[Job], loaded: Any, threads: int | None, board: Board) -> None:
    """Runs what is left here, and waits for what other processes are at."""
    while True:
        jobs = take_turns(ledger, jobs, loaded, threads, board.tell, skip=board.failures)
        if not jobs:
            return
        board.show()
        time.sleep(_POLL_SECONDS)


def _peek(ledger: Ledger, job: Job) -> Any:
    """The job's result, or None where it is another's or damaged."""
    try:
        return ledger.find(job)
    except GanwalkError:
        return None
