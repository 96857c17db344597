"""The whole evaluation: what it measures, what it writes, and the command."""

import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import ganwalk
from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.meanings import OF_ALL, OF_DIRECTIONS, SCORES, SUBJECTS
from ganwalk.evaluation.outputs import write_outputs
from ganwalk.evaluation.reconstructor import latents_of_pairs
from ganwalk.evaluation.run import evaluate, run_evaluation
from ganwalk.evaluation.settings import EvaluationSettings, Sizes
from ganwalk.evaluation.stored import load_evaluation
from ganwalk.evaluation.unsupervised import latents_of_changes, latents_of_topology
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.timing import Watched
from tests.evaluation.known import axes_of, rotated
from tests.evaluation.test_factors import Brightness

FILES = {"evaluation.json", "evaluation.csv", "evaluation.png"}


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def saved():
    axes_of(load_generator("blobs")).save("directions.safetensors")


def test_true_axes_beat_a_rotation_in_every_score_with_a_known_answer():
    generator = load_generator("blobs-curved")
    truth, mixed = (
        evaluate(generator, directions, samples=16, reconstructor=False).summary()
        for directions in (axes_of(generator), rotated(axes_of(generator)))
    )
    for name in ("mean_cosine", "mcc", "overall", "disentanglement", "completeness", "gap", "coverage"):
        assert truth[name] == pytest.approx(1, abs=0.02) and mixed[name] < 0.9, name
    assert truth["distinctness"] > mixed["distinctness"]
    assert "reconstructor_accuracy" not in truth


def test_the_same_seed_gives_the_same_numbers():
    generator = load_generator("blobs")
    first, again, other = (
        evaluate(generator, axes_of(generator), samples=8, seed=seed, reconstructor=False).to_json()
        for seed in (3, 3, 4)
    )
    assert first == again and first["directions"] != other["directions"]


def test_stages_are_told(monkeypatch):
    monkeypatch.setattr("ganwalk.evaluation.settings._SMALL", Sizes(4, 4, 128))
    generator, told = load_generator("blobs"), []
    directions = axes_of(generator).select([1, 5])
    found = evaluate(generator, directions, on_progress=lambda *what: told.append(what))
    assert found.summary()["reconstructor_accuracy"] > 0.8
    assert list(dict(told)) == ["effects", "topology", "changes", "reconstructor"]
    shares = [share for _, share in told]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)


def test_generators_without_factors_are_scored_without_labels(toy):
    directions = Directions(torch.eye(12)[:3], torch.tensor([1.0, 1.0, 0.0]), "w", toy.identity, layers=(0, 2))
    found = evaluate(toy, directions, samples=6, reconstructor=False, truncation_psi=0.8)
    assert found.axes is None and found.effects is None and found.layers == (0, 2)
    # The third direction has no length: it has no character, and JSON has no NaN.
    rows = found.rows()
    assert rows[2]["distinctness"] is None and rows[0]["distinctness"] > 0 and "factor" not in rows[0]
    json.dumps(found.to_json(), allow_nan=False)


def test_of_large_generators_no_image_is_made(toy, monkeypatch):
    directions = Directions(torch.eye(12)[:3], torch.ones(3), "w", toy.identity)
    assert evaluate(toy, directions, samples=4, reconstructor=False).to_json()["compared"] is None
    monkeypatch.setattr("ganwalk.discovery.view.IMAGE_DISTANCE_LIMIT", 8)
    monkeypatch.setattr("ganwalk.discovery.view.FEATURE_DISTANCE_LIMIT", 8)
    monkeypatch.setattr("ganwalk.evaluation.settings._LARGE", Sizes(5, 4, 64))
    made, estimates = [], []
    watched = Watched(toy, made.append)
    shapes = set()
    toy.synthesis.register_forward_hook(lambda module, inputs, output: shapes.add(tuple(output.shape[1:])))
    found = run_evaluation(watched, directions, EvaluationSettings(), on_estimate=estimates.append)
    assert shapes == {(8, 8, 8)} and len(found.reconstruction.recall) == 3
    assert found.to_json()["compared"] == {"layer": 2, "resolution": 8}
    counted = latents_of_topology(3, 5) + latents_of_changes(3, 4) + latents_of_pairs(3, 64)
    # What is more is the two batches that the estimate is of.
    assert sum(made) == counted + 2 * 4 and len(estimates) == 1 and estimates[0] > 0
    write_outputs(found, Path("."))
    assert load_evaluation(Path("evaluation.json"), directions)["compared"] == {"layer": 2, "resolution": 8}


