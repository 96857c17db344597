"""What every command line of the project shares: errors in one line, downloads, the device."""

from __future__ import annotations

import contextlib
import errno
import io
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

import click
from click.core import ParameterSource

from ganwalk.errors import GanwalkError, one_line
from ganwalk.options.command_line import as_typed
from ganwalk.progress.bars import late_bar

# What commands import, by the names under which they are installed.
_PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "numba": "numba",
    "scipy": "scipy",
    "sklearn": "scikit-learn",
    "PIL": "pillow",
    "matplotlib": "matplotlib",
    "safetensors": "safetensors",
    "imageio": "imageio",
    "requests": "requests",
    "tqdm": "tqdm",
    "platformdirs": "platformdirs",
    "threadpoolctl": "threadpoolctl",
}
# Steers a terminal, or turns the direction of what it shows. Bars begin with a carriage return, or move up and write no
# more than that; lines of little weight are dim.
_STEERING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|(?<!^)\r|\x1b(?!\\[[02]m)"
)
_UP = re.compile("(\x1b\\[A)+")
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
    with _plain_streams():
        _run(command, name, arguments)


def _run(command: click.Command, name: str, arguments: list[str] | None) -> None:
    if arguments is None and not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        code = command.main(arguments, prog_name=name, standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.UsageError as error:
        # A group without a command: click before 8.2 shows its help by itself.
        if error.ctx and isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            click.echo(error.ctx.get_help(), err=True)
            sys.exit(2)
        where, typed = (error.ctx.command_path, error.ctx.command) if error.ctx else _typed(command, name, arguments)
        _fail(where, f"{_usage(error, typed)}; see {where} --help", 2)
    except click.ClickException as error:
        _fail(name, error.format_message(), 2)
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
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _PACKAGES:
            raise
        _fail(name, f"{missing} is not installed: pip install {_PACKAGES[missing]}", 2)
    except OSError as error:
        if error.errno == errno.EPIPE:
            sys.exit(1)
        if error.errno == errno.ENOENT and error.filename:
            _fail(name, f"{error.filename} does not exist: check the path", 2)
        place = f" ({error.filename})" if error.filename else ""
        _fail(name, f"{error.strerror or error}{place}: check the path and the free space", 2)


def _typed(command: click.Command, name: str, arguments: list[str] | None) -> tuple[str, click.Command]:
    """The command of a group that was typed, with how it is called: click names none of what it cannot parse."""
    for word in sys.argv[1:] if arguments is None else arguments:
        if not isinstance(command, click.Group) or word not in command.commands:
            break
        name, command = f"{name} {word}", command.commands[word]
    return name, command


def _usage(error: click.UsageError, command: click.Command) -> str:
    """What is wrong with what was typed, and the options that may have been meant, or what an option takes."""
    if isinstance(error, click.BadOptionUsage):
        options = [one for one in command.params if isinstance(one, click.Option) and error.option_name in one.opts]
        if options and not options[0].is_flag:
            return f"{error.option_name} needs a value: {_wanted(options[0])}"
    if not isinstance(error, click.NoSuchOption):
        return error.format_message().rstrip(".")
    flags = [flag for one in error.ctx.command.params for flag in one.opts] if error.ctx else []
    meant = [flag for flag in flags if flag.startswith(error.option_name)] + sorted(error.possibilities or ())
    known = ", ".join(dict.fromkeys(meant[:3]))
    return f"no such option {error.option_name}" + f": did you mean {known}?" * bool(known)


class _Plain:
    """A terminal's stream without what steers the terminal: names of files and of what is in them are shown.

    Args:
        stream: written to.
    """

    def __init__(self, stream: TextIO):
        self._stream = stream

    def write(self, text: str | bytes) -> int:
        """Writes a text, with question marks in it; click gives the words that a shell may complete as bytes."""
        if isinstance(text, bytes):
            if not text:
                raise TypeError("a stream of text")  # by an empty one click asks what this is
            text = text.decode(errors="replace")
        return self._stream.write(text if _UP.fullmatch(text) else _STEERING.sub("?", text))

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":
            # By which click would write past this.
            raise AttributeError(name)
        return getattr(self._stream, name)


@contextlib.contextmanager
def _plain_streams() -> Iterator[None]:
    """What terminals would obey, and what their encoding lacks, such as σ, is shown as a question mark."""
    kept = sys.stdout, sys.stderr
    for stream in kept:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # Without a terminal there may be none.
    sys.stdout, sys.stderr = (cast(TextIO, stream and _Plain(stream)) for stream in kept)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = kept


def _wanted(option: click.Option) -> str:
    """What an option takes, as its help says."""
    if isinstance(option.type, click.Choice):
        return " or ".join(map(str, option.type.choices))
    help = (option.help or option.type.name).partition(" [default")[0].rstrip(".")
    return help if help[:2].isupper() else help[:1].lower() + help[1:]


def _fail(name: str, message: str, code: int) -> None:
    # Messages may quote names from files.
    click.echo(one_line(f"{name}: {message}", _LONGEST), err=True)
    sys.exit(code)


@contextlib.contextmanager
def download_watch(quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """A callback for downloads: a progress bar that appears with the first bytes."""
    with late_bar("downloading", quiet) as advance:

        def on_bytes(done: int, total: int | None) -> None:
            whole = f" of {total / 2**20:.0f}" if total else ""
            advance(100 * done // total if total else 0, f"{done / 2**20:.0f}{whole} MiB")

        yield on_bytes


def set_up_torch(device: str, threads: int | None) -> None:
    """Checks the device, bounds the threads of all numerical libraries while the command runs, keeps freed memory."""
    import torch

    from ganwalk.compute.allocation import keep_freed_memory
    from ganwalk.compute.threads import threads_limited

    keep_freed_memory()
    click.get_current_context().with_resource(threads_limited(threads))
    try:
        # Reading a value back refuses devices that hold none, such as meta.
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, ValueError, NotImplementedError) as error:
        raise GanwalkError(f"device {device!r} is not available here: use --device cpu") from error


def quoted(path: Path | str) -> str:
    """A path as a shell takes it, for the command to run next."""
    return shlex.quote(str(path))


def retyped(*names: str) -> str:
    """Those of the named parameters of the command that runs which were typed, as they would be typed again."""
    context = click.get_current_context()
    words: list[str] = []
    for parameter in context.command.params:
        name = str(parameter.name)
        if name not in names or context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        value = context.params[name]
        if isinstance(parameter, click.Argument):
            words += map(str, value if parameter.nargs != 1 else [value])
        elif isinstance(value, bool):
            words.append(max(parameter.opts if value else parameter.secondary_opts, key=len))
        else:
            for one in value if parameter.multiple else [value]:
                words += [max(parameter.opts, key=len), as_typed(parameter.type, one)]
    return "".join(f" {quoted(word)}" for word in words)


@contextlib.contextmanager
def told_how_to_continue(unfinished: Sequence[Path], how: str | None = None) -> Iterator[None]:
    """Ctrl-C says how to go on if one of these is left, by which --resume continues.

    Args:
        how: by default the same command, without what starts anew.
    """
    try:
        yield
    except KeyboardInterrupt:
        if any(path.exists() for path in unfinished):
            given = click.get_current_context().params
            anew = given.get("force") or given.get("overwrite")
            same = f"the same command with --resume{' in place of --force' if anew else ''}"
            click.echo(f"to continue: {how or same}", err=True)
        raise
