"""Processes that run commands, and can be killed.

Each is a fork of this one, which has imported everything: the imports are most of what a small command takes, and a
kill among them tells nothing. Nothing has been computed before the fork, so that no library has threads.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.soak.commands import Command, save_often

_POLL_SECONDS = 0.01
# Of a command that takes seconds, on a machine that may be busy: what takes longer hangs.
_PATIENCE = 1800.0
_IMPORTED = (
    "ganwalk.evaluation.comparison",
    "ganwalk.evaluation.comparison_outputs",
    "ganwalk.generators.loading",
    "ganwalk.projection.outputs",
    "ganwalk.rendering.discovery",
    "matplotlib.figure",
    "vae.runs.run",
)


class Hangs(Exception):
    """A process that did not end."""


@dataclass
class Process:
    """A command that runs, at the head of a process group of its own.

    Attributes:
        number: its process id.
        log: what it prints.
    """

    number: int
    log: Path
    code: int | None = None

    def wait(self, seconds: float | None = None) -> int | None:
        """The exit code, minus the signal where one ended it; None if it still runs after so many seconds.

        Raises:
            Hangs: no seconds were given, and it runs for half an hour.
        """
        end = time.monotonic() + (_PATIENCE if seconds is None else seconds)
        while self.code is None:
            number, status = os.waitpid(self.number, os.WNOHANG)
            if number:
                self.code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > end:
                if seconds is None:
                    self.kill(whole=True)
                    raise Hangs(f"it ran for {_PATIENCE:g} s")
                return None
            else:
                time.sleep(_POLL_SECONDS)
        return self.code

    def kill(self, *, whole: bool) -> None:
        """Kills it with SIGKILL; `whole` with the processes that it has started, as when the machine loses power."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole else os.kill)(self.number, signal.SIGKILL)
        if self.code is None:
            self.wait()

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip()


def import_everything() -> None:
    """Imports what the commands will, and sets it to one thread."""
    import importlib

    import torch

    torch.set_num_threads(1)
    for name in _IMPORTED:
        importlib.import_module(name)


def start(
    command: Command, arguments: Sequence[str], folder: Path, log: Path, spoil: Callable[[], None] | None = None
) -> Process:
    """Runs a command in a folder.

    Args:
        log: a file for what it prints.
        spoil: called in its process first.
    """
    sys.stdout.flush()
    number = os.fork()
    if number:
        # Here too, since either of the two may be the first.
        with contextlib.suppress(OSError):
            os.setpgid(number, number)
        return Process(number, log)
    code = 1
    try:
        os.setpgid(0, 0)
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.dup2(target, 2)
        # Whatever stood for the streams before, such as a test's.
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.chdir(folder)
        sys.argv = ["soak", *arguments]
        save_often()
        if spoil is not None:
            spoil()
        command.main()(list(arguments))
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
