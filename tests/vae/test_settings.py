"""Settings: written and read back, and what the command line changes of them."""

import json

import pytest

from ganwalk.errors import GanwalkError
from vae.settings import TopDisSettings, TrainingSettings, changed, from_json, load_settings, run_name, to_json


@pytest.mark.parametrize(
    "settings",
    [
        TrainingSettings(),
        TrainingSettings(topdis=None, correlated=(("scale", "pos_x"),), options={"beta": 2.0}, hidden=32),
        TrainingSettings(topdis=TopDisSettings(gamma=1.5, card=50, sampler="uniform"), resolution=64),
    ],
)
def test_settings_come_back(tmp_path, settings):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(to_json(settings)))
    assert load_settings(path) == settings


def test_a_part_keeps_the_other_defaults():
    assert from_json({"steps": 5}, "here") == TrainingSettings(steps=5)
    assert from_json({"topdis": {"gamma": 2}}, "here").topdis == TopDisSettings(gamma=2)
    assert from_json({"topdis": None}, "here").topdis is None


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"colour": 1}',
        '{"topdis": {"gamme": 1}}',
        '{"topdis": {"gamma": -1}}',
        '{"topdis": 3}',
        '{"steps": 0}',
        '{"steps": "many"}',
        '{"steps": true}',
        '{"lr": "fast"}',
        '{"batch": 2.5}',
        '{"correlated": [["a"]]}',
        '{"correlated": "ab"}',
        '{"options": []}',
        '{"dataset": 5}',
        "[" * 100_000,
    ],
)
def test_what_does_not_fit_is_refused_by_name(tmp_path, text):
    path = tmp_path / "broken.json"
    path.write_text(text)
    with pytest.raises(GanwalkError, match=r"broken\.json"):
        load_settings(path)


def test_missing_files_are_refused(tmp_path):
    with pytest.raises(GanwalkError, match="does not exist"):
        load_settings(tmp_path / "none.json")


def test_options_go_over_the_base():
    base = TrainingSettings(options={"beta": 2.0}, steps=7)
    assert changed(base, {}) == base
    assert changed(base, {"seed": 3}).seed == 3
    assert changed(base, {"capacity": 25.0}).options == {"beta": 2.0, "capacity": 25.0}
    assert changed(base, {"objective": "factor", "gamma": 5.0}).options == {"gamma": 5.0}
    assert changed(base, {"topdis_gamma": 1.0}).topdis == TopDisSettings(gamma=1.0)
    assert changed(base, {"topdis": False}).topdis is None


def test_the_term_comes_and_goes():
    without = TrainingSettings(topdis=None)
    assert changed(without, {}).topdis is None
    assert changed(without, {"topdis": True}).topdis == TopDisSettings()
    assert changed(without, {"topdis_delay": 0.5}).topdis == TopDisSettings(delay=0.5)
    with pytest.raises(GanwalkError, match="--no-topdis"):
        changed(without, {"topdis": False, "topdis_gamma": 1.0})


def test_names_of_runs():
    assert run_name(TrainingSettings()) == "sprites-beta-topdis-seed0"
    assert run_name(TrainingSettings(topdis=None, seed=2, dataset="scenes")) == "scenes-beta-seed2"
