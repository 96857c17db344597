"""The study of directions, in its quick mode and with the results that are kept."""

import json
from pathlib import Path

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Placement

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_study_of_directions_runs(main_of, tmp_path):
    printed = main_of("directions", "--quick", "--work", tmp_path, "--threads", "1").out
    assert "| curved |" in printed and "| random start |" in printed and "| features of 16 px |" in printed
    out = tmp_path / "quick"
    assert {"blobs.json", "ablations.json", "study-blobs.png", "study-ablations.png"} <= {p.name for p in out.iterdir()}
    assert len(json.loads((out / "blobs.json").read_text())) == 10
    assert "| rtd |" in (out / "scenes" / "report.md").read_text()


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
