"""Jobs on a cluster, by submitit: each in a process of its own on whatever machine is given to it."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from ganwalk.errors import GanwalkError, one_line
from ganwalk.ledger.jobs import Job, Ledger
from ganwalk.ledger.placement import Placement
from ganwalk.ledger.turns import Board, take_turns

# How often a job whose process is lost is submitted.
_ATTEMPTS = 3
_POLL_SECONDS = 0.5
_DAY = 24 * 60
_LOGS = "submissions"


def submit_jobs(
    ledger: Ledger,
    jobs: Sequence[Job],
    where: Placement,
    load: Callable[[], Any] | None,
    threads: int | None,
    board: Board,
) -> None:
    """Submits every job that has no result, waits for them, and notes what failed.

    A job that is lost (killed, out of time, its machine gone) is submitted again, and continues from what it left.
    The files of submitit are kept beside the jobs' folders.
    """
    executor = _executor(ledger, where)
    waiting = []
    for job in jobs:
        if ledger.find(job) is None:
            waiting.append(job)
        else:
            board.note(job.name, 1.0)
    limit = where.processes or len(waiting)
    attempts: Counter[str] = Counter()
    running: list[tuple[Job, Any]] = []
    with _cancelled_with(running):
        while waiting or running:
            while waiting and len(running) < limit:
                job = waiting.pop(0)
                attempts[job.name] += 1
                board.note(job.name, 0.0)
                running.append((job, _submitted(executor, where, _work, ledger, job, load, threads)))
            board.show()
            time.sleep(_POLL_SECONDS)
            for entry in [entry for entry in running if entry[1].done()]:
                running.remove(entry)
                job, submission = entry
                reason, lost = _outcome(submission)
                if lost and attempts[job.name] < _ATTEMPTS:
                    waiting.append(job)
                else:
                    board.note(job.name, reason or 1.0)


def _executor(ledger: Ledger, where: Placement) -> Any:
    """The submitit executor of a placement; GanwalkError if it cannot be had or does not know an option."""
    try:
        import submitit
    except ImportError as error:
        raise GanwalkError("--cluster needs submitit: pip install 'ganwalk[cluster]'") from error
    options = {"timeout_min": where.time_limit or _DAY, "name": "ganwalk", **where.options}
    if where.partition is not None:
        options["slurm_partition"] = where.partition
    try:
        executor = submitit.AutoExecutor(ledger.root / _LOGS, cluster=where.cluster)
        executor.update_parameters(**options)
    except (NameError, AssertionError, TypeError, ValueError) as error:
        raise GanwalkError(f"submitit refuses a --cluster-option: {one_line(str(error), 300)}") from error
    except RuntimeError as error:
        raise GanwalkError(
            f"no {where.cluster} here ({one_line(str(error), 200)}): run this where jobs are submitted, "
            "or use --cluster local"
        ) from error
    return executor


def _submitted(executor: Any, where: Placement, work: Callable[..., Any], *arguments: Any) -> Any:
    """The submission of a call; GanwalkError if the cluster takes none."""
    try:
        return executor.submit(work, *arguments)
    # All that submitit raises is one: what sbatch wrote, or that it wrote something else than a job's number.
    except RuntimeError as error:
        reason = one_line(" ".join(str(error).split()), 300)
        raise GanwalkError(
            f"{where.cluster} refuses the job ({reason}): check --partition and --cluster-option"
        ) from error


def _work(ledger: Ledger, job: Job, load: Callable[[], Any] | None, threads: int | None) -> str | None:
    """What a submission does: the job, unless another process is at it; returns why it failed."""
    failures: list[str] = []

    def tell(_: str, news: float | str) -> None:
        if isinstance(news, str):
            failures.append(news)

    loaded = None if load is None else load()
    while take_turns(ledger, [job], loaded, threads, tell):
        time.sleep(_POLL_SECONDS)
    return failures[0] if failures else None


def _outcome(submission: Any) -> tuple[str | None, bool]:
    """Why an ended submission has no result, None if it has one, and whether it was lost."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        return submission.result(), False
    except FailedJobError as error:
        return one_line(str(error).strip().splitlines()[-1]), False
    except UncompletedJobError:
        return (
            f"its process was lost in {_ATTEMPTS} of {_ATTEMPTS} tries; its output is in {submission.paths.stderr}",
            True,
        )


@contextlib.contextmanager
def _cancelled_with(running: list[tuple[Job, Any]]) -> Iterator[None]:
    """Cancels what still runs when something goes wrong, Ctrl-C included."""
    try:
        yield
    except BaseException:
        for _, submission in running:
            with contextlib.suppress(Exception):
                submission.cancel(check=False)
        raise
