"""Frames are the generator's: keyframes as samples show them, walks as grids do, ways that close."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from ganwalk.animation.frames import Animation, Walk
from ganwalk.animation.settings import AnimationSettings
from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.rendering.images import to_bytes, traverse
from ganwalk.samples import DrawnSamples, StoredSamples

SETTINGS = AnimationSettings(seconds=0.5, fps=8, size=16)
SEEDS = [DrawnSamples((seed,)) for seed in (1, 5, 9)]
FRAMES = 4


def video(generator, keyframes=SEEDS, settings=SETTINGS, **options):
    plan = Animation(generator, keyframes, settings, **options).plan()
    return np.stack(list(plan.frames(0, len(plan)))).astype(int)


def picture(generator, samples):
    with torch.no_grad():
        return to_bytes(generator.synthesis(samples.styles(generator)))[0].astype(int)


def same(a, b):
    """But for the last bits of batches of different sizes."""
    return np.abs(a - b).max() <= 1


def directions_in(generator, space, dim):
    return Directions(torch.eye(dim)[:2], torch.ones(2), space, generator.identity)


@pytest.mark.parametrize("interpolation", [None, "slerp", "linear", "spline"])
def test_keyframes_are_the_samples(toy, interpolation):
    frames = video(toy, settings=replace(SETTINGS, interpolation=interpolation), batch=3)
    assert frames.shape == (2 * FRAMES + 1, 16, 16, 3)
    for k, keyframe in enumerate(SEEDS):
        assert same(frames[FRAMES * k], picture(toy, keyframe))
    assert not same(frames[1], frames[0])


def test_parts_of_whole_batches_are_the_same_wherever_they_begin(toy):
    plan = Animation(toy, SEEDS, SETTINGS, batch=4).plan()
    whole = list(plan.frames(0, len(plan)))
    assert np.array_equal(np.stack(whole[4:]), np.stack(list(plan.frames(4, len(plan)))))


@pytest.mark.parametrize("interpolation", ["slerp", "spline"])
def test_a_loop_closes_smoothly(toy, interpolation):
    settings = replace(SETTINGS, interpolation=interpolation, loop=True, fps=40)
    frames = video(toy, settings=settings)
    steps = [np.abs(a - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
    assert len(frames) == 60 and 0 < steps[-1] < 2 * np.median(steps)


@pytest.mark.parametrize("space", ["z", "w"])
@pytest.mark.parametrize("truncation", [(1.0, 1.0), (0.6, 0.6)])
def test_walks_are_those_of_grids(toy, space, truncation):
    directions = directions_in(toy, space, 8 if space == "z" else 12)
    walk = Walk(directions, [Move(1, 2.0)])
    settings = replace(SETTINGS, ease=False, truncation=truncation)
    frames = video(toy, SEEDS[:2], settings, walk=walk)
    assert len(frames) == 3 * FRAMES + 1
    for start, keyframe in ((0, SEEDS[0]), (2 * FRAMES, SEEDS[1])):
        shown = replace(keyframe, truncation_psi=truncation[0])
        expected = traverse(toy, directions, walk.edit, [0.0, 1.0, 0.0, -1.0], shown, batch=4)[0]
        assert same(frames[start : start + FRAMES], expected.astype(int))
    assert not same(frames[1], frames[3])


@pytest.mark.parametrize("interpolation", ["slerp", "spline"])
@pytest.mark.parametrize("cutoff", [None, 2])
def test_truncation_sweeps(toy, interpolation, cutoff):
    settings = replace(SETTINGS, interpolation=interpolation, truncation=(0.3, 1.0))
    frames = video(toy, settings=settings, cutoff=cutoff)
    first = DrawnSamples((1,), truncation_psi=0.3, truncation_cutoff=cutoff)
    assert same(frames[0], picture(toy, first)) and same(frames[-1], picture(toy, SEEDS[-1]))
    assert not same(frames[0], picture(toy, SEEDS[0]))


def test_seeds_and_styles_mix_in_w(toy):
    stored = StoredSamples(torch.randn(1, toy.num_layers, toy.w_dim, generator=torch.Generator().manual_seed(0)), "w")
    settings = replace(SETTINGS, truncation=(0.5, 0.5))
    frames = video(toy, [SEEDS[0], stored], settings)
    # What was given is shown as it is, and seeds are truncated.
    assert same(frames[-1], picture(toy, stored))
    assert same(frames[0], picture(toy, replace(SEEDS[0], truncation_psi=0.5)))
    with pytest.raises(GanwalkError, match="use --interpolation spline"):
        video(toy, [SEEDS[0], stored], replace(SETTINGS, interpolation="slerp"))
    with pytest.raises(GanwalkError, match="directions in z cannot shift"):
        Animation(toy, [SEEDS[0], stored], SETTINGS, Walk(directions_in(toy, "z", 8), [Move(0, 1.0)]))
    with pytest.raises(GanwalkError, match="styles are shown as they are"):
        video(toy, [stored, stored], settings)


def test_codes_mix_with_seeds(toy):
    code = StoredSamples(torch.ones(1, toy.z_dim), "z")
    frames = video(toy, [SEEDS[0], code], replace(SETTINGS, interpolation="slerp"))
    assert same(frames[-1], picture(toy, code))


def test_classes_are_passed_through():
    torch.manual_seed(0)
    config = StyleGAN2Config(
        img_resolution=16, z_dim=8, w_dim=12, c_dim=3, mapping_layers=2, channel_base=128, channel_max=8
    )
    generator = StyleGAN2(config).eval().requires_grad_(False)
    keyframes = [DrawnSamples((1,), class_index=0), DrawnSamples((1,), class_index=2)]
    for interpolation in ("slerp", "spline"):
        settings = replace(SETTINGS, interpolation=interpolation)
        plan = Animation(generator, keyframes, settings).plan()
        frames = np.stack(list(plan.frames(0, len(plan)))).astype(int)
        assert same(frames[0], picture(generator, keyframes[0])) and same(frames[-1], picture(generator, keyframes[1]))


def test_generators_without_w_go_through_z(blobs):
    frames = video(blobs, settings=replace(SETTINGS, size=32))
    assert same(frames[FRAMES], picture(blobs, SEEDS[1]))
    with pytest.raises(GanwalkError, match="no w space: use --interpolation slerp"):
        video(blobs, settings=replace(SETTINGS, interpolation="spline"))


def test_an_even_pace_changes_the_picture_evenly(blobs):
    def unevenness(pace):
        settings = AnimationSettings(seconds=2, fps=12, size=32, loop=True, pace=pace)
        frames = video(blobs, settings=settings)
        assert len(frames) == 72
        steps = np.array([np.sqrt(np.square(a - b).mean()) for a, b in pairwise(frames)])
        return steps.std() / steps.mean()

    assert unevenness("even") < 0.6 * unevenness("steady")


def test_small_images_are_enlarged_and_large_ones_are_not(toy, blobs):
    def size(generator, resolution=None):
        generator.resolution = resolution or generator.resolution
        codes_only = AnimationSettings().resolve(generator, codes=True, walks=False)
        return codes_only.size

    assert (size(toy), size(blobs)) == (256, 256)
    assert (size(toy, 100), size(toy, 512), size(toy, 333), size(toy, 8192)) == (300, 512, 334, 4096)


def test_animations_of_nothing_are_refused(toy):
    for keyframes, options, message in (
        ([], {}, "at least one keyframe"),
        (SEEDS, {"batch": 0}, "a batch of one"),
        (SEEDS[:1], {}, "nothing moves"),
        (SEEDS, {"cutoff": 2}, "no effect without truncation"),
        ([DrawnSamples((1,), class_index=3)], {}, "not class-conditional"),
    ):
        with pytest.raises(GanwalkError, match=message):
            Animation(toy, keyframes, SETTINGS, **options).plan()
