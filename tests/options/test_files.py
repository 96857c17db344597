"""Settings in files: --config of discover, and the metrics.json of a run."""

import json
from pathlib import Path

import pytest

from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.options.files import load_settings


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_options_go_over_a_file(run):
    Path("run.json").write_text(json.dumps({"n_directions": 2, "steps": 1, "batch": 6, "compared": ["pca"]}))
    assert run("discover", "-g", "blobs", "--config", "run.json", "--steps", 3, "-q")[0] == 0
    metrics = json.loads(Path("ganwalk-out/metrics.json").read_text())
    assert metrics["steps_done"] == 3 and len(metrics["rtd"]) == 2 and list(metrics["bases"]) == ["rtd", "pca"]
    # What a run wrote makes it again.
    assert run("discover", "-g", "blobs", "--config", "ganwalk-out/metrics.json", "-o", "again", "-q")[0] == 0
    again = json.loads(Path("again/metrics.json").read_text())
    assert again["rtd"] == metrics["rtd"] and again["settings"] == metrics["settings"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is no JSON"),
        ("[1]", "holds no settings"),
        ('{"step": 1}', "unknown setting step"),
        ('{"steps": "many"}', "steps cannot be 'many'"),
        ('{"steps": -1}', "steps must not be negative"),
        ("[" * 100_000, "is no JSON"),
        ('{"settings": {"steps": 1}, "batch": 7}', 'has batch beside "settings": put it inside'),
    ],
)
def test_files_that_are_no_settings(run, text, words):
    Path("run.json").write_text(text)
    code, _, err = run("discover", "-g", "blobs", "--config", "run.json")
    assert code == 2 and words in err and len(err.splitlines()) == 1
    with pytest.raises(GanwalkError, match=r"no.json does not exist: give settings, such as"):
        load_settings(DiscoverySettings, Path("no.json"))
