"""The benchmark of the reach, in its quick mode."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_benchmark_of_the_reach_runs():
    command = [sys.executable, "benchmarks/reach.py", "--quick", "--threads", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "rank correlation" in ran.stdout and "background" in ran.stdout
