"""ControlVAE: the controller's numbers, where it goes, and that it comes back."""

import math
from itertools import pairwise

import pytest
import torch

from tests.vae.objectives.contexts import code_context
from vae.objectives import make_objective


def make(**options):
    return make_objective("control", options, z_dim=1, image_shape=(1, 32, 32))


def at(kl, step=0, steps=100):
    """A step whose KL divergence is this: one code with unit variance."""
    return code_context(torch.tensor([[math.sqrt(2 * kl)]]), torch.zeros(1, 1), step=step, steps=steps)


def follow(objective, kls):
    """β of successive steps with these KL divergences; the capacity stays where it is at step 0."""
    betas = []
    for kl in kls:
        betas.append(objective(at(kl)).logs["beta"].item())
        objective.update(at(kl))
    return betas


FIXED = {"capacity": 5.0, "capacity_start": 5.0}


def test_output_by_hand():
    """e = -1, then -3: each adds Kp / (1 + exp e) to what -Ki Σe has become."""
    first, second = follow(make(**FIXED), [6.0, 8.0])
    assert first == pytest.approx(1 + 0.01 / (1 + math.exp(-1)) + 0.001, abs=1e-6)
    assert second == pytest.approx(1 + 0.01 / (1 + math.exp(-3)) + 0.004, abs=1e-6)


def test_loss_is_beta_times_kl_and_beta_has_no_gradient():
    mean = torch.tensor([[2.0]], requires_grad=True)
    terms = make(**FIXED, kp=1.0)(code_context(mean, torch.zeros(1, 1)))
    beta = terms.logs["beta"]
    assert terms.loss.item() == pytest.approx(2 * beta.item())
    assert not beta.requires_grad
    (gradient,) = torch.autograd.grad(terms.loss, mean)
    assert gradient.item() == pytest.approx(2 * beta.item())


def test_beta_grows_above_the_set_point_and_falls_below_it():
    objective = make(**FIXED)
    rising = follow(objective, [9.0] * 50)
    falling = follow(objective, [3.0] * 50)
    assert rising == sorted(rising) and rising[-1] > rising[0] + 0.1
    assert falling == sorted(falling, reverse=True) and falling[-1] < rising[-1]


def test_beta_is_bounded_and_the_integral_does_not_wind_up():
    """However long it stays below, it takes no longer to come back."""
    short, long = make(**FIXED), make(**FIXED)
    assert set(follow(short, [1.0] * 30)[10:]) == {1.0}
    follow(long, [1.0] * 500)
    assert short.integral == long.integral
    assert follow(short, [8.0] * 20)[-1] > 1.03


def test_one_step_far_below_does_not_hold_it_for_good():
    objective = make(**FIXED, ki=0.1)
    follow(objective, [0.0])
    assert objective.integral.item() == pytest.approx(-0.5)
    assert follow(objective, [8.0] * 10)[-1] > 2


def test_overflow_of_the_exponential_saturates():
    assert follow(make(capacity=1000.0, capacity_start=1000.0), [0.0]) == [1.0]
    assert follow(make(capacity=0.0, capacity_start=0.0, ki=0.0), [1000.0]) == [pytest.approx(1.01)]


def test_capacity_grows_by_stairs_or_along_a_line():
    options = {"capacity": 10.0, "capacity_start": 2.0, "capacity_until": 0.5}
    stairs, line = make(**options, capacity_levels=4), make(**options, capacity_levels=0)
    steps = [0, 12, 13, 25, 49, 50, 99]
    assert [stairs.capacity(at(1.0, step)) for step in steps] == [2, 2, 4, 6, 8, 10, 10]
    assert [line.capacity(at(1.0, step)) for step in steps] == pytest.approx([2, 3.92, 4.08, 6, 9.84, 10, 10])
    assert make(**options | {"capacity_until": 0.0}).capacity(at(1.0)) == 10


def test_default_stairs_are_the_papers():
    """0.15 nats every 5000 of a million steps, from 0.5 to 18."""
    objective = make()
    capacities = [objective.capacity(at(1.0, step, 1_000_000)) for step in range(0, 1_000_001, 1000)]
    rises = [b - a for a, b in pairwise(capacities) if b > a]
    assert capacities[0] == 0.5 and capacities[-1] == 18
    assert rises == pytest.approx([0.15] * len(rises), abs=0.001)


@pytest.mark.slow
def test_the_controller_holds_a_plant_at_its_set_point():
    """A KL divergence that shrinks with β, and lags behind it, ends at the capacity."""
    objective, kl = make(**FIXED), 20.0
    for _ in range(5000):
        beta = objective(at(kl)).logs["beta"].item()
        objective.update(at(kl))
        kl += 0.05 * (30 / beta - kl)
    assert kl == pytest.approx(5.0, abs=0.05)
    assert beta == pytest.approx(6.0, abs=0.1)
