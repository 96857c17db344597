"""Jobs, and the folder that keeps what came of them."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import read_text, try_locked, write_json, write_text
from ganwalk.resuming.agreement import RESUME_OR_START_ANEW, check_same

_FILE, _ERROR = "run.json", "error.txt"


@dataclass(frozen=True)
class Turn:
    """What a job is given when it runs.

    Attributes:
        folder: its own, which exists. What an interrupted run left there is its own too, to be continued.
        loaded: what the jobs of a process share, such as a generator.
        threads: that it may use; None for all cores.
        on_share: to be told the share of the job that is done.
    """

    folder: Path
    loaded: Any
    threads: int | None
    on_share: Callable[[float], None]


def anything(result: Any) -> bool:
    """Whether a result suffices where every one does."""
    return True


@dataclass(frozen=True)
class Job:
    """One result that is wanted.

    Attributes:
        name: readable; its folder's name, such as "rtd-3".
        facts: everything that the result depends on, as JSON can hold it.
        work: makes the result, JSON-able. Other processes are sent it by pickle: a function of a module, or a
            `functools.partial` of one.
        suffices: tells a stored result that is taken from one that `work` has to continue; sent like it.
    """

    name: str
    facts: Mapping[str, Any]
    work: Callable[[Turn], Any]
    suffices: Callable[[Any], bool] = anything


@dataclass(frozen=True)
class Stored:
    """A finished result with its facts."""

    facts: dict[str, Any]
    result: Any


def as_they_are(document: dict[str, Any]) -> dict[str, Any]:
    """Leaves stored documents as they are."""
    return document


@dataclass(frozen=True)
class Ledger:
    """The results of jobs, each in a folder of its own.

    Attributes:
        root: where these folders are.
        leaves: files that jobs write into their folders, as patterns of names; starting anew removes them in order.
        upgrade: turns a document {"facts", "result"} of an earlier version into today's: other layouts, and facts that
            it lacks, which mean what their absence meant then.
    """

    root: Path
    leaves: tuple[str, ...] = ()
    upgrade: Callable[[dict[str, Any]], dict[str, Any]] = as_they_are

    def folder(self, job: Job) -> Path:
        """Where the job's files are."""
        return self.root / job.name

    def find(self, job: Job) -> Stored | None:
        """The job's result, or None where there is none that suffices.

        Raises:
            GanwalkError: it was made with other facts, which are named, or its file is damaged.
        """
        path = self.folder(job) / _FILE
        try:
            document = self.upgrade(json.loads(read_text(path)))
            stored = Stored(dict(document["facts"]), document["result"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise GanwalkError(f"{path} is damaged: remove its folder, or start anew with --force") from error
        check_same(path, stored.facts, _plain(job.facts), RESUME_OR_START_ANEW)
        return stored if job.suffices(stored.result) else None

    def store(self, job: Job, result: Any) -> None:
        """Keeps the job's result."""
        self.folder(job).mkdir(parents=True, exist_ok=True)
        write_json(self.folder(job) / _FILE, {"facts": _plain(job.facts), "result": result})

    def adopt(self, job: Job, facts: Mapping[str, Any], result: Any, source: str) -> None:
        """Keeps a result that `source` names, unless there is one.

        Raises:
            GanwalkError: it was made with other facts, which are named.
        """
        if self.find(job) is None:
            document = self.upgrade({"facts": dict(facts), "result": result})
            check_same(source, _plain(document["facts"]), _plain(job.facts), "remove it to run it again")
            self.store(job, result)

    def open(self, job: Job, *, resume: bool) -> None:
        """Checks what is there of a job that is to be resumed, or removes it, unless another process is at it.

        Raises:
            GanwalkError: as `find`.
        """
        if resume:
            self.find(job)
        if self.folder(job).exists():
            with self.claim(job) as mine:
                for pattern in ((_ERROR,) if resume else (_ERROR, _FILE, *self.leaves)) if mine else ():
                    for path in sorted(self.folder(job).glob(pattern)):
                        path.unlink(missing_ok=True)

    def fail(self, job: Job, error: Exception) -> str:
        """Keeps why the job failed, for the other processes that would try it, and returns it in one line."""
        path = self.folder(job) / _ERROR
        mine = isinstance(error, GanwalkError)
        reason = one_line(str(error) if mine else f"{type(error).__name__}: {error} (its trace is in {path})")
        if path.parent.is_dir():
            # What failed may be the disk. The reason is told all the same.
            with contextlib.suppress(GanwalkError):
                write_text(path, "\n".join([reason, "", *traceback.format_exception(error)]))
        return reason

    def failure(self, job: Job) -> str | None:
        """Why the job failed since it was opened, or None."""
        try:
            return read_text(self.folder(job) / _ERROR).partition("\n")[0]
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            # It is there.
            return "it failed before"

    @contextlib.contextmanager
    def claim(self, job: Job) -> Iterator[bool]:
        """Takes the job's lock, which ends with the process; False if another one holds it."""
        self.folder(job).mkdir(parents=True, exist_ok=True)
        with try_locked(self.folder(job) / _FILE) as mine:
            yield mine


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as they come back from JSON."""
    return json.loads(json.dumps(facts))
