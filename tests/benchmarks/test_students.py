"""The study of students, in its quick mode."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_study_of_students_runs(tmp_path):
    command = [sys.executable, "benchmarks/students.py", "--quick", "--work", str(tmp_path), "--threads", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "| effort quick |" in ran.stdout and "| student |" in ran.stdout
    rows = json.loads((tmp_path / "quick" / "scenes.json").read_text())
    assert rows["defaults/scenes/11"]["images"] >= 256 and "before" in rows["defaults/scenes/11"]
    assert rows["direct, 50 steps of 32 images/scenes/11"]["latents"] > 100
