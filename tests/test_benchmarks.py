"""The studies run from end to end, in their quick modes."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Placement

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
def test_the_study_of_directions_runs(tmp_path):
    command = [
        sys.executable,
        "benchmarks/directions.py",
        "--quick",
        "--work",
        str(tmp_path),
        "--threads",
        "1",
        "--jobs",
        "2",
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "| curved |" in ran.stdout and "| random start |" in ran.stdout and "| features of 16 px |" in ran.stdout
    out = tmp_path / "quick"
    assert {"blobs.json", "ablations.json", "study-blobs.png", "study-ablations.png"} <= {p.name for p in out.iterdir()}
    assert len(json.loads((out / "blobs.json").read_text())) == 10
    assert "| rtd |" in (out / "scenes" / "report.md").read_text()


@pytest.fixture
def load(monkeypatch):
    """Imports a benchmark by name."""

    def call(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return call


def test_results_without_facts_count_for_the_settings_of_their_time(load, tmp_path, monkeypatch):
    study = load("directions")
    monkeypatch.setattr(study, "run_discovery", None)
    scope, running = study.Scope(), study.Running(tmp_path / "work", Placement(), 1)
    for part, what, seeds in (("blobs", scope.variants, scope.seeds), ("ablations", scope.ablated, scope.seeds[:2])):
        path, before = tmp_path / f"{part}.json", (ROOT / f"benchmarks/results/directions/{part}.json").read_bytes()
        path.write_bytes(before)
        getattr(study, f"study_{part}")(tmp_path, what, seeds, scope.steps, running)
        assert path.read_bytes() == before
    others = study.Running(tmp_path / "others", Placement(), 1)
    with pytest.raises(
        GanwalkError, match=r"dead/rtd/11 in .* with another settings\.steps: remove it to run it again"
    ):
        study.study_blobs(tmp_path, ["dead"], [11], 100, others)


def test_trainings_that_are_kept_count_for_their_settings_only(load, tmp_path):
    study = load("topdis_study")
    chosen = [training for training in study.trainings(study.Scope()) if training.name.endswith("factor-plain-13")]
    assert len(chosen) == 2
    results = ROOT / "benchmarks" / "results" / "vae"
    study.train(chosen, tmp_path, results, "full", Placement())
    with pytest.raises(GanwalkError, match=r"factor-plain-13\.json was made with another metrics: remove it"):
        study.train(chosen, tmp_path / "others", results, "quick", Placement())


def test_the_benchmark_of_jobs_finds_equal_tables(tmp_path):
    options = ["--seeds", "1", "--repeats", "1", "--results", str(tmp_path)]
    ran = subprocess.run([sys.executable, "benchmarks/jobs.py", *options], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert json.loads((tmp_path / "jobs.json").read_text())["seeds"]["1"]["equal"] is True


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
