"""The Hessian penalty: its estimate against a Hessian known in closed form, and the axes that it finds."""

import pytest
import torch
from torch import nn

from ganwalk.discovery.objectives.hessian import hessian_penalty
from ganwalk.discovery.objectives.penalty import Synthesis
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.generators.base import GeneratorIdentity, broadcast_styles


class Additive(nn.Module):
    """Every pixel is a sum of functions of one coordinate of u = Q z each: the Hessian is diagonal along rows of Q."""

    z_dim = w_dim = 4
    c_dim, num_layers, resolution, img_channels, layer_resolutions = 0, 1, 4, 1, (4,)
    style_based = False
    identity = GeneratorIdentity("additive", "0" * 64, "test", 4)

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.register_buffer("axes", torch.linalg.qr(torch.randn(4, 4, generator=rng))[0])
        self.register_buffer("weight", torch.randn(16, 4, generator=rng))
        self.register_buffer("w_avg", torch.zeros(4))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return z.unsqueeze(1) * truncation_psi

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        u = broadcast_styles(w, 1, 4)[:, 0] @ self.axes.T.to(w.dtype)
        return (torch.sin(u) @ self.weight.T.to(w.dtype)).view(-1, 1, 4, 4)


@pytest.fixture
def additive():
    return Additive()


def test_the_penalty_is_the_variance_of_the_off_diagonal_part():
    # f = x y has the off-diagonal entry 1: the second derivative along (±1, ±1) is ±2, and its variance over the
    # two signs 8 (unbiased); f = x² + y² has none.
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
    latents = torch.randn(3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    steps = torch.eye(2, dtype=torch.float64)
    product = hessian_penalty(latents, steps, signs, lambda z, step: (z + step).prod(dim=1, keepdim=True))
    squares = hessian_penalty(latents, steps, signs, lambda z, step: (z + step).square().sum(dim=1, keepdim=True))
    assert float(product) == pytest.approx(8.0) and float(squares) == pytest.approx(0.0, abs=1e-9)


def test_the_penalty_is_smallest_along_the_axes(additive):
    settings = DiscoverySettings(n_directions=4, method="hessian").resolve(additive)
    synthesise = Synthesis(additive, settings, 0)
    rng = torch.Generator().manual_seed(0)
    latents = torch.randn(64, 4, generator=rng)
    signs = torch.randint(2, (8, 4), generator=rng).float() * 2 - 1
    turned = torch.linalg.qr(torch.randn(4, 4, generator=rng))[0]
    penalties = [float(hessian_penalty(latents, steps, signs, synthesise)) for steps in (additive.axes, turned)]
    assert penalties[0] < 1e-2 * penalties[1]


def test_the_axes_of_an_additive_generator_are_found(additive):
    settings = DiscoverySettings(n_directions=4, method="hessian", steps=150, seed=2)
    directions = run_discovery(additive, settings).directions
    assert directions.method == "hessian"
    cosines = (directions.vectors @ additive.axes.T).abs()
    assert (cosines.max(dim=1).values > 0.98).all() and len(set(cosines.argmax(dim=1).tolist())) == 4
