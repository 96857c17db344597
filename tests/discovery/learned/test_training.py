"""What all trained directions have in common: they continue bit for bit, stop when told, and leave no trace."""

from dataclasses import replace

import pytest
import torch

from ganwalk.discovery.plan import plan
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import LEARNED, OBLIQUE_TOO, DiscoverySettings
from ganwalk.errors import GanwalkError

FAST = DiscoverySettings(n_directions=3, steps=4, batch=8, scored=8)
CASES = [(method, False) for method in LEARNED] + [(method, True) for method in OBLIQUE_TOO]


def stopping_at(step):
    def stop(training):
        if training.step == step:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize(("method", "oblique"), CASES)
def test_a_stopped_training_continues_bit_for_bit(toy, tmp_path, method, oblique):
    settings = replace(FAST, method=method, oblique=oblique)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    undisturbed, checkpoint = tmp_path / "undisturbed.pt", tmp_path / "checkpoint.pt"
    whole = run_discovery(toy, settings, checkpoint=undisturbed)
    assert torch.equal(torch.get_rng_state(), state)
    stopped = run_discovery(toy, settings, checkpoint=checkpoint, on_step=stopping_at(2))
    assert stopped.ended == "interrupt" and stopped.steps_done == 2
    assert not torch.equal(stopped.directions.vectors, whole.directions.vectors)
    torch.manual_seed(6)
    resumed = run_discovery(toy, settings, checkpoint=checkpoint, resume=True)
    assert torch.equal(resumed.directions.vectors, whole.directions.vectors)
    assert resumed.history == whole.history and resumed.metrics() == whole.metrics()
    assert checkpoint.read_bytes() == undisturbed.read_bytes()


@pytest.mark.parametrize("method", LEARNED)
def test_the_budget_ends_a_training(toy, method):
    found = run_discovery(toy, replace(FAST, method=method, steps=10**6, budget=0.01))
    assert found.ended == "budget" and found.steps_done < 10**6
    assert found.directions.vectors.shape == (3, 12)


def test_checkpoints_of_other_methods_are_told_apart(toy, tmp_path):
    checkpoint = tmp_path / "checkpoint.pt"
    run_discovery(toy, replace(FAST, method="hessian", start="random"), checkpoint=checkpoint)
    learned = replace(FAST, method="latent-deformator")
    with pytest.raises(GanwalkError, match="another method: resume with its options"):
        run_discovery(toy, learned, checkpoint=checkpoint, resume=True)
    saved = torch.load(checkpoint, weights_only=True)
    run_discovery(toy, learned, checkpoint=checkpoint)
    own = torch.load(checkpoint, weights_only=True)
    torch.save({**saved, "fingerprint": own["fingerprint"]}, checkpoint)
    with pytest.raises(GanwalkError, match="not a checkpoint"):
        run_discovery(toy, learned, checkpoint=checkpoint, resume=True)


@pytest.mark.parametrize("method", LEARNED)
def test_trainings_have_their_own_steps_and_start(toy, method):
    resolved = DiscoverySettings(n_directions=3, method=method).resolve(toy)
    assert (resolved.steps, resolved.start, resolved.search) == (LEARNED[method], "random", "direct")
    given = DiscoverySettings(n_directions=3, method=method, steps=7, start="jacobian").resolve(toy)
    assert (given.steps, given.start) == (7, "jacobian")
    rtd = DiscoverySettings(n_directions=3).resolve(toy)
    assert (rtd.steps, rtd.start) == (200, "jacobian")


@pytest.mark.parametrize("method", LEARNED)
def test_the_plan_grows_with_the_steps(toy, method):
    settings = DiscoverySettings(n_directions=3, method=method)
    seconds = [plan(toy, replace(settings, steps=steps).resolve(toy)).seconds for steps in (10, 10_000)]
    # A thousand times as many, and scores beside them; seconds are measured, by whatever else the machine does, too.
    assert seconds[1] > 10 * seconds[0] > 0


@pytest.mark.parametrize(("method", "oblique"), CASES)
def test_styles_of_some_layers_are_shifted_in_chunks(toy, method, oblique):
    settings = replace(FAST, method=method, oblique=oblique, layers=(1, 3), steps=2, chunk=3)
    found = run_discovery(toy, settings)
    whole = run_discovery(toy, replace(settings, chunk=None))
    assert torch.allclose(found.directions.vectors, whole.directions.vectors, atol=1e-3)
    assert found.directions.layers == (1, 3)
    assert found.directions.oblique == (oblique or method not in OBLIQUE_TOO)