def test_what_takes_long_says_so_first_unless_nobody_is_to_be_told(saved, run, monkeypatch):
    monkeypatch.setattr("ganwalk.evaluation.plan.seconds_per_latent", lambda *args, **options: 1.0)
    arguments = ["evaluate", "--samples", 4, "--no-reconstructor"]
    notice = "evaluating takes about 3 minutes on this machine: fewer --samples or --no-reconstructor shorten it"
    # Six directions: 4 · 13 latents for the topology, 4 · (1 + 6 + 18 + 12) for the changes.
    code, text = run(*arguments)
    assert code == 0 and notice in text.splitlines()
    assert "takes about" not in run(*arguments, "-q")[1]
    monkeypatch.setattr("ganwalk.evaluation.plan.seconds_per_latent", lambda *args, **options: 0.2)
    assert "takes about" not in run(*arguments)[1]


def test_the_command_says_that_scores_are_of_features(run, toy, monkeypatch):
    write_native(toy.config, dict(toy.state_dict()), Path("toy.safetensors"))
    identity = load_generator("toy.safetensors").identity
    Directions(torch.eye(12)[:2], torch.ones(2), "w", identity).save("directions.safetensors")
    arguments = ["evaluate", "--samples", 4, "--no-reconstructor", "-q"]
    assert "features" not in run(*arguments)[1]
    monkeypatch.setattr("ganwalk.discovery.view.IMAGE_DISTANCE_LIMIT", 8)
    monkeypatch.setattr("ganwalk.discovery.view.FEATURE_DISTANCE_LIMIT", 8)
    assert "scores without labels are of features of layer 2 (8 px), not of whole images" in run(*arguments)[1]


def test_truncation_of_the_first_layers_reaches_every_batch(toy):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    scores = [
        evaluate(toy, directions, samples=6, reconstructor=False, truncation_psi=0.3, truncation_cutoff=cutoff)
        for cutoff in (None, 2)
    ]
    for name in ("rtd", "displacement"):
        assert not torch.equal(*(getattr(found.topology, name) for found in scores))
    assert not torch.equal(*(found.changes.straightness for found in scores))
    with pytest.raises(GanwalkError, match="has no effect without truncation"):
        evaluate(toy, directions, truncation_cutoff=2)


