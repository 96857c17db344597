"""FactorVAE: the permutation, the discriminator and what it tells the VAE."""

import math

import pytest
import torch

from tests.vae.objectives.contexts import code_context
from vae.objectives import make_objective
from vae.objectives.factor import permute_dims


def make(z_dim=2, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        options = {"width": 32, "depth": 2, "discriminator_lr": 5e-3, **options}
        return make_objective("factor", options, z_dim=z_dim, image_shape=(1, 32, 32))


def correlated(n, correlation, rng):
    first, noise = torch.randn(n, generator=rng), torch.randn(n, generator=rng)
    return torch.stack([first, correlation * first + math.sqrt(1 - correlation**2) * noise], dim=1)


def trained(correlation, steps=150, n=512):
    """A discriminator that has seen codes of this correlation, and accuracies on the way."""
    objective, rng, accuracies = make(), torch.Generator().manual_seed(1), []
    for step in range(steps):
        z, second = correlated(n, correlation, rng), correlated(n, correlation, rng)
        logs = objective.update(code_context(z, torch.zeros_like(z), second=second, seed=step))
        accuracies.append(float(logs["discriminator_accuracy"]))
    return objective, accuracies


def test_permutation_keeps_marginals_and_loses_dependence():
    z = torch.arange(400.0)[:, None].repeat(1, 3)
    permuted = permute_dims(z, torch.Generator().manual_seed(0))
    assert all(torch.equal(column.sort().values, z[:, 0]) for column in permuted.T)
    assert torch.corrcoef(permuted.T).triu(1).abs().max() < 0.15
    assert torch.equal(permuted, permute_dims(z, torch.Generator().manual_seed(0)))


@pytest.mark.slow
def test_the_discriminator_learns_dependence_and_its_amount():
    """The mean log ratio comes near the total correlation of normal codes, -½ log(1 - ρ²)."""
    objective, accuracies = trained(0.9)
    assert sum(accuracies[-20:]) / 20 > 0.7
    z = correlated(20_000, 0.9, torch.Generator().manual_seed(7))
    tc = objective(code_context(z, torch.zeros_like(z))).logs["tc"]
    assert tc.item() == pytest.approx(-0.5 * math.log(1 - 0.81), abs=0.15)


@pytest.mark.slow
def test_independent_codes_cannot_be_told_from_permuted_ones():
    objective, accuracies = trained(0.0)
    assert sum(accuracies[-20:]) / 20 < 0.55
    z = correlated(20_000, 0.0, torch.Generator().manual_seed(7))
    assert abs(objective(code_context(z, torch.zeros_like(z))).logs["tc"].item()) < 0.05


def test_loss_is_kl_and_weighted_correlation():
    """With all weights zero but the last bias, the log ratio is that bias."""
    objective = make(gamma=3.0)
    with torch.no_grad():
        for parameter in objective.discriminator.parameters():
            parameter.zero_()
        objective.discriminator[-1].bias.fill_(0.5)
    mean, log_variance = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 2)
    terms = objective(code_context(mean, log_variance))
    assert terms.loss.item() == pytest.approx((0.5 + 2.0) / 2 + 3 * 0.5)


def test_the_update_is_one_step_on_the_cross_entropy():
    objective = make()
    rng = torch.Generator().manual_seed(3)
    z, second = (torch.randn(64, 2, generator=rng, requires_grad=True) for _ in "ab")
    logs = objective.update(code_context(z, torch.zeros(64, 2), second=second, seed=4))
    twin = make()
    permuted = permute_dims(second.detach(), torch.Generator().manual_seed(4))
    real, fake = twin.discriminator(z.detach()), twin.discriminator(permuted)
    loss = -(torch.sigmoid(real).log().mean() + (1 - torch.sigmoid(fake)).log().mean()) / 2
    assert logs["discriminator"].item() == pytest.approx(loss.item(), rel=1e-5)
    right = (real > 0).sum() + (fake <= 0).sum()
    assert logs["discriminator_accuracy"].item() == pytest.approx(right.item() / 128)
    loss.backward()
    adam = torch.optim.Adam(twin.discriminator.parameters(), 5e-3, (0.5, 0.9))
    adam.step()
    for mine, reference in zip(objective.parameters(), twin.parameters(), strict=True):
        assert torch.allclose(mine, reference, atol=1e-5)
    assert z.grad is None and second.grad is None


def test_the_discriminator_of_the_paper():
    objective = make_objective("factor", {}, z_dim=10, image_shape=(1, 64, 64))
    shapes = [tuple(layer.weight.shape) for layer in objective.discriminator[::2]]
    assert shapes == [(1000, 10), *[(1000, 1000)] * 5, (1, 1000)]
