"""`ganwalk name --auto` as its user meets it."""

import json
import shlex
from pathlib import Path

import pytest
import torch

from ganwalk.commands import naming
from ganwalk.directions import Directions
from ganwalk.directions.files import save_label
from ganwalk.directions.labels import Label
from ganwalk.generators.loading import load_generator
from ganwalk.naming import suggest
from tests.evaluation.known import axes_of

FILE = Path("directions.safetensors")


@pytest.fixture
def blobs_here(tmp_path, monkeypatch):
    """The true axes of blobs in the current folder."""
    monkeypatch.chdir(tmp_path)
    directions = axes_of(load_generator("blobs"))
    directions.save(FILE)
    return directions


def names():
    return [label.name for label in Directions.load(FILE).labels]


def test_directions_without_a_name_get_one_and_others_stay(run, blobs_here):
    assert run("name", 1, "height", "--note", "mine")[0] == 0
    code, out, err = run("name", "--auto", "--dry-run")
    assert code == 0 and err == "" and names() == ["", "height", "", "", "", ""]
    assert "kept 1 · height" in out and "nothing is written by --dry-run" in out
    assert out.splitlines()[-1] == "next: ganwalk name --auto"
    again = ["name", "0", "--auto", "--by", "factors", "--samples", "16", "--directions", str(FILE)]
    said = run(*again, "--dry-run")[1].splitlines()[-1]
    assert sorted(shlex.split(said.removeprefix("next: "))) == sorted(["ganwalk", *again])
    code, out, _ = run("name", "--auto")
    assert code == 0 and names() == ["more x", "height", "more scale", "more angle", "more hue", "more background"]
    assert f"wrote {FILE}: 5 names by factors" in out
    assert out.splitlines()[-1] == "next: ganwalk render --direction all"
    assert Directions.load(FILE).labels[1].note == "mine"
    code, _, err = run("name", "--auto")
    assert code == 2 and "have names already, which --force replaces" in err
    code, out, _ = run("name", "height", "--auto", "--force", "--directions", FILE)
    assert code == 0 and names()[1] == "more y" and f"wrote {FILE}: 1 name by factors" in out
    assert out.splitlines()[-1] == f"next: ganwalk render --directions {FILE} --direction all"
    assert run("render", "--direction", "more y", "--seeds", 1, "--steps", 2, "--saliency", "-q")[0] == 0
    assert Path("direction-1-seeds-1-steps-2-saliency.png").exists()


def test_the_look_of_pictures_and_everything_as_json(run, blobs_here):
    code, out, _ = run("name", "--auto", "--by", "look", "--samples", 12, "--json")
    found = json.loads(out)
    assert code == 0 and found["by"] == "look" and found["written"] is True and found["file"] == str(FILE)
    rows = found["directions"]
    assert [row["name"] for row in rows] == names() and rows[5]["name"] == "brighter in the background"
    assert rows[5]["measured"]["brightness"]["agreement"] > 0.9 and len(rows[5]["measured"]["thirds"]) == 3
    # Four are shapes in the centre: the others have a number.
    assert names()[:4] == ["shape in the centre", *(f"shape in the centre {k}" for k in (2, 3, 4))]
    found = json.loads(run("name", 0, "--auto", "--force", "--json", "--dry-run")[1])
    assert [row["name"] for row in found["directions"]] == ["more x"] and found["written"] is False
    assert found["directions"][0]["measured"]["signed"]["x"] > 0.5


def test_names_that_somebody_gives_meanwhile_stay(run, blobs_here, monkeypatch):
    real = naming.announce

    def meanwhile(*arguments):
        save_label(FILE, 2, Label("size"), blobs_here.fingerprint())
        real(*arguments)

    monkeypatch.setattr(naming, "announce", meanwhile)
    assert run("name", "--auto")[0] == 0
    assert names() == ["more x", "more y", "size", "more angle", "more hue", "more background"]


def test_what_takes_long_is_announced(run, blobs_here, monkeypatch):
    monkeypatch.setattr(suggest, "seconds_per_latent", lambda *_, **__: 2.0)
    code, _, err = run("name", "--auto", "--by", "look", "--samples", 6)
    # Each sample itself, and shifted both ways along six directions.
    assert code == 0 and "naming takes about 3 minutes on this machine: fewer --samples shorten it" in err
    assert "naming takes" not in run("name", "--auto", "--by", "look", "--samples", 6, "--force", "-q")[2]


class Halves(torch.nn.Module):
    """Two attributes: the brightness of the left half of a picture, and of the right one."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        grey = images.mean(dim=1)
        middle = grey.shape[2] // 2
        return torch.stack([grey[:, :, :middle].mean(dim=(1, 2)), grey[:, :, middle:].mean(dim=(1, 2))], dim=1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_classifier_gives_the_names(run, blobs_here):
    torch.jit.script(Halves()).save("halves.ts")
    options = ("--classifier", "halves.ts", "--attributes", "left light,right light", "--samples", 8)
    code, _, err = run("name", "--auto", *options)
    assert code == 2 and "add --trust" in err and set(names()) == {""}
    assert run("name", "--auto", *options, "--trust", "--purity", 0)[0] == 0
    assert names()[5] in ("more left light", "more right light")


def test_options_that_would_count_for_nothing_are_refused(run, blobs_here):
    for arguments, message in (
        (("--samples", 3), "--samples is an option of --auto"),
        ((0, "smile", "--force"), "--force is an option of --auto"),
        (("--dry-run",), "--dry-run is an option of --auto"),
        (("--device", "cpu"), "--device is an option of --auto"),
        (("--auto", 0, "smile"), "leave NAME, --note, --star and --hide out"),
        (("--auto", 0, "--star"), "leave NAME, --note, --star and --hide out"),
        (("--auto", "smile"), "no direction is called 'smile'"),
        (("--auto", "--samples", 1), "--samples"),
        (("--auto", "--class", 1), "not class-conditional"),
    ):
        code, _, err = run("name", *arguments)
        assert code == 2 and message in err and len(err.strip().splitlines()) == 1, err
    assert set(names()) == {""}


@pytest.mark.parametrize("change", [("--note", "hello"), ("--star",), ("--hide",)])
def test_a_change_of_no_direction_is_refused(run, blobs_here, change):
    code, _, err = run("name", *change)
    assert code == 2 and "say which direction" in err
