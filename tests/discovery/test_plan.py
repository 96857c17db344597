"""What a discovery is expected to take: the latents that it makes, each of which takes a second here."""

from dataclasses import replace

import pytest
import torch

from ganwalk.discovery import pca, plan
from ganwalk.discovery.local import search
from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.timing import Watched
from ganwalk.rtd import RTDLoss

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


@pytest.mark.parametrize(
    "change, latents",
    [
        # The reference, and two directions with gradients, which take as long here.
        ({}, 3),
        ({"both_signs": True}, 5),
        # The latents, and both ways or one way along two vectors of signs; what does not fit is made again.
        ({"method": "hessian", "chunk": 20}, 5),
        ({"method": "hessian"}, 9),
        ({"method": "orojar"}, 5),
    ],
)
def test_steps_cost_what_is_made_in_them(toy, planned, change, latents):
    settings = replace(IN_Z, search="direct", steps=10, batch=4, directions_per_step=2, chunk=15)
    settings = replace(settings, evaluate_every=1000, subspace_dim=8, **change)
    held = 2 * 3 * 4
    assert planned(settings)["steps"] == 10 * 4 * latents + held
    made = []
    resolved = settings.resolve(toy)
    batch = sample_latents(toy, resolved.view(), 4, 0)
    steps = torch.eye(3, batch.shape[-1]).requires_grad_()
    # On the way in: what is made again for a gradient stops as soon as that has what it needs.
    hook = toy.synthesis.register_forward_pre_hook(lambda module, given: made.append(len(given[0])))
    METHODS[resolved.method].objective(toy, resolved, RTDLoss()).accumulate(batch, steps, 0, Timing())
    hook.remove()
    assert sum(made) == 4 * latents
