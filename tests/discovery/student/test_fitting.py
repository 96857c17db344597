"""The fitted network: exact where the truth is linear, good where it bends, honest where there is nothing."""

import torch

from ganwalk.discovery.student.fitting import fit_network


def inputs(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed)) * 3 + 1


def test_a_linear_map_is_found_from_few_images():
    x = inputs(400, 60)
    fit = fit_network(x, x @ inputs(60, 5, 1) + 2)
    assert fit.r2 > 0.99
    new = inputs(50, 60, 2)
    expected = new @ inputs(60, 5, 1) + 2
    assert (fit.network(new) - expected).square().mean() < 0.02 * expected.var()


def test_what_bends_is_learnt():
    x = inputs(2000, 4)
    target = torch.stack([torch.sin(x[:, 0]), x[:, 1] * x[:, 2] / 4], dim=1)
    assert fit_network(x, target).r2 > 0.85


def test_noise_is_not_explained():
    assert -0.1 < fit_network(inputs(500, 10), inputs(500, 3, 1)).r2 < 0.1


def test_the_same_seed_gives_the_same_network(quick_student):
    x = inputs(300, 4)
    target = x.square()
    first, again, other = (fit_network(x, target, seed=seed).network(x) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert not first.requires_grad
