"""What each frame shows: keyframes fall on frames, loops have no doubled frame, walks come back."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ganwalk.animation.settings import AnimationSettings, format_truncation, parse_truncation
from ganwalk.animation.timeline import Pace, moments
from ganwalk.errors import GanwalkError

SETTINGS = AnimationSettings(interpolation="linear", ease=False, seconds=1, fps=10, size=32)
LOOP = replace(SETTINGS, loop=True)


def positions(*arguments, **options):
    return [one.position for one in moments(*arguments, **options)]


def test_an_open_way_ends_at_its_last_keyframe():
    found = positions(3, SETTINGS)
    assert len(found) == 21 and found[0] == 0 and found[10] == 1 and found[-1] == 2
    assert np.allclose(np.diff(found), 0.1)


def test_a_loop_ends_one_frame_before_its_beginning():
    found = positions(3, LOOP)
    assert len(found) == 30 and found[0] == 0 and np.allclose(np.diff([*found, 3]), 0.1)


def test_eased_ways_stop_at_keyframes():
    found = np.array(positions(2, replace(SETTINGS, ease=True, fps=100)))
    steps = np.diff(found)
    assert steps[0] < 0.05 * steps.max() and steps[-1] < 0.05 * steps.max()


@pytest.mark.parametrize("settings", [SETTINGS, LOOP])
def test_one_keyframe_with_a_walk_is_the_walk_alone(settings):
    found = moments(1, settings, walks=True)
    assert len(found) == 10 and {one.position for one in found} == {0}
    assert np.allclose([one.fraction for one in found], [math.sin(2 * math.pi * k / 10) for k in range(10)])
    only_there = [one.fraction for one in moments(1, settings, walks=True, there_and_back=False)]
    assert only_there[0] == 0 and max(only_there) == only_there[5] == pytest.approx(1) and min(only_there) == 0


def test_walks_are_at_every_keyframe_and_ways_between_them():
    found = moments(2, SETTINGS, walks=True)
    assert len(found) == 31
    assert [one.position for one in found[:10]] == [0] * 10 and [one.position for one in found[20:]] == [1] * 11
    assert all(one.fraction == 0 for one in found[10:20]) and max(one.fraction for one in found[20:]) > 0.9
    assert found[-1].fraction == 0
    assert len(moments(2, LOOP, walks=True)) == 40


def test_sweeps_of_the_truncation():
    sweep = replace(SETTINGS, truncation=(0.5, 1.0))
    psis = [one.psi for one in moments(2, sweep)]
    assert psis[0] == 0.5 and psis[-1] == 1 and np.allclose(np.diff(psis), 0.05)
    there_and_back = [one.psi for one in moments(2, replace(sweep, loop=True))]
    assert there_and_back[0] == 0.5 and there_and_back[10] == pytest.approx(1) and len(there_and_back) == 20
    assert there_and_back[1] == pytest.approx(there_and_back[-1])
    alone = moments(1, sweep)
    assert len(alone) == 11 and {one.position for one in alone} == {0} and alone[-1].psi == 1
    assert {one.psi for one in moments(2, replace(SETTINGS, truncation=(0.7, 0.7)))} == {0.7}
    with pytest.raises(GanwalkError, match="nothing moves with one keyframe"):
        moments(1, SETTINGS)


def test_a_pace_spreads_the_frames_but_keeps_keyframes_on_frames():
    pace = Pace([0.25, 0.75], [lambda share: share, lambda share: share**2])
    found = positions(3, SETTINGS, pace=pace)
    assert len(found) == 21 and found[5] == 1 and found[-1] == 2
    assert found[6] == pytest.approx(1 + 1 / 15**2)
    # However little a part changes, it has a frame.
    assert positions(3, SETTINGS, pace=replace(pace, shares=[0.0, 1.0]))[1] == 1


def test_truncations_as_people_type_them():
    assert parse_truncation("0.7") == (0.7, 0.7) and parse_truncation("0.5..1") == (0.5, 1.0)
    for text in ("0.7", "0.5..1", "1..-0.5"):
        assert format_truncation(parse_truncation(text)) == text
    for wrong in ("", "a", "0.5..", "..1", "0.5-1", "nan", "0..inf"):
        with pytest.raises(GanwalkError, match=r"neither a number such as 0\.7 nor a sweep"):
            parse_truncation(wrong)
    for far in ("10.5", "0..-11"):
        with pytest.raises(GanwalkError, match="out of bounds: between -10 and 10"):
            parse_truncation(far)


@pytest.mark.parametrize("change", [{"fps": 0}, {"seconds": 0.0}, {"size": 8}, {"pace": "odd"}, {"interpolation": "x"}])
def test_settings_are_checked(change):
    with pytest.raises(GanwalkError):
        AnimationSettings(**change)
