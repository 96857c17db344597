"""What every objective must do."""

import io
from dataclasses import fields

import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.options import options_of
from tests.vae.objectives.contexts import model_context
from vae.objectives import OBJECTIVES, make_objective

SMALL = {"factor": {"width": 8, "depth": 2}}


def make(name, z_dim=4, channels=1, resolution=32, seed=0, **options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_objective(
            name,
            {**SMALL.get(name, {}), **options},
            z_dim=z_dim,
            image_shape=(channels, resolution, resolution),
        )


def run(objective, steps, **shape):
    """Terms and states of these steps, as the training loop takes them."""
    seen = []
    for step in steps:
        model, context = model_context(step=step, objective=objective, **shape)
        terms = objective(context)
        gradients = torch.autograd.grad(terms.loss, list(model.parameters()), allow_unused=True)
        logs = {**terms.logs, **objective.update(context)}
        seen.append((terms.loss.detach(), logs, gradients, {k: v.clone() for k, v in objective.state_dict().items()}))
    return seen


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize(("z_dim", "channels", "resolution"), [(4, 1, 32), (1, 3, 32), (3, 3, 64)])
def test_terms_are_finite_and_reach_the_encoder(name, z_dim, channels, resolution):
    objective = make(name, z_dim, channels, resolution)
    encoder = None
    for step in range(2):
        model, context = model_context(z_dim, channels, resolution, step=step, objective=objective)
        encoder = list(model.encoder.parameters())
        terms = objective(context)
        assert terms.loss.shape == () and terms.loss.isfinite()
        gradients = torch.autograd.grad(terms.loss, encoder)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.abs().max() > 0 for gradient in gradients)
        for value in (*terms.logs.values(), *objective.update(context).values()):
            assert value.shape == () and value.isfinite()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_logs_have_names_of_their_own(name):
    """None takes the place of what the loop logs, and none comes twice."""
    objective = make(name)
    _, context = model_context(objective=objective)
    logged = list(objective(context).logs) + list(objective.update(context))
    assert not {"step", "loss", "reconstruction", "kl", "topdis", "conflict"} & set(logged)
    assert len(set(logged)) == len(logged)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_saved_state_takes_the_same_next_steps(name):
    objective = make(name)
    run(objective, range(2))
    own = None if objective.optimizer is None else objective.optimizer.state_dict()
    buffer = io.BytesIO()
    torch.save((objective.state_dict(), own), buffer)
    expected = run(objective, range(2, 4))

    again = make(name, seed=5)
    buffer.seek(0)
    state, own = torch.load(buffer, weights_only=True)
    again.load_state_dict(state)
    if again.optimizer is not None:
        again.optimizer.load_state_dict(own)
    assert same(run(again, range(2, 4)), expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_terms_depend_on_the_generator_of_the_step_alone(name):
    first = run(make(name), range(2))
    torch.manual_seed(99)
    assert same(run(make(name), range(2)), first)


@pytest.mark.slow
@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_alone_changes_nothing(name):
    """What is remembered changes in `update`."""
    objective = make(name)
    run(objective, range(2))
    before = {key: value.clone() for key, value in objective.state_dict().items()}
    objective(model_context(step=2, objective=objective)[1])
    assert same(dict(objective.state_dict()), before)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_unknown_options_are_refused(name):
    with pytest.raises(GanwalkError, match=rf"{name}: unknown setting colour"):
        make(name, colour=1)


def test_an_option_of_another_objective_is_called_so():
    with pytest.raises(GanwalkError, match=r"beta is an option of beta, .*, not of factor, which takes depth, disc"):
        make("factor", beta=1.0)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_options_explain_themselves(name):
    for field in fields(OBJECTIVES[name].settings):
        assert options_of(OBJECTIVES[name].settings)[field.name].help.endswith(".")


@pytest.mark.parametrize("name", OBJECTIVES)
def test_options_out_of_range_are_refused_by_name(name):
    """No option of any objective may be -1."""
    for option, about in options_of(OBJECTIVES[name].settings).items():
        value = "nonsense" if about.choices else -1
        with pytest.raises(GanwalkError, match=rf"{name}: .*{option.replace('_', '-')}"):
            make(name, **{option: value})
