"""Benchmarks that are run as commands."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_benchmark_of_jobs_finds_equal_tables(tmp_path):
    options = ["--quick", "--seeds", "1", "--repeats", "1", "--results", str(tmp_path)]
    ran = subprocess.run([sys.executable, "benchmarks/jobs.py", *options], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "jobs.json").read_text())["seeds"]["1"]["equal"] is True


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone is told")
def test_the_benchmark_of_allocation_compares_processes(tmp_path):
    options = ["--quick", "--results", str(tmp_path)]
    ran = subprocess.run(
        [sys.executable, "benchmarks/allocation.py", *options], cwd=ROOT, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    (case,) = json.loads((tmp_path / "allocation.json").read_text())["cases"].values()
    assert case["as usual"]["seconds"] > 0 and case["kept / as usual"]["MiB"] < 2


@pytest.mark.slow
def test_the_benchmark_of_metrics_names_what_it_lacks(tmp_path):
    command = [sys.executable, "benchmarks/metrics.py", "--reference", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 1 and "is no checkout of disentanglement_lib" in ran.stderr


@pytest.mark.slow
def test_the_benchmark_of_codes_measures_time_and_memory(tmp_path):
    options = [
        "--rows",
        "500",
        "--codes",
        "6",
        "--quick",
        "--only",
        "without DCI",
        "--out",
        str(tmp_path / "codes.json"),
    ]
    ran = subprocess.run([sys.executable, "benchmarks/codes.py", *options], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((tmp_path / "codes.json").read_text())["without DCI"]
    assert found["cpu_seconds"] > 0 and found["peak_mb"] > 50
