"""The analytic generator: its axes are the rows of its rotation."""

import torch

from ganwalk.generators.base import Generator, sample_z
from ganwalk.generators.blobs import FACTOR_NAMES, Blobs, BlobsConfig


def test_implements_the_protocol():
    blobs = Blobs()
    assert isinstance(blobs, Generator)
    images = blobs.synthesis(blobs.mapping(sample_z(blobs, 4, seed=0)))
    assert images.shape == (4, 3, 32, 32)
    assert images.abs().max() <= 1


def test_walking_a_row_of_the_rotation_changes_one_factor():
    blobs = Blobs()
    z = sample_z(blobs, 5, seed=0)
    for i in range(len(FACTOR_NAMES)):
        change = blobs.factors(z + blobs.rotation[i]) - blobs.factors(z)
        assert torch.allclose(change, torch.eye(6)[i].expand(5, -1), atol=1e-5)


def test_every_factor_changes_the_image():
    blobs = Blobs()
    z = sample_z(blobs, 16, seed=0)
    reference = blobs.synthesis(blobs.mapping(z))
    for row in blobs.rotation:
        assert (blobs.synthesis(blobs.mapping(z + row)) - reference).abs().mean() > 0.005


def test_the_seed_turns_the_axes():
    assert torch.equal(Blobs().rotation, Blobs().rotation)
    other = Blobs(BlobsConfig(seed=1)).rotation
    assert not torch.allclose(Blobs().rotation, other)
    assert torch.allclose(other @ other.T, torch.eye(6), atol=1e-6)


def test_gradient_agrees_with_finite_differences():
    blobs = Blobs(BlobsConfig(resolution=8)).double()
    z = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: blobs.synthesis(blobs.mapping(z)), z)
