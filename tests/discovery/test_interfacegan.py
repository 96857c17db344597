"""InterFaceGAN: normals of factors that are known functions of the latents, and what is said where there are none."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ganwalk
from ganwalk.discovery.factors import Factor
from ganwalk.discovery.interfacegan import factor_normals, find_directions
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import factor_reader
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import make_blobs
from tests.discovery.reading import Reading

FAST = DiscoverySettings(n_directions=6, method="interfacegan", images=256, batch=8, scored=8)


def test_the_axes_of_correlated_factors_are_found():
    blobs = make_blobs(BlobsConfig(variant="correlated"))
    result = run_discovery(blobs, FAST, reader=factor_reader(blobs))
    cosines = (result.directions.vectors @ blobs.axes.T).abs()
    assert (cosines.max(dim=1).values > 0.999).all() and len(set(cosines.argmax(dim=1).tolist())) == 6
    assert result.directions.oblique and result.notices[0].startswith(
        "supervised: linear models explain x 1.00, y 1.00"
    )


def test_a_direction_leaves_the_other_factors_alone(toy):
    sum_of_two = Reading(one=("linear", lambda w: w[:, 0]), both=("linear", lambda w: w[:, 0] + w[:, 1]))
    settings = replace(FAST, n_directions=2).resolve(toy)
    vectors, notices = find_directions(toy, settings, sum_of_two)
    changes = torch.stack([vectors[:, 0], vectors[:, 0] + vectors[:, 1]], dim=1).abs()
    own = changes.max(dim=1)
    assert sorted(own.indices.tolist()) == [0, 1] and own.values.min() > 0.05
    assert changes.min(dim=1).values.max() < 0.02 * own.values.min()
    assert len(notices) == 1


def test_circles_have_two_directions_and_classes_one_less_than_there_are():
    rng = torch.Generator().manual_seed(0)
    points = torch.randn(2000, 5, generator=rng, dtype=torch.float64)
    hue = torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi)
    normals = factor_normals(Factor("hue", "circular"), points, hue)
    assert [normal.rank for normal in normals] == [0, 1] and all(normal.explained > 0.3 for normal in normals)
    plane = torch.stack([normal.vector for normal in normals])
    assert plane[:, :2].square().sum() == pytest.approx(2, abs=0.01)
    classes = (4 * points[:, 2:]).softmax(dim=1)
    normals = factor_normals(Factor("shape", "categorical"), points, classes)
    assert len(normals) == 2
    assert torch.stack([normal.vector for normal in normals]).sum(dim=1).abs().max() < 0.1
    assert factor_normals(Factor("none"), points, torch.ones(2000, dtype=torch.float64)) == []
    assert factor_normals(Factor("even"), points, points[:, 0].square()) == []


def test_every_factor_has_a_direction_before_any_has_a_second_and_components_fill_up(toy):
    hue = Reading(
        hue=("circular", lambda w: torch.atan2(w[:, 1], w[:, 0]) / (2 * math.pi)), scale=("linear", lambda w: w[:, 2])
    )
    few, notices = find_directions(toy, replace(FAST, n_directions=2).resolve(toy), hue)
    assert few[:, 2].abs().max() > 0.05 > 100 * few[:, 2].abs().min() and len(notices) == 1
    many, notices = find_directions(toy, replace(FAST, n_directions=5).resolve(toy), hue)
    assert notices[1] == "2 of 5 directions are principal components beside those of the factors"
    # Those change no factor as far as it is linear, which the scale is.
    assert many[3:, 2].abs().max() < 1e-6 and many[3:, :2].abs().max() < 0.3
    assert torch.allclose(many.norm(dim=1), torch.ones(5, dtype=torch.float64))


def test_factors_that_nobody_reads_or_that_are_not_linear_are_refused(toy, blobs):
    with pytest.raises(GanwalkError, match=r"interfacegan is supervised.*--classifier FILE --trust"):
        run_discovery(toy, replace(FAST, n_directions=2))
    with pytest.raises(GanwalkError, match="no factor is linear"):
        run_discovery(blobs, FAST, reader=Reading(even=("linear", lambda w: w[:, 0].square())))
    with pytest.raises(GanwalkError, match="nothing to resume"):
        run_discovery(blobs, FAST, reader=factor_reader(blobs), checkpoint=Path("none.pt"), resume=True)


def test_the_function_for_people_takes_a_reader(blobs):
    directions = ganwalk.discover(blobs, method="interfacegan", scored=8, reader=factor_reader(blobs))
    assert len(directions) == 6 and directions.method == "interfacegan"


class Halves(torch.nn.Module):
    def forward(self, images):
        return torch.stack([images[..., :8].mean(dim=(1, 2, 3)), images[..., 8:].mean(dim=(1, 2, 3))], dim=1)


def test_the_command_takes_a_classifier(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.script(Halves()).save("halves.pt")
    classifier = ("--classifier", "halves.pt", "--trust", "--attributes", "left,right")
    few = ("-g", "blobs", "-n", 3, "--scored", 8)
    code, out, _ = run("discover", *few, "-m", "interfacegan", "--images", 256, "--steps", 3, *classifier)
    assert code == 0 and "note: supervised: linear models explain left 0." in out
    assert "1 of 3 directions are principal components" in out
    assert "closed form: --steps does nothing" in out
    assert json.loads(Path("ganwalk-out/metrics.json").read_text())["settings"]["images"] == 256
    code, out, _ = run("discover", *few, "-m", "pca", "--force", *classifier)
    assert code == 0 and "closed form: --classifier does nothing" in out
