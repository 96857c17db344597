"""What a discovery is expected to take: the latents that it makes, each of which takes a second here."""

from dataclasses import replace

import pytest

from ganwalk.discovery import pca, plan
from ganwalk.discovery.local import search
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.generators.timing import Watched

IN_Z = DiscoverySettings(n_directions=3, space="z", start="random")
# 96 latents, each with 8 gradients that take a quarter more.
SKETCH = 96 * 11


@pytest.fixture
def planned(toy, monkeypatch):
    """The seconds of the phases of settings by their names, for a network of which every latent takes one."""
    monkeypatch.setattr(plan, "seconds_per_latent", lambda *arguments, **options: 1.0)
    monkeypatch.setattr(plan, "_seconds_with_gradient", lambda *arguments: 1.0)

    def call(settings):
        return {phase.name: phase.seconds for phase in plan.plan(toy, settings.resolve(toy)).phases}

    return call


def test_components_of_features_are_of_thousands_of_latents(toy, planned):
    settings = replace(IN_Z, method="pca", compared=("random",))
    in_z, in_w = planned(settings), planned(replace(settings, space="w"))
    assert in_z["search"] - in_w["search"] == in_z["baseline random"] - in_w["baseline random"] == 2000
    made = []
    pca.find_directions(Watched(toy, made.append), settings.resolve(toy).view(), 3, seed=0)
    assert sum(made) == 2000


@pytest.mark.parametrize("change", [{}, {"method": "latentclr"}, {"search": "student"}])
def test_a_part_of_z_is_estimated_first(toy, planned, monkeypatch, change):
    monkeypatch.setattr(plan, "SHIFTED_COMPONENTS", 3)
    settings = replace(IN_Z, **{"search": "direct", **change})
    assert planned(settings)["start"] == SKETCH
    assert planned(replace(settings, subspace_dim=8))["start"] == planned(replace(settings, space="w"))["start"] == 0


def test_local_estimates_a_part_of_z_too(planned, monkeypatch):
    settings = replace(IN_Z, method="local")
    whole = planned(settings)["search"]
    monkeypatch.setattr(search, "BASIS", 4)
    # Both ways, at an early and at a late layer.
    passes = 2 * search.SAMPLES * 2
    assert planned(settings)["search"] == whole + SKETCH - 4 * passes
