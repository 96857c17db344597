"""Models that take their steps together: each ends as its own run would."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from tests.accelerator import DEVICE, accelerator, moved
from tests.vae.squares import Squares
from vae.data.resident import Resident, resident_images
from vae.models import VAE, ModelConfig
from vae.objectives import make_objective
from vae.settings import CHECKPOINT_FILE, TopDisSettings, TrainingSettings
from vae.topdis import TopDis
from vae.training.loop import Rhythm, Training, train, train_together
from vae.training.stack import Stack, stacked_adam
from vae.training.step import compute_step, draw_step, load_images

SHORT = TrainingSettings(steps=8, batch=8, topdis=TopDisSettings(delay=0.25))
OFTEN = Rhythm(log_every=4, look_every=4, save_seconds=0.0)
SMALL = ModelConfig(32, 1, 3, hidden=16)


def models(count, config=SMALL):
    torch.manual_seed(0)
    return [VAE(config) for _ in range(count)]


def copies(originals):
    found = models(len(originals), originals[0].config)
    for copy, original in zip(found, originals, strict=True):
        copy.load_state_dict(original.state_dict())
    return found


def plans(folder, settings, resume=False):
    found = []
    for place, one in enumerate(settings):
        out = folder / str(place)
        out.mkdir(exist_ok=True, parents=True)
        found.append(Training(one, out, resume))
    return found


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of two threads are others than those of one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def same(first, second):
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("config", [SMALL, ModelConfig(32, 3, 4, hidden=8, layers="wide")])
def test_a_stack_is_its_models(config):
    apart = models(3, config)
    stack = Stack(copies(apart))
    images, codes = torch.rand(3, 5, config.channels, 32, 32), torch.randn(3, 5, config.z_dim)
    found = (*stack.encode(images), stack.decode(codes), stack.latent_weights)
    for place, model in enumerate(apart):
        expected = (*model.encode(images[place]), model.decode(codes[place]), model.latent_weights)
        for ours, theirs in zip(found, expected, strict=True):
            assert torch.allclose(ours[place], theirs, atol=1e-5)
        assert torch.allclose(stack.decode_one(place, codes[place]), expected[2], atol=1e-5)


def test_models_of_a_stack_are_views_of_it():
    stack = Stack(models(2))
    with torch.no_grad():
        stack.parameters[0].zero_()
    assert all(not next(model.parameters()).any() for model in stack.models)
    assert stack.parameters[0].is_leaf and stack.parameters[0].requires_grad


def settings_of(objective, term):
    options = {"width": 8} if objective in ("factor", "dava") else {}
    return replace(SHORT, objective=objective, options=options, topdis=term, clip=100.0, z_dim=3)


def objectives_of(settings, count):
    found = []
    for seed in range(count):
        torch.manual_seed(seed)
        found.append(make_objective(settings.objective, settings.options, z_dim=3, image_shape=(1, 32, 32)))
    return found


def steps(settings, originals, groups, count=2):
    """Weights and logs of the models after some steps, computed in groups of places."""
    nets, objectives = copies(originals), objectives_of(settings, len(originals))
    own = [torch.optim.Adam(net.parameters(), settings.lr) for net in nets]
    logs = []
    for group in groups:
        stack = Stack([nets[k] for k in group])
        adam = stacked_adam(stack, [own[k] for k in group])
        topdis = None if settings.topdis is None else TopDis(scale_gradient="constant")
        for step in range(count):
            draws = [draw_step(Squares(), 12, seed=k, step=step) for k in group]
            chosen = [objectives[k] for k in group]
            result = compute_step(stack, chosen, Squares(), draws, settings, step=step, topdis=topdis)
            for parameter, gradient in zip(stack.parameters, result.gradients, strict=True):
                parameter.grad = gradient
            adam.step()
            for objective, context in zip(chosen, result.contexts, strict=True):
                objective.update(context)
        logs += list(torch.stack(list(result.logs.values()), dim=1).detach())
    return nets, own, logs


@pytest.mark.parametrize(
    "term",
    [
        None,
        TopDisSettings(),
        TopDisSettings(against="loss", batch="same", shift_gradient="exact"),
        TopDisSettings(orthogonal=False, points=6, sampler="uniform", codes="mean"),
    ],
)
def test_grouped_convolutions_take_the_steps_of_the_models_apart(term):
    settings, originals = settings_of("beta", term), models(3)
    together, stacked, found = steps(settings, originals, [(0, 1, 2)])
    apart, own, expected = steps(settings, originals, [(0,), (1,), (2,)])
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-4)
    # Optimisers too: the model is as a run of its own could go on with.
    for a, b, net, other in zip(stacked, own, together, apart, strict=True):
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            # Where a gradient is nothing but rounding, Adam takes whole steps either way.
            assert (p - q).abs().mean() < 0.02 * settings.lr
            assert a.state[p]["step"] == b.state[q]["step"] == 2
            momentum = b.state[q]["exp_avg"]
            # Of six points one gradient more or less, where rounding decides between two entries, is a percent.
            assert torch.allclose(a.state[p]["exp_avg"], momentum, atol=3e-2 * float(momentum.abs().max()))


@pytest.mark.parametrize("objective", ["beta-tc", "control", "factor", "dava"])
def test_objectives_see_each_model_for_itself(objective):
    settings, originals = settings_of(objective, None), models(2)
    found, expected = (steps(settings, originals, groups)[2] for groups in ([(0, 1)], [(0,), (1,)]))
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_runs_in_lockstep_are_their_own_runs_for_fifty_steps(tmp_path):
    """On the CPU they are so exactly: arms and seeds, threads or not."""
    base = replace(SHORT, steps=50, batch=4)
    settings = [replace(base, seed=1, topdis=None), replace(base, seed=2)]
    together = train_together(plans(tmp_path, settings), Squares(), threads=2, rhythm=OFTEN)
    for one, state in zip(settings, together, strict=True):
        alone = train(one, Squares(), tmp_path, threads=1, rhythm=OFTEN)
        assert same(alone.model, state.model) and alone.history == state.history


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [6, 8])
def test_a_lockstep_resumes_bit_for_bit(tmp_path, killed_at):
    """Also where one of the checkpoints was not written any more."""
    settings = [replace(SHORT, seed=seed, steps=12) for seed in (1, 2)]
    whole = train_together(plans(tmp_path / "whole", settings), Squares(), threads=1, rhythm=OFTEN)

    class Killed(Exception):
        pass

    def kill(state):
        if state.step == killed_at:
            raise Killed

    first, second = plans(tmp_path / "other", settings)
    # At a row the first model has its checkpoint, and the second is killed before.
    second = replace(second, on_look=lambda state: kill(state) or {}, on_step=kill if killed_at % 4 else None)
    with pytest.raises(Killed):
        train_together([first, second], Squares(), threads=1, rhythm=OFTEN)
    resumed = train_together(plans(tmp_path / "other", settings, resume=True), Squares(), threads=2, rhythm=OFTEN)
    for a, b in zip(whole, resumed, strict=True):
        assert same(a.model, b.model) and a.history == b.history


@pytest.mark.slow
def test_a_checkpoint_of_a_stack_holds_one_model(tmp_path, monkeypatch):
    """On another device than the CPU the models are one network; what is saved is each one's own."""
    monkeypatch.setattr("vae.training.loop._stacked", lambda device: True)
    settings = [replace(SHORT, seed=seed) for seed in (1, 2, 3)]
    together = train_together(plans(tmp_path, settings), Squares(), rhythm=OFTEN)
    alone = tmp_path / "alone"
    alone.mkdir()
    train(settings[1], Squares(), alone, rhythm=OFTEN)
    sizes = [(folder / CHECKPOINT_FILE).stat().st_size for folder in (tmp_path / "1", alone)]
    assert sizes[0] < 1.1 * sizes[1]
    resumed = train_together(plans(tmp_path, settings, resume=True), Squares(), rhythm=OFTEN)
    assert all(same(a.model, b.model) for a, b in zip(together, resumed, strict=True))


