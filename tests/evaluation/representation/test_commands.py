"""`ganwalk evaluate --representation` and `ganwalk encode`."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.evaluation.representation.encoder import Encoder
from ganwalk.evaluation.stored import load_evaluation
from ganwalk.generators.base import sample_z
from ganwalk.rendering.images import to_bytes
from tests.evaluation.known import axes_of

SMALL = ["--representation", "--metrics", "quick", "--encoder-pairs", 200, "--encoder-steps", 4, "--encoder-width", 4]
FAST = ["--samples", 4, "--no-reconstructor", "--threads", 1, "-q"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pictures(trained):
    """Directions with a name, their encoder, and two pictures."""
    trained.directions.labelled(1, Label("up")).save("directions.safetensors")
    trained.encoder.save("encoder.safetensors")
    styles = trained.generator.mapping(sample_z(trained.generator, 2, seed=5))
    for name, pixels in zip(("a", "b"), to_bytes(trained.generator.synthesis(styles)), strict=True):
        Image.fromarray(pixels).save(f"{name}.png")
    return trained.generator.factors(styles[:, 0]) / trained.directions.scales


def test_pictures_are_encoded(pictures, run):
    code, text = run("encode", "a.png", "b.png", "-o", "codes.csv", "--threads", 1)
    assert code == 0, text
    lines = text.splitlines()
    assert lines[1].split() == ["direction", "a.png", "b.png", "fit"] and lines[3].startswith("1 · up")
    assert "wrote codes.csv" in lines and lines[-1].startswith("next: ganwalk render --directions directions.safet")
    with Path("codes.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "0", "up", "2", "3", "4", "5"] and [row[0] for row in rows[1:]] == ["a.png", "b.png"]
    codes = np.array([[float(value) for value in row[1:]] for row in rows[1:]])
    assert np.abs(codes - pictures.numpy()).max() < 1
    code, text = run("encode", "a.png", "b.png", "-o", "codes.npz", "--json")
    facts = json.loads(text)
    with np.load("codes.npz") as stored:
        assert np.allclose(stored["codes"], codes) and list(stored["directions"]) == rows[0][1:]
    assert np.allclose([entry["codes"] for entry in facts["pictures"]], codes)
    assert facts["directions"][1]["name"] == "up" and facts["directions"][1]["fit"] > 0.7


def test_many_pictures_are_several_tables(pictures, run):
    text = run("encode", *["a.png"] * 8)[1]
    assert [line.split().count("a.png") for line in text.splitlines() if line.startswith("direction")] == [6, 2]


def test_an_encoder_elsewhere_brings_its_directions(pictures, run):
    Path("kept").mkdir()
    for name in ("encoder.safetensors", "directions.safetensors"):
        shutil.move(name, Path("kept") / name)
    code, text = run("encode", "a.png", "--encoder", "kept/encoder.safetensors")
    assert code == 0 and "1 · up" in text and "--directions kept/directions.safetensors" in text


def test_encoding_refuses_in_one_line(pictures, run):
    Path("page.png").write_text("<html>")
    Path("there.csv").write_text("")
    other = Path("other.safetensors")
    Directions.load("directions.safetensors").select([1, 0]).save(other)
    for arguments, message in (
        (["page.png"], "page.png is no picture"),
        (["none.png"], "none.png does not exist"),
        (["a.png", "--directions", other], "the encoder belongs to other directions"),
        (["a.png", "-o", "codes.txt"], "must end in .csv or .npz"),
        (["a.png", "-o", "there.csv"], "replace it with --force"),
        (["a.png", "--encoder", "directions.safetensors"], "is no encoder"),
        (["a.png", "--device", "nowhere"], "device 'nowhere'"),
        ([], "Missing argument 'PICTURES...'"),
    ):
        code, text = run("encode", *arguments, "--json")
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1, text
    Path("encoder.safetensors").unlink()
    code, text = run("encode", "a.png", "--directions", "directions.safetensors")
    made = "encoder.safetensors does not exist: make it with ganwalk evaluate --representation --directions directions"
    assert code == 2 and made in text


def test_evaluation_trains_and_scores_and_keeps_the_encoder(blobs, run):
    directions = axes_of(blobs)
    directions.save("directions.safetensors")
    assert run("evaluate", *FAST)[0] == 0
    # Scores that come to others are no loss, but they are one when they go.
    code, text = run("evaluate", *FAST, *SMALL, "--explain")
    assert code == 0, text
    assert "representation mig" in text and "  representation mig: of the encoder's codes" in text
    assert text.splitlines()[-2:] == [
        "note: with --encoder encoder.safetensors, ganwalk encode reads pictures",
        "next: ganwalk render --direction all",
    ]
    Encoder.load("encoder.safetensors").check(directions)
    facts = load_evaluation(Path("evaluation.json"), directions)
    assert facts["representation"]["dataset"] == "latents" == facts["settings"]["dataset"]
    assert facts["summary"]["representation_mig"] == facts["representation"]["scores"]["mig"]
    assert np.shape(facts["representation"]["information"]) == (6, 6) and "fit" in facts["directions"][0]
    code, text = run("evaluate", *FAST)
    assert code == 2 and "other settings (representation" in text
    code, text = run("evaluate", *FAST, *SMALL[:-1], 8)
    assert code == 2 and "other settings (encoder_width)" in text


def test_evaluation_refuses_before_anything_slow(blobs, run):
    axes_of(blobs).save("directions.safetensors")
    for arguments, message in (
        (["--representation", "--dataset", "cats"], "unknown data set 'cats'"),
        (["--representation", "--dataset", "celeba", "--data-root", "."], "img_align_celeba.zip is not there"),
        (["--data-root", "."], "--data-root has no effect without --representation"),
        (["--dataset", "scenes"], "--dataset has no effect without --representation"),
    ):
        code, text = run("evaluate", *FAST, "--no-download", *arguments)
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1, text
    assert not Path("evaluation.json").exists()


@pytest.mark.slow
def test_methods_are_compared_by_their_representations(run):
    code, text = run("compare", "-g", "blobs", "-m", "pca", "--seeds", 1, "-n", 2, *FAST, *SMALL)
    assert code == 0, text
    scores = json.loads(Path("ganwalk-comparison/comparison.json").read_text())["summary"]["pca"]
    assert 0 <= scores["representation_mig"]["mean"] <= 1
    assert "representation: MIG" in text or "representation mig" in Path("ganwalk-comparison/report.md").read_text()
