"""Penalties of several syntheses: the memory of one of them at a time, and the same gradient."""

import pytest
import torch

from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import sample_latents


@pytest.mark.parametrize("method", ["hessian", "orojar"])
@pytest.mark.parametrize("space", ["w", "z"])
def test_memory_is_bounded_by_the_chunk_without_a_change(toy, method, space):
    gradients, kept = {}, {}
    for chunk in (48, 47):
        settings = DiscoverySettings(n_directions=4, method=method, space=space, batch=12, chunk=chunk).resolve(toy)
        subspace = search_space(toy, settings)
        steps = subspace.steps(subspace.components, 2.0).requires_grad_()
        latents = sample_latents(toy, settings.view(), 12, 0)
        objective = METHODS[method].objective(toy, settings, None)
        kept[chunk] = 0

        def pack(values, chunk=chunk):
            kept[chunk] += values.numel()
            return values

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda values: values):
            objective.accumulate(latents, steps, 1, Timing())
        gradients[chunk] = steps.grad
    assert torch.equal(gradients[48], gradients[47]) and gradients[48].abs().max() > 0
    assert kept[47] < kept[48] / 5