def test_the_model_that_fails_is_named(tmp_path):
    settings = [replace(SHORT, seed=1, topdis=None), replace(SHORT, seed=2, topdis=None, lr=1e6)]
    with pytest.raises(GanwalkError, match=rf"not finite in step \d.*{tmp_path.name}") as caught:
        train_together(plans(tmp_path, settings), Squares(), rhythm=Rhythm(12, 12, 0.0))
    assert "no checkpoint had been written" in str(caught.value)
    assert json.dumps(str(caught.value)).count("\\n") == 0


@pytest.mark.parametrize(
    ("objective", "term"),
    [
        ("beta", None),
        ("beta", TopDisSettings()),
        ("beta-tc", None),
        ("control", None),
        ("factor", TopDisSettings()),
        ("dava", None),
        ("dava", TopDisSettings()),
    ],
)
def test_a_lockstep_asks_its_device_at_most_twice(monkeypatch, objective, term):
    """Every transfer to the CPU and every question for a value waits for the device; uploads do not."""
    settings = settings_of(objective, term)
    with accelerator(monkeypatch) as traffic:
        stack = Stack([moved(net) for net in models(3)])
        objectives = [moved(one) for one in objectives_of(settings, 3)]
        topdis = None if term is None else TopDis(scale_gradient="constant")
        draws = [draw_step(Squares(), 12, seed=k, step=0) for k in range(3)]
        traffic.to_cpu.clear()
        traffic.questions = 0
        result = compute_step(stack, objectives, Squares(), draws, settings, step=0, topdis=topdis)
        # Of the term: distances come, and the gradient of its values.
        assert len(traffic.to_cpu) + traffic.questions == (0 if term is None else 2)
        assert all(gradient.device == DEVICE for gradient in result.gradients)
        for one, context in zip(objectives, result.contexts, strict=True):
            one.update(context)
        assert len(traffic.to_cpu) + traffic.questions <= 2


def test_resident_images_are_the_images():
    data = Squares(3)
    indices = np.array([[3, 191], [64, 0]])
    assert torch.equal(Resident(data, torch.device("cpu"))(indices), load_images(data, indices, "cpu"))
    assert resident_images(data, "cpu") is None
