"""The examples run as they are, and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ganwalk.directions import Directions

ROOT = Path(__file__).parents[1]
EXAMPLES = {path.name for path in (ROOT / "examples").glob("*.py")}

pytestmark = pytest.mark.slow


@pytest.fixture
def example(tmp_path):
    """Runs an example in an empty folder and returns what it printed."""

    def call(name):
        # The checkout's own packages, also where another one is installed.
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, str(ROOT / "examples" / name)]
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    return call


def test_each_is_short_and_tested():
    text = Path(__file__).read_text()
    for name in EXAMPLES:
        assert f'example("{name}")' in text
        assert len((ROOT / "examples" / name).read_text().splitlines()) < 45


def test_directions_are_found_and_drawn(example, tmp_path):
    assert example("discover_and_render.py").count("changes the image by") == 4
    assert Directions.load(tmp_path / "directions.safetensors").vectors.shape[0] == 4
    assert (tmp_path / "directions.png").read_bytes().startswith(b"\x89PNG")


def test_rtd_falls(example):
    values = [float(value) for value in re.findall(r"RTD (\d+\.\d+)", example("rtd_as_a_loss.py"))]
    assert len(values) == 6 and values[-1] < values[0] / 2


def test_codes_of_one_factor_each_score_higher_than_their_rotation(example):
    rows = example("score_your_codes.py").splitlines()
    scores = {row[:22].strip(): [float(value) for value in row[22:].split()] for row in rows[1:15]}
    for name in ("MIG", "SAP", "DCI disentanglement", "FactorVAE score"):
        assert scores[name][0] > scores[name][1] + 0.2


def test_faces_say_how_they_are_found(example):
    assert example("faces.py").rstrip().endswith("ganwalk discover --generator examples.faces:faces --n-directions 8")
