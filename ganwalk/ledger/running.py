"""Running the jobs of a ledger: here, in processes beside this one, or on a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from ganwalk.compute.threads import threads_limited
from ganwalk.ledger.jobs import Job, Ledger
from ganwalk.ledger.placement import Placement
from ganwalk.ledger.turns import Board, peek, take_turns
from ganwalk.progress.callbacks import OnStage

_POLL_SECONDS = 0.2


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
    on_progress: OnStage | None = None,
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
    mine = where.share(jobs)
    for job in mine:
        ledger.open(job, resume=resume)
    board = Board([job.name for job in mine], on_progress)
    if where.cluster is not None:
        from ganwalk.ledger.cluster import submit_jobs

        submit_jobs(ledger, mine, where, load, threads, board)
    elif where.here > 1:
        count = where.threads(threads)
        with where.ready((), threads) as ready, threads_limited(count):
            assert ready.workers is not None
            ready.workers.begin(ledger, mine, load, board)
            take_turns(ledger, mine, loaded, count, board.tell, skip=board.failures)
            ready.workers.wait()
    if where.cluster is None:
        _take_rest(ledger, mine, loaded, where.threads(threads), board)
    board.check(ledger, mine)
    results = [peek(ledger, job) for job in jobs] if where.shard is not None else [ledger.find(job) for job in jobs]
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


def _take_rest(ledger: Ledger, jobs: Sequence[Job], loaded: Any, threads: int | None, board: Board) -> None:
    """Runs what is left here, and waits for what other processes are at."""
    while True:
        jobs = take_turns(ledger, jobs, loaded, threads, board.tell, skip=board.failures)
        if not jobs:
            return
        board.show()
        time.sleep(_POLL_SECONDS)