def test_files_hold_what_was_measured(tmp_path):
    generator = load_generator("blobs-dead")
    directions = replace(axes_of(generator), vectors=generator.rotation.flip(0), scales=torch.ones(16))
    found = evaluate(generator, directions, samples=12, reconstructor=False)
    paths = write_outputs(found, tmp_path / "out")
    assert {path.name for path in paths} == FILES == {path.name for path in (tmp_path / "out").iterdir()}
    facts = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert np.allclose(facts["effects"]["matrix"], found.effects.matrix) and facts["axes"]["matching"][0] == 15
    assert facts["summary"]["mean_cosine"] == pytest.approx(1) and facts["settings"]["samples"] == 12
    with (tmp_path / "out/evaluation.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["factor"] for row in rows] == [""] * 10 + list(reversed(generator.factor_names))
    assert [float(row["effect"]) for row in rows] == pytest.approx(found.effects.matrix.max(dim=1).values.tolist())
    assert rows[0]["purity"] == "" and float(rows[15]["purity"]) == pytest.approx(1, abs=1e-4)
    assert rows[0]["straightness"] == ""
    assert float(rows[15]["effect_x"]) == pytest.approx(float(found.effects.matrix[15, 0]))
    with Image.open(tmp_path / "out/evaluation.png") as picture:
        assert picture.width > 1000 and np.asarray(picture.convert("L")).std() > 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 3}, "samples must be at least 4"),
        ({"amplitude": math.nan}, "amplitude must be above 0"),
        ({"truncation_psi": 0.0}, "must not be 0, where all images are one"),
        ({"class_index": 0}, "not class-conditional"),
        ({"chunk": 0}, "chunk must be at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(blobs, settings, message):
    with pytest.raises(GanwalkError, match=message):
        evaluate(blobs, axes_of(blobs), **settings)
    assert ganwalk.evaluate is evaluate


def test_the_command_writes_beside_the_newest_directions(saved, run):
    code, text = run("evaluate", "--samples", 8, "--no-reconstructor", "--threads", 1)
    assert code == 0 and "mean cosine" in text and "factor" in text and "recall" not in text
    assert text.splitlines()[-1] == "next: ganwalk render --direction all"
    assert {path.name for path in Path().iterdir()} >= FILES
    assert json.loads(Path("evaluation.json").read_text())["settings"]["amplitude"] == 1.0


def test_fewer_directions_than_axes_are_told_how_good_they_can_be(blobs, tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    vectors = torch.cat([blobs.axes[:2], blobs.axes[2:3]])
    scales = torch.tensor([1.0, 1.0, 1e-3])
    replace(axes_of(blobs).select([0, 1, 2]), vectors=vectors, scales=scales).save("directions.safetensors")
    code, text = run("evaluate", "--samples", 8, "--no-reconstructor", "--threads", 1, "-q")
    assert code == 0, text
    lines = [line.split() for line in text.splitlines()]
    assert lines[0][:6] == ["direction", "axis", "cosine", "factor", "effect", "purity"]
    assert lines[1][:4] == ["0", "x", "1.000", "x"] and lines[3][3:5] == ["no", "effect"] and lines[3][6] == "-"
    assert text.count("at most 0.500: 3 directions for 6 axes") == 2
    assert text.count("at most 0.500: 3 directions for 6 factors") == 2


def test_every_score_has_a_meaning(blobs):
    # As little of everything as there can be.
    small = {"metrics": "quick", "encoder_pairs": 10, "encoder_steps": 1, "encoder_width": 4}
    found = evaluate(blobs, axes_of(blobs), samples=8, representation=True, **small)
    assert set(found.summary()) == set(OF_ALL)
    of_effects = {f"effect_{name}" for name in blobs.factor_names}
    assert set(found.rows()[0]) - of_effects - {"direction"} == {*SUBJECTS, *OF_DIRECTIONS}
    assert all(score.words and score.meaning and "\n" not in score.meaning for score in SCORES.values())
    assert found.best_possible() == {}


def test_the_command_with_a_classifier(saved, run):
    torch.jit.script(Brightness()).save("c.ts")
    options = ["--samples", 8, "--no-reconstructor", "--classifier", "c.ts", "-o", "out", "--amplitude", 2]
    code, text = run("evaluate", *options, "--directions", "directions.safetensors")
    assert code == 2 and "add --trust" in text and not Path("out").exists()
    code, text = run("evaluate", *options, "--trust", "--attributes", "left,right")
    assert code == 0 and "wrote out/evaluation.png, out/evaluation.csv, out/evaluation.json" in text
    facts = json.loads(Path("out/evaluation.json").read_text())
    assert facts["effects"]["names"] == ["left", "right"] and facts["settings"]["amplitude"] == 2


def test_the_command_refuses_in_one_line(saved, run):
    Path("file").write_text("")
    for arguments, message in (
        (["--attributes", "a"], "give it with --classifier"),
        (["--classifier", "no.ts"], "does not exist"),
        (["--directions", "no.safetensors"], "does not exist"),
        (["--generator", "blobs-dead"], "not the generator of these directions"),
        (["--class", 1], "not class-conditional"),
        (["--out", "file"], "is a file: choose another folder"),
        (["--device", "nowhere"], "device 'nowhere'"),
        (["--truncation", 0], "all images are one"),
    ):
        code, text = run("evaluate", "--samples", 4, "--no-reconstructor", "-q", *arguments)
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1, text
    assert not Path("evaluation.json").exists()


def test_the_command_explains_what_it_shows(saved, run):
    short = run("evaluate", "--samples", 8, "--no-reconstructor", "-q")[1]
    code, text = run("evaluate", "--samples", 8, "--no-reconstructor", "--explain", "-q")
    explained = [line.strip().partition(":")[0] for line in text.splitlines() if line not in short.splitlines()]
    shown = {name.replace("_", " ") for name in json.loads(Path("evaluation.json").read_text())["summary"]}
    assert (
        code == 0 and shown | {"axis", "cosine", "factor"} <= set(explained) and len(explained) == len(set(explained))
    )
