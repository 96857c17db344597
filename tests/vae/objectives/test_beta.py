"""β-VAE: the weight of Higgins et al., and the capacity of Burgess et al., by hand."""

import math

import pytest
import torch

from tests.vae.objectives.contexts import code_context
from vae.objectives import make_objective


def loss(kl, *, step=0, steps=100, **options):
    """The loss of a step with this KL divergence: half of it in each of two codes with unit variance."""
    objective = make_objective("beta", options, z_dim=2, image_shape=(1, 32, 32))
    context = code_context(torch.full((3, 2), math.sqrt(kl)), torch.zeros(3, 2), step=step, steps=steps)
    return objective(context).loss.item()


def test_the_divergence_is_weighted():
    assert loss(3.0) == pytest.approx(4 * 3)
    assert loss(3.0, beta=0.5) == pytest.approx(1.5)


@pytest.mark.parametrize(("step", "capacity"), [(0, 0.0), (10, 5.0), (20, 10.0), (40, 20.0), (99, 20.0)])
def test_the_capacity_grows_to_its_end(step, capacity):
    """Linearly over the first 40 of 100 steps, and the distance counts on both sides."""
    for kl in (7.0, 12.0):
        found = loss(kl, step=step, capacity=20.0, capacity_until=0.4, capacity_weight=10.0)
        assert found == pytest.approx(10 * abs(kl - capacity), rel=1e-5)


def test_a_capacity_that_need_not_grow():
    assert loss(7.0, capacity=20.0, capacity_until=0.0, capacity_weight=2.0) == pytest.approx(26)
