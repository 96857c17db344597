"""The penalty of Jacobian columns: its estimate against columns that are known, and the axes that it finds."""

import pytest
import torch
from torch import nn

from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.objectives.orojar import orthogonality_penalty
from ganwalk.discovery.objectives.penalty import PenaltyObjective
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.base import GeneratorIdentity, broadcast_styles

SIGNS = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)


class Turned(nn.Module):
    """Coordinates of u = Q z light pixels of their own, unequally: columns of the Jacobian are orthogonal along Q."""

    z_dim = w_dim = 4
    c_dim, num_layers, resolution, img_channels, layer_resolutions = 0, 1, 4, 1, (4,)
    style_based = False
    identity = GeneratorIdentity("turned", "0" * 64, "test", 4)

    def __init__(self):
        super().__init__()
        rng = torch.Generator().manual_seed(3)
        self.register_buffer("axes", torch.linalg.qr(torch.randn(4, 4, generator=rng))[0])
        self.register_buffer("weight", torch.eye(16)[:, :4] * torch.tensor([0.4, 0.8, 1.2, 1.6]))
        self.register_buffer("w_avg", torch.zeros(4))

    def mapping(self, z, c=None, *, truncation_psi=1.0, truncation_cutoff=None):
        return z.unsqueeze(1) * truncation_psi

    def synthesis(self, w, *, until=None, noise="const", seed=None):
        u = broadcast_styles(w, 1, 4)[:, 0] @ self.axes.T.to(w.dtype)
        return (u @ self.weight.T.to(w.dtype)).view(-1, 1, 4, 4)


def penalty(columns):
    latents, steps = torch.zeros(3, 2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    return float(orthogonality_penalty(latents, steps, SIGNS, lambda z, step: (z + step) @ columns))


def test_the_penalty_is_the_variance_of_the_products_of_columns():
    # Columns (1, 0) and (1, 1): |J s|² / 2 is 5/2 and 1/2 along (1, 1) and (1, -1), and its unbiased variance 2.
    assert penalty(torch.tensor([[1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)) == pytest.approx(2.0)
    assert penalty(torch.tensor([[3.0, 0.0], [0.0, 1.0]], dtype=torch.float64)) == pytest.approx(0.0, abs=1e-9)


def test_signs_of_their_own_make_the_estimate_steadier():
    turned = Turned()
    settings = DiscoverySettings(n_directions=4, method="orojar", batch=32).resolve(turned)
    latents, steps = sample_latents(turned, settings.view(), 32, 0), settings.amplitude * torch.eye(4)
    spread = {}
    for own in (True, False):
        objective = PenaltyObjective(turned, settings, orthogonality_penalty, own_signs=own)
        values = [objective.accumulate(latents, steps.clone().requires_grad_(), seed, Timing()) for seed in range(20)]
        spread[own] = float(torch.tensor(values).std() / torch.tensor(values).mean())
    assert spread[True] < 0.5 * spread[False]


@pytest.mark.slow
def test_the_axes_with_orthogonal_columns_are_found():
    turned = Turned()
    settings = DiscoverySettings(n_directions=4, method="orojar", start="random", steps=300, batch=8, seed=3)
    directions = run_discovery(turned, settings).directions
    assert directions.method == "orojar" and not directions.oblique
    cosines = (directions.vectors @ turned.axes.T).abs()
    assert (cosines.max(dim=1).values > 0.98).all() and len(set(cosines.argmax(dim=1).tolist())) == 4
