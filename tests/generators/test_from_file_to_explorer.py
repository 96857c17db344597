"""Every family end to end: from a small file of the official code to directions, pictures and the explorer."""

from pathlib import Path

import numpy as np
import pytest

from ganwalk.directions.edits import Move
from ganwalk.explore.sides import open_side
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.generators.loading import load_generator
from ganwalk.samples import DrawnSamples

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = [
    "mmgen_stylegan1_32.pth",
    "mmgen_stylegan2_32.pth",
    "mmgen_stylegan3_t16.pth",
    "mmgen_pggan_32.pth",
    "sgxl_sr32_cond.pkl",
]


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_walked_rendered_and_explored(tmp_path, monkeypatch, run, name):
    monkeypatch.chdir(tmp_path)
    path = GOLDEN / name
    code, out, _ = run("info", path)
    assert code == 0 and str(load_generator(path).resolution) in out
    fast = ("--method", "pca", "--n-directions", 2, "--batch", 6)
    code, _, err = run("discover", "--generator", path, *fast, "--out", "found", "-q")
    assert code == 0, err
    directions = Path("found/directions.safetensors")
    code, _, err = run("render", "--directions", directions, "--direction", 0, "--seeds", "1-2", "--steps", 3, "-q")
    assert code == 0 and list(Path("found").glob("direction-0*.png")), err
    generator = load_generator(path)
    studio = Studio(generator, [open_side(directions)])
    state = State(DrawnSamples((3,)))
    (plain,), (edited,) = studio.pictures(state), studio.pictures(state.moved(0, Move(0, 2.0)))
    assert edited[0].shape[:2] == (generator.resolution,) * 2 and not np.array_equal(edited[0], plain[0])
