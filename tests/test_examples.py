"""The examples run as they are, and print what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import nbclient
import nbformat
import pytest

from ganwalk.directions import Directions

ROOT = Path(__file__).parents[1]
EXAMPLES = {path.name for path in (ROOT / "examples").glob("*.py")}
NOTEBOOKS = {path.name for path in (ROOT / "examples").glob("*.ipynb")}

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


@pytest.fixture
def notebook(tmp_path, monkeypatch):
    """Runs a notebook in an empty folder and returns what its cells printed, and how many pictures they show."""

    def call(name):
        monkeypatch.setenv("PYTHONPATH", str(ROOT))
        cells = nbformat.read(ROOT / "examples" / name, as_version=4)
        nbclient.NotebookClient(cells, kernel_name="python3", resources={"metadata": {"path": tmp_path}}).execute()
        outputs = [output for cell in cells.cells for output in cell.get("outputs", [])]
        printed = "".join(output.text for output in outputs if output.output_type == "stream")
        return printed, sum("image/png" in output.get("data", {}) for output in outputs)

    return call


def test_each_is_short_and_tested():
    text = Path(__file__).read_text()
    for name in NOTEBOOKS:
        assert f'notebook("{name}")' in text
        # What a run leaves in a notebook is of that machine.
        cells = nbformat.read(ROOT / "examples" / name, as_version=4).cells
        assert all(cell.outputs == [] and cell.execution_count is None for cell in cells if cell.cell_type == "code")
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


def test_an_autoencoder_keeps_more_of_the_shape_with_rtd(example):
    plain, trained = (float(value) for value in re.findall(r"codes (\d+\.\d+)", example("rtd_autoencoder.py")))
    assert trained < 0.85 * plain


def test_codes_of_one_factor_each_score_higher_than_their_rotation(example):
    rows = example("score_your_codes.py").splitlines()
    scores = {row[:22].strip(): [float(value) for value in row[22:].split()] for row in rows[1:15]}
    for name in ("MIG", "SAP", "DCI disentanglement", "FactorVAE score"):
        assert scores[name][0] > scores[name][1] + 0.2


def test_faces_say_how_they_are_found(example):
    assert example("faces.py").rstrip().endswith("ganwalk discover --generator examples.faces:faces --n-directions 8")


def test_directions_of_an_own_network_are_of_its_layers(example, tmp_path):
    assert "in w of 8 dimensions, layers 1-2" in example("own_network.py")
    assert len(Directions.load(tmp_path / "directions.safetensors")) == 3


def test_a_notebook_discovers_and_shows_directions(notebook, tmp_path):
    printed, pictures = notebook("discover_and_look.ipynb")
    assert printed.count("changes the image by") == 4 and pictures == 3
    assert len(Directions.load(tmp_path / "directions.safetensors")) == 4


def test_a_notebook_scores_codes_higher_than_their_rotation(notebook):
    printed, pictures = notebook("score_your_own_codes.ipynb")
    rows = {row[:22].strip(): row[22:].split() for row in printed.splitlines() if not row.endswith("rotated")}
    for name in ("MIG", "SAP", "DCI disentanglement"):
        assert float(rows[name][0]) > float(rows[name][1]) + 0.2
    assert pictures == 1
