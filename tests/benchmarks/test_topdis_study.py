"""The study of TopDis, in its quick mode and with the results that are kept."""

import subprocess
import sys
from pathlib import Path

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Placement

ROOT = Path(__file__).resolve().parents[2]


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


def test_trainings_that_are_kept_count_for_their_settings_only(load, tmp_path):
    study = load("topdis_study")
    chosen = [training for training in study.trainings(study.Scope()) if training.name.endswith("factor-plain-13")]
    assert len(chosen) == 2
    results = ROOT / "benchmarks" / "results" / "vae"
    study.train(chosen, tmp_path, results, "full", Placement())
    with pytest.raises(GanwalkError, match=r"factor-plain-13\.json was made with another metrics: remove it"):
        study.train(chosen, tmp_path / "others", results, "quick", Placement())


def test_parts_have_what_they_are_compared_with(load):
    study = load("topdis_study")
    for part in study.PARTS:
        found = {training.name: training.settings for training in study.trainings(study.Scope(), part)}
        assert len({str(study.to_json(settings)) for settings in found.values()}) == len(found)
        for name, settings in found.items():
            start, kind, seed = name.rsplit("-", 2)
            partner = found[f"{start}-{study.KINDS[kind].against}-{seed}"]
            assert partner.topdis is None
            assert study.replace(settings, topdis=None) == partner
    whole = [training.name for part in (None, *study.PARTS) for training in study.trainings(study.Scope(), part)]
    assert {name.rsplit("-", 2)[1] for name in whole} == set(study.KINDS)
