"""The informative subspace: principal components of w."""

import pytest
import torch

from ganwalk.discovery.subspace import latent_scales, latent_subspace, resolve_space
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from tests.generators.golden import GOLDEN


def test_components_are_those_of_the_covariance(toy):
    subspace = latent_subspace(toy, "w", 5, samples=4000)
    w = toy.mapping(sample_z(toy, 20_000, seed=9))[:, 0].double()
    values = torch.linalg.eigvalsh(torch.cov(w.T)).flip(0)
    along = torch.cov((w @ subspace.components.T).T)
    assert torch.allclose(along.diagonal(), values[:5], rtol=0.15)
    assert torch.allclose(along - along.diagonal().diag(), torch.zeros(5, 5, dtype=along.dtype), atol=0.1 * values[0])
    assert subspace.explained == pytest.approx(float(values[:5].sum() / values.sum()), abs=0.05)


def test_scales_are_standard_deviations(toy):
    vectors = torch.nn.functional.normalize(torch.randn(6, 12, generator=torch.Generator().manual_seed(1)), dim=1)
    w = toy.mapping(sample_z(toy, 20_000, seed=5))[:, 0]
    assert torch.allclose(latent_scales(toy, "w", vectors), (w @ vectors.T).std(dim=0), rtol=0.05)
    assert torch.equal(latent_scales(toy, "z", torch.eye(8)), torch.ones(8))


def test_scales_of_codes_that_are_cut_off_are_those_of_their_samples():
    generator = load_generator(GOLDEN / "hf_biggan_deep_32" / "pytorch_model.bin")
    drawn = sample_z(generator, 20_000, seed=5).std(dim=0)
    scales = latent_scales(generator, "z", torch.eye(generator.z_dim))
    assert torch.allclose(scales, torch.full_like(scales, 0.8796), atol=1e-4)
    assert float(drawn.mean()) == pytest.approx(0.8796, abs=0.005)


def test_spaces(toy, blobs):
    assert resolve_space(toy, None) == "w" and resolve_space(blobs, None) == "z"
    with pytest.raises(GanwalkError, match="no w space"):
        resolve_space(blobs, "w")
    with pytest.raises(GanwalkError, match="does not fit: z has 6"):
        latent_subspace(blobs, "z", 7)


def test_a_single_dimension(toy):
    assert latent_subspace(toy, "w", 1).components.shape == (1, 12)
