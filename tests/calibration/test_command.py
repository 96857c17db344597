"""`ganwalk reach` as its user meets it, and what other commands make of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.generators.loading import load_generator
from ganwalk.progress import estimates
from tests.directions.test_reach import reach_of_sizes
from tests.evaluation.known import axes_of

FILE = Path("directions.safetensors")


def test_the_legend_names_all_that_is_drawn_beside_the_curves(run, blobs_here, monkeypatch):
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **rest: figures.append(self) or save(self, *args, **rest)
    )
    assert run("reach", "--samples", 4, "--steps", 3, "-q")[0] == 0
    (figure,) = figures
    (legend,) = figure.legends
    named = {words.get_text() for words in legend.get_texts()}
    assert {"the reach", "samples that have ended"} < named and any("of samples, where it ends" in one for one in named)
    for axes in figure.axes:
        assert not legend.get_window_extent().overlaps(axes.get_window_extent())


@pytest.fixture
def blobs_here(tmp_path, monkeypatch):
    """Two true axes of blobs in the current folder."""
    monkeypatch.chdir(tmp_path)
    directions = axes_of(load_generator("blobs")).select([0, 5]).labelled(0, Label("x"))
    directions.save(FILE)
    return directions


def test_the_reach_is_measured_kept_and_drawn(run, blobs_here, monkeypatch):
    code, out, err = run("reach", "--samples", 6, "--steps", 4, "-q")
    found = Directions.load(FILE)
    assert code == 0 and err == ""
    assert found.reach is not None and found.labels[0].name == "x"
    lines = out.splitlines()
    assert f"{found.reach.words(0)}  0 · x" in lines[-4] and f"{found.reach.words(1)}  1" in lines[-3]
    assert lines[-2] == f"wrote {FILE}, reach.png"
    assert lines[-1] == "next: ganwalk render --direction all --amplitude reach"
    with Image.open("reach.png") as picture:
        assert picture.width > 800 and np.asarray(picture.convert("L")).std() > 10
    # The picture of the same directions is replaced, and no other.
    assert "in place of an earlier reach" in run("reach", "--samples", 6, "--steps", 4, "--seed", 1)[1]
    axes_of(load_generator("blobs")).select([1, 2]).save(FILE)
    code, _, err = run("reach", "--samples", 6, "--steps", 4)
    assert code == 2 and "reach.png" in err and "--force" in err and Directions.load(FILE).reach is None
    monkeypatch.setattr(estimates, "_SHORT", -1)
    code, _, err = run("reach", "--samples", 6, "--steps", 4, "--force")
    assert code == 0 and "measuring takes about" in err and "fewer --samples or --steps shorten it" in err


def test_pictures_go_to_the_reach(run, blobs_here):
    code, _, err = run("render", "--direction", "all", "--amplitude", "reach", "-q")
    assert code == 2 and "was not measured: run ganwalk reach --directions" in err
    replace(blobs_here, reach=reach_of_sizes(2)).save(FILE)
    for arguments, words in (
        (("--combine", "0=1"), "leave out --amplitude"),
        (("--direction", 0, "--layers", "0"), "leave --layers out"),
        (("--direction", 0, "--gif"), "give --amplitude a number"),
    ):
        code, _, err = run("render", *arguments, "--amplitude", "reach", "-q")
        assert code == 2 and words in err
    code, out, _ = run("render", "--direction", 1, "--amplitude", "reach", "--seeds", 1, "--steps", 3, "-q")
    assert code == 0 and "direction-1-seeds-1-amplitude-reach-steps-3.png" in out
    back, forth = reach_of_sizes(2).ends[1].tolist()
    for name, end in (("back", -back), ("forth", forth)):
        amount = ("--combine", f"1={end}", "--seeds", 1, "--steps", 2, "-q", "--out", f"{name}.png")
        assert run("render", *amount)[0] == 0
    whole = _cells("direction-1-seeds-1-amplitude-reach-steps-3.png", 3)
    assert np.abs(whole[0] - _cells("back.png", 2)[1]).max() <= 1
    assert np.abs(whole[2] - _cells("forth.png", 2)[1]).max() <= 1
    assert run("render", "--direction", "all", "--amplitude", "reach", "--steps", 3, "--saliency", "-q")[0] == 0
    assert run("render", "--direction", 0, "--amplitude", "far", "-q")[0] == 2
    assert run("render", "--direction", 0, "--amplitude", 0, "-q")[0] == 2


def test_a_report_says_how_far(run, blobs_here):
    replace(blobs_here, reach=reach_of_sizes(2)).save(FILE)
    assert run("report", "--no-evaluate", "--seeds", 1, "--steps", 3, "-q", "--out", "a.html")[0] == 0
    page = Path("a.html").read_text(encoding="utf-8")
    assert "Reach: −2.0 to +4.0 σ, where 25 % of samples" in page and "Reach: −6.0 to ≥ +8.0 σ" in page
    # Of the three pictures of the first strip, that at -3 is beyond; of the second, none.
    assert page.count('<svg class="beyond"') == 1 and '<rect x="0" width="1" height="1"/>' in page
    blobs_here.save(FILE)
    assert run("report", "--no-evaluate", "--seeds", 1, "--steps", 3, "-q", "--out", "b.html")[0] == 0
    assert "Reach:" not in Path("b.html").read_text(encoding="utf-8")


def _cells(name, columns):
    """The pictures of a sheet of one row, of 96 px without the frame around the sample."""
    with Image.open(name) as sheet:
        pixels = np.asarray(sheet.convert("RGB")).astype(int)
    right = pixels.shape[1] - 14
    top = 14 + 12 + 8
    lefts = [right - 96 - 100 * k for k in reversed(range(columns))]
    return [pixels[top + 4 : top + 92, left + 4 : left + 92] for left in lefts]
