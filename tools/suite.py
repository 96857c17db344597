"""How the tests are run: two processes, one thread each, in tiers; on which versions of Python."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TIERS = {"all": (), "fast": ("-m", "not slow")}
# What pytest exits with when it selected no test.
NO_TESTS = 5
# What tools exit with when nothing failed, but some environment could not be made, as without a connection.
UNTESTED = 3

Minor = tuple[int, int]
SUPPORTED: tuple[Minor, ...] = tuple((3, minor) for minor in range(10, 15))


def run_suite(python: Path, tier: str, arguments: Sequence[str] = ()) -> int:
    """Runs the tests of a tier in an environment, with further arguments of pytest; returns pytest's exit code."""
    command = [str(python), "-m", "pytest", "-n", "2", "--dist", "loadfile", *TIERS[tier], *arguments]
    # Two processes with a thread for each core would wait for each other.
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode


def dotted(minor: Minor) -> str:
    """Such as 3.13."""
    return f"{minor[0]}.{minor[1]}"
