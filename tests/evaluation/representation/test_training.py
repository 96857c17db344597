"""The encoder reads coordinates where they can be read, off pairs alone."""

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.evaluation.representation.training import latents_of_encoder, seconds_per_step, train_encoder
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import sample_z
from ganwalk.generators.timing import Watched
from tests.evaluation.linear import Planes


def test_codes_are_coordinates_in_standard_deviations(trained):
    styles = trained.generator.mapping(sample_z(trained.generator, 400, seed=77))
    codes = trained.encoder.encode(trained.generator.synthesis(styles))
    true = trained.generator.factors(styles[:, 0]) / trained.directions.scales
    correlations = torch.corrcoef(torch.cat([codes, true], dim=1).T)[:6, 6:]
    assert correlations.diagonal().min() > 0.85
    assert (correlations - correlations.diagonal().diag()).abs().max() < 0.2
    # Neither shifted nor stretched, though only differences were trained.
    assert codes.mean(dim=0).abs().max() < 0.2 and (codes.std(dim=0) - 1).abs().max() < 0.35
    assert trained.encoder.fit.min() > 0.7


def test_the_loss_is_of_the_amplitude_on_its_own_coordinate(trained):
    styles = trained.generator.mapping(sample_z(trained.generator, 200, seed=78))
    for k in (0, 5):
        step = trained.directions.step(k, 0.8)
        before, after = (trained.encoder.encode(trained.generator.synthesis(w)) for w in (styles, styles + step))
        change = (after - before).mean(dim=0)
        assert change[k] == pytest.approx(0.8, abs=0.15)
        assert change[torch.arange(6) != k].abs().max() < 0.15


def planes(rows, scales=(1.0, 1.0), **options):
    directions = Directions(torch.eye(4)[rows], torch.tensor(scales), "z", Planes.identity)
    generator = Planes()
    options = {"pairs": 300, "steps": 60, "batch": 24, "lr": 1e-2, "width": 8, **options}
    return train_encoder(generator, directions, view_of(generator, directions), **options)


def test_what_cannot_be_seen_is_not_read():
    # One lights a half of the picture, the other does nothing.
    encoder = planes([1, 2])
    assert encoder.fit[0] > 0.6 and encoder.fit[1] < 0.2
    assert encoder.config.channels == 1 and encoder.config.size == 8


def test_directions_that_shift_nothing_have_no_fit():
    encoder = planes([1, 0], scales=(1.0, 0.0))
    assert encoder.fit[0] > 0.6 and torch.isnan(encoder.fit[1])


def test_the_same_seed_gives_the_same_encoder_and_no_trace_in_the_random_state():
    torch.manual_seed(4)
    state, shares = torch.get_rng_state(), []
    first, again, other = (planes([0, 1], steps=5, seed=seed, on_share=shares.append) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    weights = [list(encoder.network.parameters()) for encoder in (first, again, other)]
    assert all(map(torch.equal, weights[0], weights[1])) and not all(map(torch.equal, weights[0], weights[2]))
    once = shares[: len(shares) // 3]
    assert once == sorted(once) and once[-1] == pytest.approx(1)


def test_as_many_images_are_made_as_announced(toy):
    made = []
    directions = Directions(torch.eye(12)[:3], torch.ones(3), "w", toy.identity, layers=(1, 3))
    watched = Watched(toy, made.append)
    view = view_of(watched, directions, truncation_psi=0.7)
    encoder = train_encoder(watched, directions, view, pairs=10, steps=1, width=4)
    # Thirty-two pairs of each direction are the least.
    assert sum(made) == latents_of_encoder(3, 10) == 32 * 4 and encoder.config.size == 16
    assert seconds_per_step(toy, 3, 12, 4) > 0
