"""Names after factors, names that are there already, and names that several directions would have."""

from dataclasses import replace

import pytest

from ganwalk.directions.labels import MAX_NAME, Label, check_unique
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import Factor, factor_reader
from ganwalk.generators.loading import load_generator
from ganwalk.naming.settings import NamingSettings
from ganwalk.naming.suggest import choose_reader, seconds_of_naming, suggest_names
from ganwalk.naming.words import Suggestion, after_factor, with_names
from tests.evaluation.known import axes_of, rotated

FACTORS = (Factor("scale"), Factor("hue", "circular"), Factor("shape", "categorical"))


def named(effects, signed, factors=FACTORS, purity=0.4):
    return after_factor(factors, effects, signed, purity)


def test_a_direction_is_called_after_the_factor_that_it_moves_most():
    found = named([0.84, 0.2, 0.04], [0.8, 0.1, 0])
    assert (found.name, found.note) == ("more scale", "scale rises; 78 % of its effect; 0.84 σ per σ")
    assert named([0.84, 0.2, 0.04], [-0.8, 0.1, 0]).name == "less scale"
    assert found.facts["signed"] == {"scale": 0.8, "hue": 0.1, "shape": 0} and found.facts["purity"] > 0.7


def test_what_has_no_more_and_less_has_no_sign():
    either = named([0.9, 0, 0], [0.2, 0, 0])
    assert (either.name, either.note) == ("scale", "scale changes; 100 % of its effect; 0.90 σ per σ")
    assert named([0, 0.9, 0], [0, -0.9, 0]).name == "hue" and "turns backwards" in named([0, 1, 0], [0, -1, 0]).note
    assert named([0, 0, 0.9], [0, 0, 0]).name == "shape"


def test_mixtures_are_unclear_and_nothing_is_no_effect():
    mixed = named([0.5, 0.4, 0.4], [0.5, 0.4, 0])
    assert mixed.name == "unclear"
    assert mixed.note == "scale 0.50 σ per σ and hue 0.40 σ per σ; the first is 38 % of its effect"
    # Nearly 40 % is too little, and is not said to be as much.
    assert named([0.3995, 0.3, 0.3005], [0, 0, 0]).note.endswith("the first is 39 % of its effect")
    assert named([0.5, 0.4, 0.4], [0.5, 0.4, 0], purity=0.3).name == "more scale"
    assert named([0.05, 0, 0], [0.05, 0, 0]).name == "no effect"
    assert "scale 0.50" in named([0.5, 0.7], [0.5, 0.7], FACTORS[:2], purity=0.9).note


@pytest.mark.parametrize("name", ["7", "all", "ALL", "x" * 200, "a\tb"])
def test_every_factor_gives_a_name_that_a_direction_may_have(name):
    for signed in (1.0, 0.0):
        found = named([1.0], [signed], (Factor(name),))
        assert with_names([Label()], {0: found})[0].name


def test_names_are_unique_and_given_ones_stay():
    labels = (Label(), Label("Smile", "mine"), Label(note="wide"), Label("hue 2"), Label())
    found = {k: Suggestion("hue", "why") for k in range(5)}
    kept = with_names(labels, found)
    assert [label.name for label in kept] == ["hue", "Smile", "hue 3", "hue 2", "hue 4"]
    assert [label.note for label in kept] == ["why", "mine", "wide", "", "why"]
    forced = with_names(labels, found, force=True)
    assert [label.name for label in forced] == ["hue", "hue 2", "hue 3", "hue 4", "hue 5"]
    assert {label.note for label in forced} == {"why"}
    # Of those that are not named now, names are taken as well.
    assert with_names((Label("Hue", starred=True), Label(hidden=True)), {1: found[1]}) == (
        Label("Hue", starred=True),
        Label("hue 2", "why", hidden=True),
    )
    many = with_names([Label()] * 120, dict.fromkeys(range(120), Suggestion("x" * MAX_NAME, "y" * 900)))
    check_unique(many)
    assert all(label.name for label in many)


def test_true_axes_of_blobs_have_the_names_of_their_factors():
    generator = load_generator("blobs-dead")
    truth = axes_of(generator)
    flipped = replace(truth, vectors=-truth.vectors)
    settings = NamingSettings(samples=64)
    for directions, word in ((truth, "more"), (flipped, "less")):
        found = suggest_names(generator, directions, settings, reader=factor_reader(generator))
        assert [one.name for one in found] == [f"{word} {factor}" for factor in generator.factor_names]
    mixed = suggest_names(generator, rotated(truth), settings, reader=factor_reader(generator))
    assert "unclear" in [one.name for one in mixed]


def test_the_reader_is_what_the_settings_ask_for(toy):
    scenes = load_generator("scenes")
    reader = choose_reader(scenes, "auto")
    assert reader is not None and choose_reader(scenes, "look") is None and choose_reader(toy, "auto") is None
    assert choose_reader(toy, "factors", reader) is reader
    with pytest.raises(GanwalkError, match="give --classifier FILE"):
        choose_reader(toy, "factors")
    with pytest.raises(GanwalkError, match="leave --classifier out"):
        choose_reader(toy, "look", reader)
    assert seconds_of_naming(scenes, [0], NamingSettings(), reader) > 0
    blobs = load_generator("blobs")
    # Of blobs, factors are read off latents.
    assert seconds_of_naming(blobs, axes_of(blobs), NamingSettings(), factor_reader(blobs)) == 0


def test_few_samples_of_large_networks():
    class Large:
        resolution = 1024

    assert NamingSettings().resolve(Large()).samples == 6 and NamingSettings(samples=9).resolve(Large()).samples == 9
    with pytest.raises(GanwalkError, match="samples must be at least 2"):
        NamingSettings(samples=1)
    with pytest.raises(GanwalkError, match="truncation must not be 0"):
        NamingSettings(truncation_psi=0)
