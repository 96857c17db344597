"""Scores around latents that somebody has, which are told from those of drawn samples."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.comparison import compare
from ganwalk.evaluation.run import evaluate
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def blobs_files():
    """Directions of blobs, and the codes that seed 3 draws, in a file."""
    blobs = load_generator("blobs")
    directions = Directions(blobs.rotation.clone(), torch.ones(6), "z", blobs.identity)
    directions.save("directions.safetensors")
    np.savez("codes.npz", z=sample_z(blobs, 8, 3).numpy())
    return blobs, directions


def test_drawn_samples_that_are_given_have_the_scores_of_drawn_ones(blobs_files):
    blobs, directions = blobs_files
    drawn = evaluate(blobs, directions, samples=8, seed=3, reconstructor=False)
    given = evaluate(blobs, directions, latents=(Path("codes.npz"),), seed=3)
    for of in ("topology", "changes"):
        for name in ("rtd", "displacement") if of == "topology" else ("straightness", "interaction", "distinctness"):
            assert torch.equal(getattr(getattr(given, of), name), getattr(getattr(drawn, of), name))
    # The change of a factor is the same; its usual spread is that over drawn samples.
    ratio = given.effects.matrix.diagonal() / drawn.effects.matrix.diagonal()
    assert (
        given.effects.matrix.shape == drawn.effects.matrix.shape and 0.4 < float(ratio.min()) < float(ratio.max()) < 2
    )
    assert given.reconstruction is None and given.settings.samples == 8
    assert given.axes.mcc == drawn.axes.mcc


def test_effects_around_samples_of_one_kind_are_in_units_of_all(blobs_files):
    blobs, directions = blobs_files
    np.savez("same.npz", z=sample_z(blobs, 1, 3).repeat(4, 1).numpy())
    found = evaluate(blobs, directions, latents=(Path("same.npz"),))
    assert found.effects.overall > 0.9


def test_styles_of_each_layer_are_shifted(toy):
    with torch.no_grad():
        w = toy.mapping(sample_z(toy, 5, 0))
    w = w + 0.5 * torch.randn(w.shape, generator=torch.Generator().manual_seed(0))
    np.savez("photo.npz", w=w.numpy())
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity)
    found = evaluate(toy, directions, latents=(Path("photo.npz"),))
    with torch.no_grad():
        apart = (
            toy.synthesis(w + torch.eye(12)[0]) - toy.synthesis(w),
            toy.synthesis(w - torch.eye(12)[0]) - toy.synthesis(w),
        )
    expected = torch.stack([change.flatten(1).square().mean(dim=1).sqrt().mean() for change in apart]).mean()
    assert float(found.topology.displacement[0]) == pytest.approx(float(expected), rel=1e-4)


def test_scores_around_latents_are_not_mistaken_for_others(blobs_files, run):
    code, said = run("evaluate", "-q", "--latents", "codes.npz", "--threads", 1)
    assert code == 0, said
    facts = json.loads(Path("evaluation.json").read_text())
    assert facts["settings"]["latents"].startswith("codes.npz (") and facts["settings"]["samples"] == 8
    assert f"around {facts['settings']['latents']}, not around drawn samples" in said
    code, said = run("evaluate", "-q", "--threads", 1)
    assert code == 2 and "other settings" in said and "latents" in said and "--force" in said
    # The same once more is no loss; other latents of the same name are.
    assert run("evaluate", "-q", "--latents", "codes.npz", "--threads", 1)[0] == 0
    np.savez("codes.npz", z=np.ones((8, 6), np.float32) * np.arange(8, dtype=np.float32)[:, None])
    code, said = run("evaluate", "-q", "--latents", "codes.npz", "--threads", 1)
    assert code == 2 and "other settings (latents)" in said
    code, said = run("report", "-q", "--steps", 2, "--seeds", 1, "-o", "report.html")
    assert code == 0, said
    assert "not drawn but given, codes.npz (" in Path("report.html").read_text()


def test_what_was_written_before_there_were_latents_is_of_drawn_samples(blobs_files, run):
    run("evaluate", "-q", "--no-reconstructor", "--samples", 8, "--threads", 1)
    facts = json.loads(Path("evaluation.json").read_text())
    assert facts["settings"].pop("latents") is None
    Path("evaluation.json").write_text(json.dumps(facts))
    code, said = run("evaluate", "-q", "--latents", "codes.npz", "--threads", 1)
    assert code == 2 and "latents" in said and "--force" in said


def test_what_cannot_use_latents_refuses_them(blobs_files, toy, run):
    np.savez("few.npz", z=np.ones((3, 6), np.float32))
    for options, words in (
        (
            ["--latents", "few.npz"],
            "--latents are 3 samples: fewer have no topology to compare than 4, give more files",
        ),
        (["--latents", "codes.npz", "--samples", 9], "leave out --samples"),
        (["--latents", "codes.npz", "--representation"], "--representation trains on drawn samples"),
        (["--latents", "nowhere.npz"], "nowhere.npz does not exist: check --latents"),
    ):
        code, said = run("evaluate", "-q", *options)
        assert code == 2 and words in said and len(said.strip().splitlines()) == 1
    np.savez("styles.npz", w=np.ones((4, 12), np.float32))
    in_z = Directions(torch.eye(8)[:2], torch.ones(2), "z", toy.identity)
    with pytest.raises(GanwalkError, match="directions in z cannot shift: give codes z, or directions in w"):
        evaluate(toy, in_z, latents=(Path("styles.npz"),))
    scoring = replace(EvaluationSettings(reconstructor=False), latents=(Path("codes.npz"),))
    with pytest.raises(GanwalkError, match="leave out the latents"):
        compare(blobs_files[0], DiscoverySettings(n_directions=2), ["random"], range(1), evaluation=scoring)
    assert run("compare", "--generator", "blobs", "--latents", "codes.npz")[0] == 2
