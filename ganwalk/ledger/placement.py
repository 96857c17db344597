"""Where jobs run."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from ganwalk.errors import GanwalkError

if TYPE_CHECKING:
    from ganwalk.ledger.workers import Workers

CLUSTERS = ("slurm", "local")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Placement:
    """Where the jobs of a ledger run; by default here, one after the other.

    Attributes:
        processes: jobs at once; None is one, or on a cluster as many as there are.
        shard: (i, n), 1-based: of all jobs only each n-th, from the i-th on.
        cluster: "slurm", or "local" for processes that are started as a cluster's; None for none.
        partition, time_limit: of a cluster's jobs, the latter in minutes; None is a day.
        options: more of them, as submitit names them.
        workers: processes that have been started already (`ready`).
    """

    processes: int | None = None
    shard: tuple[int, int] | None = None
    cluster: str | None = None
    partition: str | None = None
    time_limit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    workers: Workers | None = None

    def __post_init__(self) -> None:
        if self.processes is not None and self.processes < 1:
            raise GanwalkError(f"--jobs must be at least 1, not {self.processes}")
        if self.shard is not None and not 1 <= self.shard[0] <= self.shard[1]:
            i, n = self.shard
            raise GanwalkError(f"--shard {i}/{n} does not exist: the first of {n} is 1/{n}, the last {n}/{n}")
        if self.cluster is None:
            if self.partition is not None or self.time_limit is not None or self.options:
                raise GanwalkError(
                    "--partition, --time-limit and --cluster-option are a cluster's: add --cluster slurm"
                )
        elif self.cluster not in CLUSTERS:
            raise GanwalkError(f"unknown cluster {self.cluster!r}: choose {' or '.join(CLUSTERS)}")
        elif self.shard is not None:
            raise GanwalkError("--cluster gives each job its own machine: leave out --shard")

    def share(self, jobs: Sequence[_T]) -> Sequence[_T]:
        """Those of all jobs that are this share's."""
        return jobs if self.shard is None else jobs[self.shard[0] - 1 :: self.shard[1]]

    @property
    def elsewhere(self) -> bool:
        """Whether other processes than this one run jobs."""
        return self.cluster is not None or self.here > 1

    @property
    def here(self) -> int:
        """Processes on this machine."""
        return 1 if self.cluster is not None else self.processes or 1

    def threads(self, given: int | None) -> int | None:
        """Threads of each process: the given number, or a share of the cores; None for what is the default there."""
        return given if given is not None or self.here == 1 else max(1, cores() // self.here)

    @contextlib.contextmanager
    def ready(self, modules: Sequence[str], threads: int | None = None) -> Iterator[Placement]:
        """Starts the processes that run jobs beside this one, so that they import while this one prepares.

        Args:
            modules: what they import first.
            threads: of each, where they are not to share the cores.
        """
        if self.here == 1 or self.workers is not None:
            yield self
            return
        from ganwalk.ledger.workers import Workers

        with contextlib.closing(Workers(self.here - 1, modules, self.threads(threads))) as workers:
            yield replace(self, workers=workers)


def parse_shard(text: str) -> tuple[int, int]:
    """The two numbers of "i/n"; GanwalkError if they are none."""
    found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text.strip())
    if found is None:
        raise GanwalkError(f"--shard {text!r} is not of the form i/n, such as 1/4")
    return int(found[1]), int(found[2])


def parse_options(texts: Sequence[str]) -> dict[str, Any]:
    """Options of a cluster from "key=value", whole numbers as such; GanwalkError if one has no value."""
    options: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key.isidentifier() or not equals:
            raise GanwalkError(f"--cluster-option {text!r} is not of the form KEY=VALUE, such as slurm_account=vision")
        options[key] = int(value) if re.fullmatch(r"-?\d{1,18}", value) else value
    return options


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
