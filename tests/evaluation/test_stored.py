"""Stored scores: they are read back if they are about these directions, and damage is one line."""

import json
import shutil
from dataclasses import replace

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.evaluation.outputs import write_outputs
from ganwalk.evaluation.run import evaluate
from ganwalk.evaluation.stored import evaluation_beside, load_evaluation
from ganwalk.generators.loading import load_generator
from tests.evaluation.known import axes_of


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Directions, the folder of their scores, and what these are."""
    folder = tmp_path_factory.mktemp("evaluated")
    generator = load_generator("blobs")
    directions = axes_of(generator).select([0, 1])
    evaluation = evaluate(generator, directions, samples=8, reconstructor=False)
    write_outputs(evaluation, folder)
    return directions, folder, evaluation


@pytest.fixture
def written(evaluated, tmp_path):
    """Directions, a file of their scores for one test, and what it holds."""
    directions, folder, evaluation = evaluated
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return directions, evaluation_beside(tmp_path / "directions.safetensors"), evaluation.to_json()


def test_scores_come_back_for_the_directions_that_they_are_about(written, tmp_path):
    directions, path, facts = written
    assert load_evaluation(path, directions) == json.loads(json.dumps(facts))
    assert len(facts["barcodes"]) == 2 and all(len(bars["births"]) > 0 for bars in facts["barcodes"])
    assert all(b <= d for bars in facts["barcodes"] for b, d in zip(bars["births"], bars["deaths"], strict=True))
    assert load_evaluation(path, directions.select([1, 0])) is None
    assert load_evaluation(path, replace(directions, scales=2 * directions.scales)) is None
    assert load_evaluation(tmp_path / "none.json", directions) is None


def test_files_that_name_no_factor_are_told_the_strongest(written):
    directions, path, facts = written
    older = [{**row, "factor": None} for row in facts["directions"]]
    for row in older:
        del row["effect"], row["purity"]
    path.write_text(json.dumps({**facts, "directions": older}))
    assert load_evaluation(path, directions)["directions"] == json.loads(json.dumps(facts["directions"]))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"directions": []},
        {"directions": [1, 2]},
        {"directions": [{"rtd": []}, {}]},
        {"summary": None},
        {"summary": {"rtd": float("inf")}},
        {"summary": {"rtd": 10**400}},
        {"settings": []},
        {"barcodes": [{"births": [1], "deaths": []}] * 2},
        {"barcodes": [{"births": ["<b>"], "deaths": [1]}] * 2},
        {"barcodes": None},
        {"effects": 3},
        {"effects": {"names": ["a"], "matrix": [[1, 2], [1, 2]]}},
        {"effects": {"names": [1], "matrix": [[1], [2]]}},
        {"axes": {"names": ["a"], "cosines": [[float("nan")], [1]]}},
        {"axes": {"names": ["a"], "cosines": [[10**400], [1]]}},
    ],
)
def test_damaged_scores_are_one_line(written, change):
    directions, path, facts = written
    path.write_text(json.dumps({**facts, **change}))
    with pytest.raises(GanwalkError, match="is damaged: write it again"):
        load_evaluation(path, directions)


def test_what_is_no_scores_file_is_one_line(written, tmp_path):
    directions, path, _ = written
    path.write_text("{")
    with pytest.raises(GanwalkError, match="is damaged"):
        load_evaluation(path, directions)
    path.write_text("[" * 100_000)
    with pytest.raises(GanwalkError, match="is damaged"):
        load_evaluation(path, directions)
    path.write_text("[]")
    assert load_evaluation(path, directions) is None
    with pytest.raises(GanwalkError, match="cannot read"):
        load_evaluation(tmp_path, directions)
