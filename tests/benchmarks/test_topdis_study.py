"""The study of TopDis, in its quick mode and with the results that are kept."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Placement
from vae.train import main as train

ROOT = Path(__file__).resolve().parents[2]


def train_here(command, **options):
    """`python -m vae.train`, without a process of its own, which would have everything to import."""
    assert command[1:3] == ["-m", "vae.train"]
    with pytest.raises(SystemExit) as ended:
        train(command[3:])
    return SimpleNamespace(returncode=ended.value.code or 0, stderr="")


@pytest.mark.slow
def test_the_study_of_topdis_runs_and_continues(main_of, tmp_path, monkeypatch):
    monkeypatch.setattr("subprocess.run", train_here)
    printed = main_of("topdis_study", "--quick", "--work", tmp_path).out
    assert "| beta, without | 1 |" in printed and "| beta, TopDis, constant shifts | 1 |" in printed
    results = tmp_path / "results"
    names = {path.name for path in results.iterdir()}
    assert {"report.md", "study-vae-scores.png", "study-vae-changes.png", "study-vae-curves.png"} <= names
    assert "study-vae-traversals.png" in names
    assert {
        f"sprites-beta-{kind}-11.{end}" for kind in ("plain", "exact", "constant", "late") for end in ("json", "csv")
    } <= names
    again = main_of("topdis_study", "--quick", "--work", tmp_path).out
    assert "MIG 0." in printed and "MIG 0." not in again and "| beta, without | 1 |" in again


def test_trainings_that_are_kept_count_for_their_settings_only(load, tmp_path):
    study = load("topdis_study")
    chosen = [training for training in study.trainings(study.Scope()) if training.name.endswith("factor-plain-13")]
    assert len(chosen) == 2
    results = ROOT / "benchmarks" / "results" / "vae"
    study.train(chosen, tmp_path, results, "full", Placement())
    with pytest.raises(GanwalkError, match=r"factor-plain-13\.json belongs to a run with another metrics: remove it"):
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
