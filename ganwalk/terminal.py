"""What every command line of the project shares: errors in one line, progress bars, the device, folders."""

from __future__ import annotations

import contextlib
import errno
import io
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ganwalk.errors import GanwalkError, one_line

# Characters of a message: room for a remedy and two long paths.
_LONGEST = 9000


def run_command(command: click.Command, name: str, arguments: list[str] | None = None) -> None:
    """Runs a command and exits; bad input ends in one line on stderr and exit code 2, never in a traceback.

    Args:
        command: a click command or group.
        name: what it is called in usage and messages, such as ganwalk.
        arguments: None takes those of the process, in whose terminal other packages' warnings then have no place;
            who asks for them (python -W, PYTHONWARNINGS) gets them.
    """
    _let_streams_write_anything()
    if arguments is None and not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        code = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        _fail(name, "interrupted", 130)
    except GanwalkError as error:
        _fail(name, str(error), 2)
    except MemoryError:
        _fail(name, "out of memory: use a smaller --batch or --chunk", 2)
    except RuntimeError as error:
        # torch reports a failed allocation on the CPU as a plain RuntimeError.
        if "alloc" not in str(error) and "out of memory" not in str(error):
            raise
        _fail(name, "out of memory: use a smaller --batch or --chunk", 2)
    except OSError as error:
        if error.errno == errno.EPIPE:
            sys.exit(1)
        place = f" ({error.filename})" if error.filename else ""
        _fail(name, f"{error.strerror or error}{place}: check the path and the free space", 2)


def _let_streams_write_anything() -> None:
    """What the terminal's encoding lacks, such as σ or a name that someone typed, is shown as a question mark."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _fail(name: str, message: str, code: int) -> None:
    # Messages may quote names from files.
    click.echo(one_line(f"{name}: {message}", _LONGEST), err=True)
    sys.exit(code)


@contextlib.contextmanager
def progress_bar(total: int, label: str, hidden: bool) -> Iterator[Callable[[int, str], None]]:
    """A progress bar on stderr: call it with what is done so far and a note to show."""
    if hidden:
        yield lambda done, note: None
        return
    note_shown = ""
    shown: Any = click.progressbar(
        length=total, label=label, file=sys.stderr, show_pos=True, item_show_func=lambda _: note_shown
    )
    with shown as bar:

        def advance(done: int, note: str) -> None:
            nonlocal note_shown
            note_shown = note
            bar.update(done - bar.pos, note)

        yield advance


@contextlib.contextmanager
def late_bar(label: str, hidden: bool) -> Iterator[Callable[[int, str], None]]:
    """A progress bar of 100 that appears when it is called first, for what often is not needed."""
    with contextlib.ExitStack() as stack:
        advance: Callable[[int, str], None] | None = None

        def on_progress(done: int, note: str) -> None:
            nonlocal advance
            if advance is None:
                advance = stack.enter_context(progress_bar(100, label, hidden))
            advance(done, note)

        yield on_progress


@contextlib.contextmanager
def download_watch(quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A callback for downloads: a progress bar that appears with the first bytes."""
    with late_bar("downloading", quiet or not sys.stderr.isatty()) as advance:

        def on_bytes(done: int, total: int | None) -> None:
            whole = f" of {total / 2**20:.0f}" if total else ""
            advance(100 * done // total if total else 0, f"{done / 2**20:.0f}{whole} MiB")

        yield on_bytes


def set_up_torch(device: str, threads: int | None) -> None:
    """Checks the device, and bounds the threads of all numerical libraries while the command runs."""
    import torch

    from ganwalk.threads import threads_limited

    click.get_current_context().with_resource(threads_limited(threads))
    try:
        # Reading a value back refuses devices that hold none, such as meta.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise GanwalkError(f"device {device!r} is not available here: use --device cpu") from error


def quoted(path: Path | str) -> str:
    """A path as a shell takes it, for the command to run next."""
    return shlex.quote(str(path))


def make_folder(path: Path) -> None:
    """Makes a folder for results; GanwalkError if a file is in its place."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise GanwalkError(f"{path} is a file: choose a folder with --out") from None
