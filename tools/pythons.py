"""Runs the tests on every Python of this machine that ganwalk supports, with the newest dependencies.

    make test-pythons                              # or: python -m tools.pythons
    make test-pythons PYTHONS="3.12 3.13" TIER=fast ARGS=tests/rtd
    make test-lowest ARGS=tests/rtd                # on the oldest Python, with the lowest dependencies

Each Python has an environment of its own, .venvs/pythonX.Y or .venvs/pythonX.Y-lowest, which is made once and updated
when pyproject.toml has changed; constraints.txt does not count there. Remove the folder to have dependencies that came
out since.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.bounds import lowest_pins
from tools.suite import ROOT, SUPPORTED, TIERS, UNTESTED, Minor, dotted, run_suite

# A Python that cannot make environments is of no use here.
_PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:3], sys.executable)"
_STAMP = ".installed"
_NOT_MADE = "its environment could not be made"


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs: its version, such as (3, 13, 1), and its executable."""

    version: tuple[int, int, int]
    path: Path

    @property
    def minor(self) -> Minor:
        return self.version[:2]

    def __str__(self) -> str:
        return ".".join(str(part) for part in self.version)


@dataclass(frozen=True)
class Outcome:
    """What a run of the tests on one Python came to.

    Attributes:
        python: version.
        torch: version of torch, or "-".
        passed, failed, skipped: tests; those that ended in an error count as failed.
        seconds: of the tests, without the installation.
        trouble: why it counts as failed; empty if it does not.
    """

    python: str
    torch: str = "-"
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    trouble: str = ""


def find_pythons(folders: Sequence[Path]) -> dict[Minor, Interpreter]:
    """The supported Pythons among pythonX.Y of these folders, oldest first; of each the newest patch, first found.

    Only those that run and are what their name says: pyenv puts a pythonX.Y on the path that may run nothing.
    """
    found: dict[Minor, Interpreter] = {}
    for minor in SUPPORTED:
        for folder in folders:
            interpreter = probe(folder / f"python{dotted(minor)}")
            if interpreter is None or interpreter.minor != minor:
                continue
            if minor not in found or interpreter.version > found[minor].version:
                found[minor] = interpreter
    return found


def probe(path: Path) -> Interpreter | None:
    """What an executable says of itself, or None if it is no Python that runs."""
    if not os.access(path, os.X_OK):
        return None
    try:
        ran = subprocess.run([path, "-c", _PROBE], capture_output=True, text=True, timeout=60)
        major, minor, patch, executable = ran.stdout.strip().split(" ", 3)
        version = (int(major), int(minor), int(patch))
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return Interpreter(version, Path(executable)) if ran.returncode == 0 else None


def places() -> Iterator[Path]:
    """Folders in which Pythons may lie: those of the path, and pyenv's versions."""
    yield from (Path(folder) for folder in os.get_exec_path())
    if pyenv := shutil.which("pyenv"):
        ran = subprocess.run([pyenv, "root"], capture_output=True, text=True)
        if root := ran.stdout.strip():
            yield from sorted(Path(root).glob("versions/*/bin"))


def choose(
    found: Mapping[Minor, Interpreter], wanted: Sequence[Minor], newer_than: Minor | None = None
) -> list[Interpreter]:
    """The Pythons to run: those wanted, or all.

    Args:
        found: by their minor versions.
        wanted: minor versions; none stands for all.
        newer_than: if given, only the newest of them, if it is newer than this.
    Raises:
        LookupError: one that is wanted was not found.
    """
    if missing := [dotted(minor) for minor in wanted if minor not in found]:
        has = ", ".join(map(dotted, found)) or "none"
        raise LookupError(f"Python {', '.join(missing)} was not found on the path or in pyenv; found: {has}")
    chosen = [found[minor] for minor in sorted(set(wanted or found))]
    if newer_than is None:
        return chosen
    return [interpreter for interpreter in chosen if interpreter.minor > newer_than][-1:]


def python_of(environment: Path) -> Path:
    """The Python in an environment."""
    return environment / "bin" / "python"


