"""Presets: what they hold can be trained, what is unknown is named, and stays so until it is given."""

from dataclasses import asdict

import pytest

from vae.objectives import check_options
from vae.presets import PRESETS, unknowns_help
from vae.settings import TrainingSettings, changed, from_json, to_json


def preset(name):
    chosen = PRESETS[name]
    return from_json({**chosen.values, "unknown": list(chosen.unknown)}, name)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_settings(name):
    settings = preset(name)
    check_options(settings.objective, settings.options)
    assert from_json(to_json(settings), name) == settings
    values = to_json(settings)
    options = asdict(check_options(settings.objective, settings.options))
    for unknown in settings.unknown:
        part, _, inner = unknown.rpartition(".")
        assert inner in {"": values, "topdis": values["topdis"], "options": options}[part]
        # What is unknown has our default.
        assert inner not in (PRESETS[name].values.get(part, {}) if part else PRESETS[name].values)


def test_what_their_code_cannot_train_is_no_preset_or_unknown():
    assert "topdis-faces3d-factor" not in PRESETS and "topdis-faces3d-beta" in PRESETS
    assert {"layers", "hidden", "initialisation"} < set(PRESETS["topdis-faces3d-betatc"].unknown)
    assert "layers" not in PRESETS["topdis-shapes3d-betatc"].unknown


def test_the_cpu_preset_is_the_default_with_a_smaller_weight():
    settings = preset("cpu")
    assert settings.topdis.gamma == 1 and not settings.unknown
    assert changed(settings, {"topdis_gamma": 5.0}) == TrainingSettings()


def test_a_released_command_is_known_whole():
    settings = preset("topdis-mpi3d-factor")
    assert settings.unknown == () and settings.dataset == "mpi3d-complex"
    assert (settings.lr, settings.steps, settings.batch, settings.initialisation) == (1e-4, 1_000_000, 64, "normal")
    assert settings.options == {"gamma": 5.0} and settings.topdis.gamma == 6 and settings.topdis.orthogonal
    assert settings.topdis.delay * settings.steps == 100_000
    tc = preset("topdis-dsprites-betatc")
    assert (tc.lr, tc.layers, tc.options["beta"], tc.topdis.batch) == (1e-3, "wide", 6.0, "redrawn")
    assert tc.topdis.delay * tc.steps == pytest.approx(100_000)
    assert preset("topdis-dsprites-dava").clip == 1 and preset("topdis-dsprites-dava").batch == 128


def test_what_is_given_is_unknown_no_longer():
    settings = preset("topdis-shapes3d-beta")
    assert {"options.beta", "topdis.gamma"} < set(settings.unknown)
    given = changed(settings, {"beta": 6.0})
    assert "options.beta" not in given.unknown and "topdis.gamma" in given.unknown
    assert changed(settings, {"topdis": False}).unknown == ("options.beta",)
    assert "options.beta" not in changed(settings, {"objective": "factor"}).unknown
    assert to_json(settings)["unknown"] == list(settings.unknown)


def test_help_names_every_gap():
    text = unknowns_help()
    for name, chosen in PRESETS.items():
        assert not chosen.unknown or name.removeprefix("topdis-") in text
        assert all(unknown in text for unknown in chosen.unknown)
