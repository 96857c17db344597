"""PCA where the components are known: a w with a given covariance, and linear generators without a mapping."""

from dataclasses import replace

import pytest
import torch

from ganwalk.discovery import pca
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.blobs import Blobs, BlobsConfig
from ganwalk.generators.external import External
from ganwalk.generators.progan import ProGAN, ProGANConfig

VIEW = View(space="z", layers=None, layer=0, noise="const", truncation_psi=1.0, class_index=None, chunk=512)


def find(generator, view, n, seed=0):
    return pca.find_directions(generator, view, n, seed=seed)


def linear_generator(stretches, size=8, seed=0, offset=5.0):
    """z → image by a matrix with these singular values, and its right singular vectors as rows."""
    rng = torch.Generator().manual_seed(seed)
    d = len(stretches)
    left = torch.linalg.qr(torch.randn(3 * size**2, d, generator=rng)).Q
    right = torch.linalg.qr(torch.randn(d, d, generator=rng)).Q
    matrix = left * torch.tensor(stretches) @ right.T
    return External(
        lambda z: (z @ matrix.T + offset).view(-1, 3, size, size), d, False, (size, size), 3, (-1.0, 1.0)
    ), right.T


def cosines(found, expected):
    return (found * expected[: len(found)].double()).sum(dim=1).abs()


def test_components_of_a_known_covariance():
    blobs = Blobs(BlobsConfig(variant="unequal"))
    found = find(blobs, replace(VIEW, space="w"), 6)
    assert (cosines(found, blobs.axes) > 0.995).all()


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 96])
def test_features_of_a_linear_generator_regress_to_its_right_singular_vectors(size):
    generator, expected = linear_generator([9.0, 6.0, 4.0, 2.5, 1.5, 1.0], size)
    found = find(generator, VIEW, 6)
    assert (cosines(found, expected) > 0.99).all()
    assert torch.allclose(found @ found.T, torch.eye(6, dtype=torch.float64), atol=1e-12)


def test_early_layers_are_a_choice():
    torch.manual_seed(0)
    generator = ProGAN(ProGANConfig(resolution=16, block_channels=(12, 8, 6), z_dim=10)).eval().requires_grad_(False)
    first, last = (find(generator, replace(VIEW, layer=layer), 4) for layer in (0, 5))
    assert first.shape == last.shape == (4, 10) and not torch.allclose(first, last, atol=0.1)


def test_conditional_generator():
    torch.manual_seed(0)
    config = ProGANConfig(resolution=16, block_channels=(12, 8, 6), z_dim=10, c_dim=3)
    generator = ProGAN(config).eval().requires_grad_(False)
    drawn, first = (find(generator, replace(VIEW, class_index=label), 3) for label in (None, 0))
    assert first.shape == (3, 10) and not torch.allclose(drawn, first)


def test_the_seed_fixes_the_result():
    generator, _ = linear_generator([3.0, 2.0, 1.0])
    first, again, other = (find(generator, VIEW, 2, seed) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_more_than_there_is_is_refused(toy):
    with pytest.raises(GanwalkError, match="use 1 to 12"):
        find(toy, replace(VIEW, space="w", layer=5), 13)
    generator, _ = linear_generator([3.0, 2.0, 0.0])
    with pytest.raises(GanwalkError, match="vary along 2 components only"):
        find(generator, VIEW, 3)
