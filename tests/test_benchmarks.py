"""The studies run from end to end, in their quick modes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_study_of_directions_runs(tmp_path):
    command = [sys.executable, "benchmarks/directions.py", "--quick", "--work", str(tmp_path), "--threads", "1"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "| curved |" in ran.stdout and "| random start |" in ran.stdout and "| features of 16 px |" in ran.stdout
    out = tmp_path / "quick"
    assert {"blobs.json", "ablations.json", "study-blobs.png", "study-ablations.png"} <= {p.name for p in out.iterdir()}
    assert len(json.loads((out / "blobs.json").read_text())) == 10
    assert "| rtd |" in (out / "scenes" / "report.md").read_text()


@pytest.mark.slow
def test_the_benchmark_of_metrics_names_what_it_lacks(tmp_path):
    command = [sys.executable, "benchmarks/metrics.py", "--reference", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 1 and "is no checkout of disentanglement_lib" in ran.stderr


@pytest.mark.slow
def test_the_study_of_topdis_runs_and_continues(tmp_path):
    command = [sys.executable, "benchmarks/topdis_study.py", "--quick", "--work", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "| beta, without | 1 |" in ran.stdout and "| beta, TopDis, constant shifts | 1 |" in ran.stdout
    results = tmp_path / "results"
    names = {path.name for path in results.iterdir()}
    assert {"report.md", "study-vae-scores.png", "study-vae-curves.png", "study-vae-traversals.png"} <= names
    assert {
        f"sprites-beta-{kind}-11.{end}" for kind in ("plain", "exact", "constant", "late") for end in ("json", "csv")
    } <= names
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "MIG 0." not in again.stdout and "| beta, without | 1 |" in again.stdout
