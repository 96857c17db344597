"""The benchmark of projections, in its quick mode."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_benchmark_of_projections_runs():
    command = [sys.executable, "benchmarks/projection.py", "--quick", "--threads", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "published, 4 steps in w" in ran.stdout and "after the walk" in ran.stdout
