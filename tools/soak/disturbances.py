"""What is done to a run: kills, a disk that is full, a clock that jumps, a second process in its folder."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tools.soak.commands import OUT, Command
from tools.soak.processes import Process, start

_HOUR = 3600.0
# Of the ends of a run that its options do not reach: tried so often at most.
_MOST_STARTS = 200
_BLOCK = 4096


class Broken(Exception):
    """A run that can be continued by no command, or ended in something else than results or one line."""


@dataclass
class Tally:
    """What was done in one run.

    Attributes:
        kills: processes that were killed.
        starts: processes in all.
        refusals: last lines of those that ended with a message.
    """

    kills: int = 0
    starts: int = 0
    refusals: list[str] = field(default_factory=list)


@dataclass
class Trial:
    """One run of a command in a folder of its own, which may be disturbed.

    Attributes:
        command: with its options.
        place: the folder that it runs in; its results are in `out` there.
        seconds: that an undisturbed run takes.
        size: bytes of its results.
        dice: what chance there is.
    """

    command: Command
    place: Path
    seconds: float
    size: int
    dice: random.Random
    tally: Tally = field(default_factory=Tally)
    _groups: list[Process] = field(default_factory=list)

    @property
    def out(self) -> Path:
        """Where its results are."""
        return self.place / OUT

    def start(self, *, resume: bool, spoil: Callable[[], None] | None = None) -> Process:
        """A process that begins the run, or continues it."""
        self.tally.starts += 1
        arguments = self.command.resume if resume else self.command.begin
        log = self.place / f"log-{self.tally.starts}.txt"
        process = start(self.command, arguments, self.place, log, spoil)
        self._groups.append(process)
        return process

    def ended(self, process: Process, seconds: float | None = None) -> bool | None:
        """Whether a process has ended with results (True) or in one line (False); None: it runs on after `seconds`.

        Raises:
            Broken: it ended otherwise.
        """
        code = process.wait(seconds)
        if code is None:
            return None
        said = process.said
        lines = said.splitlines()
        if "Traceback" in said or code not in (0, 2) or (code == 2 and not lines):
            raise Broken(f"exit code {code}: {said[-1500:]}")
        if code == 2:
            self.tally.refusals.append(lines[-1])
        return code == 0

    def finish(self, next_kill: Callable[[], float | None], spoil: Callable[[], None] | None = None) -> None:
        """Runs it to its end: continued where that is possible, and begun where there is nothing to continue.

        Args:
            next_kill: seconds after which the next process is killed, or None.
        Raises:
            Broken: neither is possible, or it never ends.
        """
        resume, refused = True, 0
        while self.tally.starts < _MOST_STARTS:
            process = self.start(resume=resume, spoil=spoil)
            ended = self.ended(process, next_kill())
            if ended:
                return
            if ended is None:
                process.kill(whole=self.dice.random() < 0.5)
                self.tally.kills += 1
                _date_anew(self.out, self.dice)
                resume, refused = True, 0
            else:
                refused += 1
                if refused == 2:
                    raise Broken(f"nothing continues it: {' / '.join(self.tally.refusals[-2:])}")
                resume = not resume
        raise Broken(f"no end after {_MOST_STARTS} processes")

    def close(self) -> None:
        """Ends what processes that were killed have left running."""
        for process in self._groups:
            process.kill(whole=True)


def kills(trial: Trial, at_most: int) -> None:
    """Kills at random times, until the run is done."""

    def next_kill() -> float | None:
        return trial.dice.uniform(0, trial.seconds) if trial.tally.kills < at_most else None

    trial.finish(next_kill)


def full_disk(trial: Trial, at_most: int) -> None:
    """A disk without room for the results; then one that has it.

    A file system of a random size in memory, or where none can be mounted, files of a random size at most.
    """
    room = trial.dice.randrange(2 * _BLOCK, max(3 * _BLOCK, trial.size), _BLOCK)
    trial.out.mkdir()
    with _small_disk(trial.out, room) as grow:
        spoil = None if grow else lambda: _limit_files(room // 4)
        ended = trial.ended(trial.start(resume=False, spoil=spoil))
        if not ended and not re.search("No space left|File too large", trial.tally.refusals[-1]):
            raise Broken(f"a full disk is not named: {trial.tally.refusals[-1]}")
        if grow:
            grow()
        trial.finish(lambda: None)
        if grow:
            # The disk goes with its files.
            kept = trial.place / "kept"
            shutil.copytree(trial.out, kept)
    if grow:
        trial.out.rmdir()
        kept.rename(trial.out)


def jumping_clock(trial: Trial, at_most: int) -> None:
    """A clock that jumps by hours, forward and back, while the run is killed now and then."""
    seed = trial.dice.random()

    def spoil() -> None:
        real, dice = time.time, random.Random(seed)
        time.time = lambda: real() + dice.uniform(-8, 8) * _HOUR

    def next_kill() -> float | None:
        return trial.dice.uniform(0, trial.seconds) if trial.tally.kills < at_most else None

    trial.finish(next_kill, spoil)


def second_process(trial: Trial, at_most: int) -> None:
    """The same command a second time in the same folder, at a random time, and the first is killed at times."""
    first = trial.start(resume=False)
    ended = trial.ended(first, trial.dice.uniform(0, trial.seconds))
    second = trial.start(resume=True)
    if ended is None and trial.dice.random() < 0.5 and trial.ended(first, trial.dice.uniform(0, trial.seconds)) is None:
        first.kill(whole=False)
        trial.tally.kills += 1
    for process in (first, second):
        if process.code is None:
            trial.ended(process)
    trial.finish(lambda: None)


DISTURBANCES: dict[str, Callable[[Trial, int], None]] = {
    "kills": kills,
    "full disk": full_disk,
    "jumping clock": jumping_clock,
    "second process": second_process,
}


def _date_anew(folder: Path, dice: random.Random) -> None:
    """Files whose times are hours off, in the past and in the future: a run must not go by them."""
    now = time.time()
    for path in folder.rglob("*"):
        moment = now + dice.uniform(-8, 8) * _HOUR
        with contextlib.suppress(OSError):
            os.utime(path, (moment, moment))


@contextlib.contextmanager
def _small_disk(folder: Path, room: int) -> Iterator[Callable[[], bool] | None]:
    """Mounts a file system with so many bytes at a folder; gives what makes it large, or None if none can be had."""

    def mount(*options: str) -> bool:
        try:
            done = subprocess.run(["mount", *options, str(folder)], capture_output=True, check=False)
        except OSError:
            return False
        return done.returncode == 0

    if not mount("-t", "tmpfs", "-o", f"size={room}", "tmpfs"):
        yield None
        return
    try:
        yield lambda: mount("-o", "remount,size=1g")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


def _limit_files(largest: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
