"""The latent deformator finds what can be told apart."""

import pytest
import torch

from ganwalk.discovery.learned.latent_deformator import make_latent_deformator
from ganwalk.discovery.learned.shift_predictor import CHANNELS, SIZE, Sight, small
from ganwalk.discovery.learned.shifts import random_amounts
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import make_blobs


@pytest.mark.slow
@pytest.mark.parametrize("oblique", [False, True])
def test_dimensions_that_do_nothing_are_left(oblique):
    blobs = make_blobs(BlobsConfig(variant="dead", resolution=16))
    settings = DiscoverySettings(
        n_directions=4, method="latent-deformator", oblique=oblique, subspace_dim=16, steps=80, batch=32
    )
    directions = run_discovery(blobs, settings).directions
    active = (directions.vectors @ blobs.axes.T).square().sum(dim=1)
    # Of a random direction, 6 / 16.
    assert active.mean() > 0.8
    products = directions.vectors @ directions.vectors.T
    assert torch.allclose(products, torch.eye(4), atol=1e-4) != oblique


def test_equal_directions_cannot_be_told_apart_and_the_loss_says_so(blobs):
    settings = DiscoverySettings(n_directions=6, method="latent-deformator").resolve(blobs)
    subspace = search_space(blobs, settings)
    learner = make_latent_deformator(blobs, settings, subspace)
    optimizer = torch.optim.Adam(learner.networks.parameters(), 2e-3)
    losses = {}
    for name, rows in (("axes", blobs.axes), ("equal", blobs.axes[:1].expand(6, -1))):
        steps = subspace.steps(rows.double(), settings.amplitude)
        for step in range(40):
            value = learner.loss(sample_latents(blobs, settings.view(), 64, step), steps, step)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        losses[name] = value.item()
    assert losses["axes"] < losses["equal"] - 0.3


def test_shifts_go_both_ways_and_none_is_too_short():
    amounts = random_amounts(1000, torch.Generator().manual_seed(0))
    assert amounts.abs().min() == pytest.approx(1 / 12) and amounts.abs().max() <= 1
    assert 0.4 < (amounts > 0).float().mean() < 0.6


def test_large_maps_of_many_channels_are_seen_small_and_by_their_components():
    rng = torch.Generator().manual_seed(0)
    maps = torch.randn(4, 40, 48, 48, generator=rng) * torch.linspace(3, 0, 40)[:, None, None]
    seen = Sight.of(small(maps))(maps)
    assert seen.shape == (4, CHANNELS, SIZE, SIZE)
    assert seen.square().sum() > 0.7 * small(maps).square().sum()
    images = torch.randn(2, 3, 8, 8, generator=rng)
    assert torch.equal(Sight.of(images)(images), images)