def install(interpreter: Interpreter, environment: Path, lowest: bool = False) -> None:
    """Makes the environment, unless it is there for this Python and this pyproject.toml.

    Args:
        lowest: with the lowest dependencies that pyproject.toml allows, as wheels, instead of the newest.
    Raises:
        subprocess.CalledProcessError: it cannot be made, or the dependencies cannot be installed.
    """
    wanted = f"{interpreter} {hashlib.sha256((ROOT / 'pyproject.toml').read_bytes()).hexdigest()}\n"
    stamp = environment / _STAMP
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    which = "lowest" if lowest else "newest"
    print(f"installing ganwalk and the {which} of what it needs into {environment} (once)", flush=True)
    there = probe(python_of(environment))
    if there is None or there.version != interpreter.version:
        subprocess.run([interpreter.path, "-m", "venv", "--clear", environment], check=True)
    pip = [str(python_of(environment)), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    if lowest:
        # Needs what only an environment of the project has.
        pins = environment / "lowest.txt"
        pins.write_text(lowest_pins(interpreter.minor))
        chosen = ["--only-binary", ":all:", "-c", str(pins)]
    else:
        chosen = ["--upgrade", "--upgrade-strategy", "eager"]
    subprocess.run([*pip, *chosen, "-e", ".[dev]"], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def run_on(interpreter: Interpreter, environment: Path, tier: str, arguments: Sequence[str]) -> Outcome:
    """Runs the tests in an environment that is there."""
    python = python_of(environment)
    ask = "from importlib.metadata import version; print(version('torch'))"
    asked = subprocess.run([python, "-c", ask], capture_output=True, text=True)
    torch = asked.stdout.strip() or "-"
    print(f"\nPython {interpreter}, torch {torch} ({environment})", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        start = time.monotonic()
        code = run_suite(python, tier, (f"--junitxml={report}", *arguments))
        seconds = time.monotonic() - start
        counts = read_counts(report) if report.is_file() else (0, 0, 0)
    return Outcome(str(interpreter), torch, *counts, seconds, f"pytest exited with {code}" if code else "")


def read_counts(report: Path) -> tuple[int, int, int]:
    """Passed, failed and skipped tests of pytest's JUnit report."""
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))
    total, failures, errors, skipped = (
        sum(int(suite.get(name, 0)) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    )
    return total - failures - errors - skipped, failures + errors, skipped


def table(outcomes: Sequence[Outcome]) -> str:
    """One line for each Python."""
    lines = [f"{'Python':<9}{'torch':<18}{'passed':>7}{'failed':>8}{'skipped':>9}{'time':>10}"]
    for one in outcomes:
        minutes, seconds = divmod(round(one.seconds), 60)
        counts = f"{one.passed:>7}{one.failed:>8}{one.skipped:>9}{f'{minutes}:{seconds:02d} min':>10}"
        lines.append(f"{one.python:<9}{one.torch:<18}{counts}  {one.trouble}".rstrip())
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns its exit code."""
    options = _parser().parse_args(arguments)
    newer_than = None
    try:
        if options.newer_than is not None:
            newer_than = _minor_of(options.newer_than)
        chosen = choose(find_pythons(list(places())), options.pythons, newer_than)
    except LookupError as error:
        print(error.args[0])
        return 2
    if not chosen:
        newer = "" if newer_than is None else f" newer than {dotted(newer_than)}"
        print(f"no Python from {dotted(SUPPORTED[0])} to {dotted(SUPPORTED[-1])}{newer} was found: nothing to test")
        return 0
    if options.lowest and not options.pythons:
        chosen = chosen[:1]
    outcomes = []
    for interpreter in chosen:
        name = f"python{dotted(interpreter.minor)}{'-lowest' * options.lowest}"
        environment = options.environments.absolute() / name
        try:
            if options.install:
                install(interpreter, environment, options.lowest)
        except subprocess.CalledProcessError:
            outcomes.append(Outcome(str(interpreter), trouble=_NOT_MADE))
            continue
        if probe(python_of(environment)) is None:
            outcomes.append(Outcome(str(interpreter), trouble=f"there is no environment {environment}"))
            continue
        outcomes.append(run_on(interpreter, environment, options.tier, options.arguments))
    print(f"\n{table(outcomes)}")
    troubles = {outcome.trouble for outcome in outcomes} - {""}
    return UNTESTED if troubles == {_NOT_MADE} else int(bool(troubles))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.pythons",
        description="Run the tests on every supported Python of this machine, with the newest dependencies.",
        epilog="Arguments after -- are pytest's: python -m tools.pythons --python 3.13 -- tests/rtd -x",
    )
    parser.add_argument(
        "--python",
        dest="pythons",
        type=_minor,
        action="append",
        default=[],
        metavar="X.Y",
        help="only this; repeatable",
    )
    parser.add_argument("--newer-than", type=Path, metavar="ENV", help="only the newest, if it is newer than ENV's")
    parser.add_argument(
        "--lowest",
        action="store_true",
        help="with the lowest dependencies instead, which uv finds; on the oldest Python, unless --python names others",
    )
    parser.add_argument("--tier", choices=TIERS, default="all", help="of the tests [default: all]")
    parser.add_argument(
        "--environments", type=Path, default=ROOT / ".venvs", metavar="FOLDER", help="where they are [default: .venvs]"
    )
    parser.add_argument(
        "--no-install", dest="install", action="store_false", help="take the environments as they are there"
    )
    parser.add_argument("arguments", nargs="*", metavar="…", help="for pytest")
    return parser


def _minor_of(environment: Path) -> Minor:
    interpreter = probe(python_of(environment))
    if interpreter is None:
        raise LookupError(f"{environment} is no environment with a Python that runs: make setup")
    return interpreter.minor


def _minor(text: str) -> Minor:
    for minor in SUPPORTED:
        if text == dotted(minor):
            return minor
    raise argparse.ArgumentTypeError(f"{text} is not one of {', '.join(map(dotted, SUPPORTED))}")


if __name__ == "__main__":
    sys.exit(main())
