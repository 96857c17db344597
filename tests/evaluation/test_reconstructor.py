"""The reconstructor tells directions apart exactly where they can be told apart."""

from dataclasses import replace

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.evaluation.reconstructor import latents_of_pairs, reconstruct
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from tests.evaluation.known import axes_of
from tests.evaluation.linear import Planes


def planes(rows, **changes):
    directions = Directions(torch.eye(4)[rows], torch.ones(len(rows)), "z", Planes.identity)
    generator = Planes()
    return reconstruct(generator, directions, view_of(generator, directions), pairs=256, **changes)


def test_halves_of_the_picture_are_told_apart_with_their_amplitudes():
    found = planes([0, 1])
    assert found.accuracy > 0.95 and found.amplitude_error < 0.5 and found.pairs == 192


def test_equal_directions_and_dead_ones_cannot_be_told():
    # One of two equal ones is guessed right half of the time; a dead one is mistaken for nothing.
    found = planes([0, 0, 1])
    assert found.recall[:2].mean() < 0.75 < found.recall[2]
    dead = planes([0, 1, 2])
    assert dead.recall[2] < 0.8 < dead.recall[:2].min()


def test_blobs_by_seed_and_without_a_trace_in_the_random_state():
    generator = load_generator("blobs")
    directions = replace(axes_of(generator), layers=None)
    view = view_of(generator, directions)
    torch.manual_seed(4)
    state, shares = torch.get_rng_state(), []
    first, again = (reconstruct(generator, directions, view, pairs=200, on_share=shares.append) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.recall, again.recall) and first.amplitude_error == again.amplitude_error
    assert first.accuracy > 0.5 and shares[-1] == pytest.approx(1)


def test_features_of_many_channels_are_seen_by_their_principal_components():
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=32, z_dim=8, w_dim=12, mapping_layers=2, channel_base=1024, channel_max=32)
    generator = StyleGAN2(config).eval().requires_grad_(False)
    generator.identity = GeneratorIdentity("wide", "0" * 64, "stylegan2", 32)
    made = []
    generator.synthesis.register_forward_hook(lambda module, inputs, output: made.append(tuple(output.shape)))
    found = {}
    for name, rows in (("different", [0, 1]), ("equal", [0, 0])):
        directions = Directions(torch.eye(12)[rows], torch.ones(2), "w", generator.identity)
        view = view_of(generator, directions, layer=2)
        found[name] = reconstruct(generator, directions, view, pairs=256, amplitude=2.0)
    assert found["different"].accuracy > 0.9 > 0.75 > found["equal"].accuracy
    # No image was made, and as many features as are announced.
    assert {shape[1:] for shape in made} == {(32, 8, 8)}
    assert sum(shape[0] for shape in made) == 2 * latents_of_pairs(2, 256)


def test_styles_of_some_layers_are_shifted(toy):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity, layers=(1, 3), method="rtd")
    found = reconstruct(toy, directions, view_of(toy, directions), pairs=64, epochs=1)
    assert found.recall.shape == (2,) and 0 <= found.accuracy <= 1
