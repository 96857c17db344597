"""LatentCLR: its loss on changes that are known, and the directions it leaves of a linear generator."""

import math

import pytest
import torch
from torch import nn

from ganwalk.discovery.learned.latentclr import contrast, make_latentclr
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.base import GeneratorIdentity, broadcast_styles
from ganwalk.generators.calls import Interface
from ganwalk.generators.external import adapt


class Linear(nn.Module):
    """Pixels are linear in z, and those of one coordinate overlap with those of the next."""

    z_dim = w_dim = 3
    c_dim, num_layers, resolution, img_channels, layer_resolutions = 0, 1, 4, 1, (4,)
    style_based = False
    identity = GeneratorIdentity("linear", "0" * 64, "test", 4)

    def __init__(self):
        super().__init__()
        self.register_buffer("weight", torch.eye(16)[:, :3] + 0.8 * torch.eye(16)[:, 1:4])
        self.register_buffer("w_avg", torch.zeros(3))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return z.unsqueeze(1) * truncation_psi

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        return (broadcast_styles(w, 1, 3)[:, 0] @ self.weight.T.to(w.dtype)).view(-1, 1, 4, 4)


def test_the_loss_of_known_changes():
    apart = torch.eye(2)[:, None].expand(2, 3, 2)
    assert float(contrast(apart)) == pytest.approx(-2.0)
    # A change and its opposite are one direction.
    assert float(contrast(torch.tensor([[[1.0], [-2.0]], [[1.0], [3.0]]]))) == pytest.approx(0.0, abs=1e-6)
    mixed = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 1.0]]])
    assert float(contrast(mixed)) == pytest.approx(math.log((math.e**2 + 1) / 2))


def test_effects_of_a_linear_generator_become_orthogonal_where_directions_are_not():
    linear = Linear()
    settings = DiscoverySettings(n_directions=3, method="latentclr", steps=100, batch=12, scored=8)
    directions = run_discovery(linear, settings).directions
    effects = nn.functional.normalize(directions.vectors @ linear.weight.T, dim=1)
    assert torch.allclose(effects @ effects.T, torch.eye(3), atol=0.05)
    assert directions.oblique and not torch.allclose(directions.vectors @ directions.vectors.T, torch.eye(3), atol=0.1)


def test_features_of_the_middle_stand_for_the_image(toy):
    layers = {}
    for name, change in (("image", {}), ("given", {"layer": 1}), ("shifted late", {"layers": (4, 5)})):
        resolved = DiscoverySettings(n_directions=2, method="latentclr", **change).resolve(toy)
        layers[name] = make_latentclr(toy, resolved, search_space(toy, resolved)).view.layer
    assert layers == {"image": 3, "given": 1, "shifted late": 4}


class Pictures(nn.Module):
    """Code of somebody's that makes pictures of styles of three layers, and stops nowhere before."""

    num_layers = 3

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(6, 3 * 8 * 8)

    def mapping(self, z):
        return z.tanh()

    def synthesis(self, w):
        return self.layer(w.sum(dim=1)).tanh().view(-1, 3, 8, 8)


def test_code_without_features_is_searched_by_its_pictures():
    pictures = adapt(Pictures(), Interface(6), "cpu", "pictures")
    pictures.identity = GeneratorIdentity("pictures", "0" * 64, "test", 8)
    settings = DiscoverySettings(n_directions=2, method="latentclr", steps=2, batch=6, scored=4)
    assert len(run_discovery(pictures, settings).directions) == 2


def test_memory_is_bounded_by_the_chunk_without_a_change(toy):
    found = {}
    for chunk in (64, 4):
        settings = DiscoverySettings(n_directions=3, method="latentclr", batch=12, chunk=chunk).resolve(toy)
        subspace = search_space(toy, settings)
        steps = subspace.steps(subspace.components, 2.0).requires_grad_()
        learner = make_latentclr(toy, settings, subspace)
        learner.loss(sample_latents(toy, learner.view, 12, 0), steps, 0).backward()
        found[chunk] = steps.grad
    assert torch.allclose(found[64], found[4], atol=1e-5) and found[4].abs().max() > 1e-4
