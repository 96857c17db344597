"""The exponential parametrisation never leaves the orthonormal matrices."""

import torch

from ganwalk.discovery.rotation import random_rotation, rotate


def test_every_parameter_gives_orthonormal_rows():
    for n, k in ((1, 1), (3, 3), (4, 9), (20, 20)):
        base = random_rotation(k, seed=1)[:n]
        skew = 5 * torch.randn(k * (k - 1) // 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        rotated = rotate(base, skew)
        assert torch.allclose(rotated @ rotated.T, torch.eye(n, dtype=torch.float64), atol=1e-12)
        assert torch.equal(rotate(base, torch.zeros_like(skew)), base)


def test_the_gradient_agrees_with_finite_differences():
    base = random_rotation(4, seed=0)[:3]
    skew = torch.randn(6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: rotate(base, s), skew)


def test_random_rotations_depend_on_the_seed_only():
    assert torch.equal(random_rotation(5, seed=3), random_rotation(5, seed=3))
    assert not torch.allclose(random_rotation(5, seed=3), random_rotation(5, seed=4))
    assert torch.allclose(random_rotation(5, seed=3).det().abs(), torch.ones((), dtype=torch.float64))
