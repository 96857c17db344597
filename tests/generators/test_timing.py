"""What is counted and timed of a synthesis, but not how long it takes."""

import torch

from ganwalk.generators.base import device_of, sample_z
from ganwalk.generators.timing import Watched, seconds_per_latent


def test_a_watched_generator_is_the_generator_and_counts(toy):
    counts = []
    watched = Watched(toy, counts.append)
    z = sample_z(watched, 3, 0)
    w = watched.mapping(z)
    assert torch.equal(watched.synthesis(w, until=1), toy.synthesis(w, until=1)) and counts == [3]
    assert watched.num_layers == toy.num_layers and device_of(watched) == device_of(toy)


def test_few_latents_are_timed_and_no_more_layers_than_asked_for(toy):
    shapes = []
    toy.synthesis.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    assert seconds_per_latent(toy, 2, batch=3) > 0
    assert shapes == [(3, 8, 8, 8)] * 2
    shapes.clear()
    seconds_per_latent(toy)
    assert {shape[2:] for shape in shapes} == {(16, 16)}
