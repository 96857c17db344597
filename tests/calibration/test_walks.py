"""What is measured along directions whose effect is known."""

import itertools
from dataclasses import replace

import pytest
import torch

from ganwalk.calibration import walks
from ganwalk.calibration.clouds import Cloud, Pictures, reduced
from ganwalk.calibration.curves import reach_of
from ganwalk.calibration.settings import ReachSettings, Sizes
from ganwalk.calibration.walks import latents_of_reach, measure_reach, walk_directions
from ganwalk.discovery.view import features
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.generators.timing import Watched
from tests.directions.test_artifact import directions_of
from tests.evaluation.known import axes_of
from tests.generators.golden import GOLDEN

FEW = ReachSettings(samples=12, steps=8)


@pytest.fixture(scope="module")
def blobs():
    return load_generator("blobs")


@pytest.fixture(scope="module")
def axes(blobs):
    return axes_of(blobs)


@pytest.fixture(scope="module")
def curves(blobs, axes):
    return walk_directions(blobs, axes, FEW)


def test_distances_of_pictures_are_those_of_the_definition():
    rng = torch.Generator().manual_seed(1)
    rows = torch.randn(40, 6, generator=rng) * torch.tensor([3.0, 2.0, 1.0, 0.01, 0.0, 0.0])
    pictures, others = Pictures.of(rows), torch.randn(5, 6, generator=rng)
    values, vectors = torch.linalg.eigh(torch.cov(rows.T).double())
    coordinates = (others - rows.mean(dim=0)).double() @ vectors
    expected = (coordinates.square() / values.clamp_min(values.max() / 1000)).sum(dim=1).sqrt()
    assert torch.allclose(pictures.distances(others).double(), expected, rtol=1e-3)


def test_one_unshifted_sample_of_twenty_is_outside():
    rng = torch.Generator().manual_seed(2)
    styles, pictures = torch.randn(1000, 2, 8, generator=rng), torch.randn(1000, 12, generator=rng)
    cloud = Cloud.of(styles, pictures, held=400)
    far = cloud.together(*cloud.distances(torch.randn(4000, 2, 8, generator=rng), torch.randn(4000, 12, generator=rng)))
    assert float((far > 1).float().mean()) == pytest.approx(0.05, abs=0.03)
    broken = cloud.together(*cloud.distances(styles[:1], torch.full((1, 12), torch.nan)))
    assert torch.isinf(broken).all()


def test_few_values_stand_for_a_picture():
    assert reduced(torch.rand(2, 3, 64, 64)).shape == (2, 3 * 16 * 16)
    assert reduced(torch.rand(2, 512, 32, 32)).shape == (2, 512 * 8 * 8)
    assert reduced(torch.rand(2, 3, 8, 8)).shape == (2, 3 * 8 * 8)


def test_curves_are_what_the_pictures_say(blobs, axes, curves):
    view = view_of(blobs, axes)
    latents = sample_z(blobs, 12, walks._WALKED)
    step = float(curves.amplitudes[1])
    with torch.no_grad():
        pictures = [
            features(blobs, view, latents - k * step * axes.step(4), 0).clamp(-1, 1).flatten(1) for k in range(3)
        ]
    rates = [(b - a).square().mean(dim=1).sqrt() / step for a, b in itertools.pairwise(pictures)]
    assert torch.allclose(curves.changes[4, 0, :2], torch.stack(rates), atol=1e-5)
    assert curves.saturated is not None and curves.saturated.shape == (6, 2, 9)


def test_a_direction_reaches_as_far_both_ways_as_its_pictures_change(axes, curves):
    reach = reach_of(curves, 0.25)
    # Factors of blobs are standard normal, and no farther than a few deviations in samples.
    assert (reach.ends > 1).all() and (reach.ends < 4).all()
    later = reach_of(curves, 0.75)
    assert (later.ends >= reach.ends).all() and (later.ends > reach.ends).any()
    # Each factor but the angle moves less and less, so that an even pace gets faster.
    steps = torch.cat([torch.zeros(6, 2, 1), reach.pace], dim=2).diff(dim=2)
    assert (steps[[0, 1, 4, 5], :, -1] > 1.2 * steps[[0, 1, 4, 5], :, 0]).all()
    assert torch.allclose(steps[3, :, -1], steps[3, :, 0], rtol=0.1)


def test_what_changes_nothing_is_within_the_distribution_as_long_as_its_latents_are():
    generator = load_generator("blobs-dead")
    rows = replace(axes_of(generator), vectors=generator.rotation[8:14], scales=torch.ones(6), method="true")
    found = measure_reach(generator, rows.select([0]), samples=8, steps=4)
    ends = found.ends[0]
    assert (ends > 1).all() and torch.allclose(found.pace[0, 1], torch.arange(1, 17) / 16 * ends[1], atol=1e-4)


def test_truncated_samples_reach_farther_from_the_same_distribution(blobs, axes):
    one = axes.select([0])
    whole, truncated = (
        reach_of(walk_directions(blobs, one, replace(FEW, truncation_psi=psi)), 0.25).ends for psi in (1.0, 0.4)
    )
    assert (truncated > whole).all()


def test_layers_space_and_the_compared_layer(toy):
    directions = directions_of(toy, 2, layers=(1, 2))
    found = measure_reach(toy, directions, samples=4, steps=2, layer=2, limit=3.0)
    assert found.ends.shape == (2, 2) and found.limit == 3.0
    in_z = measure_reach(toy, directions_of(toy, 2, space="z"), samples=4, steps=2)
    assert (in_z.ends <= 8).all()
    with pytest.raises(GanwalkError, match="layer 99 does not exist"):
        measure_reach(toy, directions, layer=99)


def test_every_latent_is_counted_and_chunks_change_nothing(blobs, axes):
    made = []
    watched = Watched(blobs, made.append)
    one, shares = axes.select([5]), []
    whole = walk_directions(watched, one, FEW, shares.append)
    assert sum(made) == latents_of_reach(blobs, one, FEW) and shares[-1] == pytest.approx(1.0)
    assert shares == sorted(shares)
    parts = walk_directions(blobs, one, replace(FEW, chunk=5))
    assert torch.allclose(whole.distances, parts.distances, atol=1e-4)


def test_classes_are_drawn_for_all_samples_whatever_the_chunks(monkeypatch):
    monkeypatch.setattr(walks, "default_sizes", lambda generator: Sizes(12, 8, 48, 16))
    generator = load_generator(str(GOLDEN / "hf_biggan_deep_32" / "pytorch_model.bin"))
    directions = directions_of(generator, 2, space="z")
    whole, *parts = (walk_directions(generator, directions, replace(FEW, steps=2, chunk=chunk)) for chunk in (64, 5, 1))
    for curves in parts:
        assert torch.allclose(whole.distances, curves.distances, atol=1e-3)
        assert torch.allclose(whole.changes, curves.changes, atol=1e-4)


@pytest.mark.parametrize(
    "settings", [{"samples": 3}, {"share": 0.0}, {"limit": 0.0}, {"steps": 1}, {"truncation_psi": 0.0}]
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(GanwalkError):
        ReachSettings(**settings)
