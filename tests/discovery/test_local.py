"""`local`: exact where factors act in different places, lost where they all act in one."""

import pytest
import torch

from ganwalk.discovery import local, pca
from ganwalk.discovery.local import overlap, search
from ganwalk.discovery.local.places import Places, measure_places, seen_layers
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.assignment import assign
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import make_blobs
from tests.accelerator import DEVICE, accelerator
from tests.discovery.patches import FACTORS, Patches


def likeness(vectors, axes):
    """Mean |cosine| under the best assignment."""
    return assign((vectors.double() @ axes.double().T).abs()).total / len(axes)


def purity(vectors, generator):
    """How near each light's best direction comes to moving it alone: mean |cosine| of changes of u and its axes."""
    changes = vectors.double() @ generator.p.double().T
    return likeness(torch.nn.functional.normalize(changes, dim=1), torch.eye(FACTORS))


def view_of(generator, n=FACTORS, **settings):
    return DiscoverySettings(n_directions=n, **settings).resolve(generator).view()


@pytest.mark.parametrize("seed", [0, 1])
def test_oblique_axes_of_factors_in_different_places_are_found(seed):
    generator = Patches(seed)
    view = view_of(generator)
    found = local.find_directions(generator, view, FACTORS, seed=seed)
    assert torch.allclose(found.norm(dim=1), torch.ones(FACTORS, dtype=torch.float64))
    assert purity(found, generator) > 0.98
    assert purity(pca.find_directions(generator, view, FACTORS, seed=seed), generator) < 0.8


def test_dead_directions_are_not_among_the_strongest():
    generator = Patches()
    found = local.find_directions(generator, view_of(generator, 8), 8, seed=0)
    assert purity(found[:FACTORS], generator) > 0.97


def test_on_blobs_places_tell_nothing_apart():
    """The counter-example: all factors act where the blob is, and RTD finds what locality cannot."""
    generator = make_blobs(BlobsConfig(seed=11))
    found = local.find_directions(generator, view_of(generator), 6, seed=11)
    assert likeness(found, generator.axes) < 0.9


def test_a_discovery_by_it_is_oblique_reproducible_and_sorted():
    generator = Patches()
    settings = DiscoverySettings(n_directions=4, method="local", scored=8, seed=3)
    first, second = (run_discovery(generator, settings).directions for _ in range(2))
    assert first.oblique and first.method == "local" and torch.equal(first.vectors, second.vectors)
    assert (first.effects.diff() <= 0).all()


def test_derivatives_are_exact_where_features_are_linear():
    class Linear(Patches):
        def synthesis(self, w, *, until=None, noise="const", seed=None):
            return (w[:, 0, :2, None, None] * torch.tensor([1.0, 3.0])[:, None, None]).expand(-1, -1, 16, 16)

    generator = Linear()
    basis = torch.eye(8, dtype=torch.float64)[:3]
    places = measure_places(generator, view_of(generator), 0, basis, torch.full((3,), 0.3), samples=2, seed=0)
    assert places.grams.shape == (2, 64, 3, 3)
    expected = torch.tensor([1.0, 9.0, 0.0], dtype=torch.float64).diag() / 10
    assert torch.allclose(places.mean, expected, atol=1e-5)
    weights = torch.zeros(2, 64)
    weights[0] = 1
    assert torch.allclose(places.weighted(weights), expected / 2, atol=1e-5)


def test_overlap_is_nothing_apart_and_the_number_of_others_together():
    apart = torch.eye(3).expand(5, 3, 3)
    assert float(overlap.overlap(apart)) == 0
    assert float(overlap.overlap(torch.ones(5, 4, 3))) == pytest.approx(2)
    grams = torch.diag_embed(torch.eye(3)).expand(4, 3, 3, 3)
    rotation = overlap.least_overlap((grams.contiguous(),), seed=0)
    assert torch.allclose(rotation @ rotation.T, torch.eye(3, dtype=torch.float64), atol=1e-6)
    assert torch.allclose(rotation.abs().max(dim=1).values, torch.ones(3, dtype=torch.float64), atol=0.01)


def test_early_and_late_features_are_looked_at_and_never_those_before_the_shifted_layers(toy):
    assert seen_layers(toy, view_of(toy, 3)) == (2, toy.num_layers - 1)
    assert seen_layers(toy, view_of(toy, 3, layers=(4, 5))) == (5,)
    assert seen_layers(toy, view_of(toy, 3, layer=1)) == (1,)
    assert seen_layers(Patches(), view_of(Patches())) == (0,)


def test_features_that_no_latent_moves_are_refused():
    class Still(Patches):
        def synthesis(self, w, *, until=None, noise="const", seed=None):
            return torch.zeros(len(w), 3, 32, 32)

    with pytest.raises(GanwalkError, match="do not depend on the latents"):
        local.find_directions(Still(), view_of(Still()), 3, seed=0)


def test_more_directions_than_memory_serves_are_refused(toy, monkeypatch):
    monkeypatch.setattr(search, "_MOST", 4)
    with pytest.raises(GanwalkError, match="at most 4 directions, not 5"):
        local.find_directions(toy, view_of(toy, 5), 5, seed=0)


def test_nothing_but_the_latents_goes_to_the_device_in_double_precision(toy, monkeypatch):
    monkeypatch.setattr(overlap, "_STEPS", 20)
    monkeypatch.setattr(search, "SAMPLES", 4)
    reference = local.find_directions(toy, view_of(toy, 3), 3, seed=0)
    with accelerator(monkeypatch):
        there = toy.to(DEVICE)
        found = local.find_directions(there, view_of(there, 3), 3, seed=0)
    assert found.device.type == "cpu" and likeness(found, reference) > 0.99


def test_overlap_of_directions_is_least_for_the_true_axes():
    generator = Patches()
    view = view_of(generator)
    subspace = local.search_basis(generator, view, FACTORS, 0)
    places = local.measure(generator, view, subspace, 0)
    spreads = subspace.scales(subspace.components)
    true = torch.linalg.pinv(generator.p.double()).T @ subspace.components.T
    mixed = pca.find_directions(generator, view, FACTORS, seed=0) @ subspace.components.T
    assert local.overlap_of(places, true, spreads) < 0.5 * local.overlap_of(places, mixed, spreads)
    assert isinstance(places[0], Places)


def test_auto_takes_the_one_that_changes_shapes_less_and_says_why():
    apart = run_discovery(Patches(), DiscoverySettings(n_directions=6, method="auto", steps=5, batch=16))
    assert apart.directions.method == apart.bases[0].name == "local" and apart.directions.oblique
    assert [basis.name for basis in apart.bases] == ["local", "rtd"] and apart.settings.method == "auto"
    assert "local was taken" in apart.notices[-1] and purity(apart.directions.vectors, Patches()) > 0.98
    together = make_blobs(BlobsConfig(seed=11))
    found = run_discovery(together, DiscoverySettings(n_directions=6, method="auto", steps=5, batch=32))
    assert found.directions.method == "rtd" and not found.directions.oblique
    assert likeness(found.directions.vectors, together.axes) > 0.95 and "rtd was taken" in found.notices[-1]
