"""The step and the loop: what is minimised, what is remembered, what stops it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ganwalk.compute import parallel
from ganwalk.errors import GanwalkError
from ganwalk.options import options_of
from tests.vae.squares import Squares
from vae.objectives import OBJECTIVES
from vae.settings import CHECKPOINT_FILE, TopDisSettings, TrainingSettings
from vae.topdis import TopDis
from vae.training.checkpoints import load_checkpoint
from vae.training.loop import Rhythm, new_state, train
from vae.training.stack import Stack
from vae.training.step import compute_step, draw_step

ROOT = Path(__file__).resolve().parents[3]
SHORT = TrainingSettings(steps=12, batch=16, topdis=TopDisSettings(delay=0.25))
SINGLE = replace(SHORT, steps=1, topdis=None)
OFTEN = Rhythm(log_every=4, look_every=4, save_seconds=0.0)


def same(first, second):
    return all(
        torch.equal(a, b) for a, b in zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    )


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
def test_a_continued_training_counts_its_steps_on_the_cpu(tmp_path):
    """Adam asks a device for them twice per parameter and step."""
    train(SINGLE, Squares(), tmp_path)
    state = new_state(SINGLE, Squares(), "meta")
    load_checkpoint(tmp_path / CHECKPOINT_FILE, state, SINGLE)
    moments = list(state.optimizer.state.values())
    assert {moment["step"].device.type for moment in moments} == {"cpu"} and len(moments) > 10
    assert {moment["exp_avg"].device.type for moment in moments} == {"meta"}


def flat(gradients):
    return torch.cat([gradient.flatten() for gradient in gradients])


def step_gradients(topdis, *, orthogonal=True, codes="sample", seed=3):
    data = Squares()
    state = new_state(replace(SHORT, seed=seed), data, "cpu")
    options = None if topdis is None else TopDisSettings(gamma=topdis.gamma, orthogonal=orthogonal, codes=codes)
    return one_step(state, replace(SHORT, topdis=options), topdis=topdis, seed=seed)


def one_step(state, settings, *, topdis=None, step=0, seed=0):
    """A step of one model on 32 images."""
    data = Squares()
    draws = [draw_step(data, 32, seed=seed, step=step)]
    return compute_step(Stack([state.model]), [state.objective], data, draws, settings, step=step, topdis=topdis)


def reconstruction_gradients(seed):
    """β = 0 leaves the reconstruction alone."""
    data, settings = Squares(), replace(SHORT, seed=seed, options={"beta": 0.0})
    state = new_state(settings, data, "cpu")
    return one_step(state, settings, seed=seed).gradients


def test_plain_gradients_are_those_of_the_loss():
    data = Squares()
    state = new_state(SHORT, data, "cpu")
    draw = draw_step(data, 32, seed=0, step=5)
    result = one_step(state, SHORT, step=5)
    batch = result.contexts[0].batch
    assert torch.equal(batch.images, torch.from_numpy(data.images(draw.first)).permute(0, 3, 1, 2) / 255)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(batch.logits, batch.images, reduction="none")
    assert result.logs["reconstruction"].item() == pytest.approx(expected.sum(dim=(1, 2, 3)).mean().item(), rel=1e-5)
    total = result.logs["reconstruction"] + 4 * result.logs["kl"]
    assert result.logs["loss"].item() == pytest.approx(total.item(), rel=1e-5)


TERM_CHANGES = {
    "gamma": 2.0,
    "delay": 0.0,
    "shift": 0.25,
    "sampler": "uniform",
    "codes": "mean",
    "batch": "same",
    "points": 8,
    "ends": "immovable",
    "against": "loss",
    "shift_gradient": "exact",
    "scale_gradient": "constant",
    "orthogonal": False,
    "every": 2,
    "p": 2.0,
    "card": 1,
}


@pytest.mark.slow
def test_every_option_of_the_term_changes_the_training(tmp_path):
    assert set(TERM_CHANGES) == set(options_of(TopDisSettings))
    # With other seeds, both samplers may draw the same dimensions in so few steps.
    settings = replace(SHORT, steps=6, batch=12, hidden=8)
    usual = train(settings, Squares(), tmp_path).model
    for name, value in TERM_CHANGES.items():
        changed = replace(settings, topdis=replace(settings.topdis, **{name: value}))
        assert not same(train(changed, Squares(), tmp_path).model, usual), name


def test_topology_adds_its_gradient():
    """Without orthogonalisation the gradient is linear in γ."""
    plain, one, two = (
        step_gradients(topdis, orthogonal=False) for topdis in (None, TopDis(gamma=1.0), TopDis(gamma=2.0))
    )
    for a, b, c in zip(plain.gradients, one.gradients, two.gradients, strict=True):
        assert torch.allclose(c - a, 2 * (b - a), atol=2e-3 * float(a.abs().max()))
    assert one.logs["topdis"] > 0
    assert one.logs["loss"] == pytest.approx((plain.logs["loss"] + one.logs["topdis"]).item(), rel=1e-5)


def test_topology_never_works_against_the_reconstruction():
    """With a conflict, what is left of topology is orthogonal to the gradient of the reconstruction."""
    found = []
    for seed in range(6):
        plain, linear, cleaned = (
            flat(step_gradients(topdis, orthogonal=orthogonal, seed=seed).gradients)
            for topdis, orthogonal in ((None, False), (TopDis(gamma=50.0), False), (TopDis(gamma=50.0), True))
        )
        guide = flat(reconstruction_gradients(seed))
        before, after = (linear - plain) @ guide, (cleaned - plain) @ guide
        scale = float((linear - plain).norm() * guide.norm())
        expected = max(float(before), 0.0)
        assert float(after) == pytest.approx(expected, abs=1e-3 * scale)
        found.append(float(before) < -1e-3 * scale)
    assert True in found and False in found


def test_means_and_samples_are_different_codes():
    sampled, means = (step_gradients(TopDis(), codes=codes).logs["topdis"] for codes in ("sample", "mean"))
    assert sampled != means


def test_draws_are_functions_of_seed_and_step():
    data = Squares()
    one, again, other = (draw_step(data, 8, seed=seed, step=2) for seed in (0, 0, 1))
    assert np.array_equal(one.first, again.first) and np.array_equal(one.second, again.second)
    assert one.rng.initial_seed() == again.rng.initial_seed()
    assert not np.array_equal(one.first, other.first)


@pytest.mark.slow
def test_training_learns(tmp_path):
    settings = replace(SHORT, steps=80, topdis=None, lr=1e-3, batch=32)
    rows = train(settings, Squares(), tmp_path, rhythm=Rhythm(20, 1000, 1e9)).history
    losses = [row["reconstruction"] for row in rows]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


@pytest.mark.parametrize(
    ("objective", "options"), [("dip", {"dip": "i"}), ("dip", {}), ("ada-gvae", {}), ("qlae", {"levels": 6})]
)
@pytest.mark.parametrize("term", [None, TopDisSettings(gamma=0.1, delay=0.2)], ids=["without", "TopDis"])
def test_younger_objectives_train_with_and_without_topology(tmp_path, objective, options, term):
    settings = replace(SHORT, objective=objective, options=options, steps=20, topdis=term)
    state = train(settings, Squares(), tmp_path, rhythm=Rhythm(5, 1000, 1e9))
    losses = [row["reconstruction"] for row in state.history]
    assert losses[-1] < 0.85 * losses[0] and all(np.isfinite(list(row.values())).all() for row in state.history)
    assert ("topdis" in state.history[-1]) == (term is not None)


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_resume_is_bit_for_bit(tmp_path, objective):
    settings = replace(SHORT, objective=objective, options={"width": 8} if objective == "factor" else {})
    looks = []
    whole = train(settings, Squares(), tmp_path, rhythm=OFTEN, on_look=lambda state: looks.append(state.step) or {})
    assert looks == [4, 8, 12]

    class Killed(Exception):
        pass

    def kill(state):
        if state.step == 7:
            raise Killed

    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(Killed):
        train(settings, Squares(), other, rhythm=OFTEN, on_step=kill)
    steps = []
    resumed = train(
        settings, Squares(), other, rhythm=OFTEN, resume=True, on_step=lambda state: steps.append(state.step)
    )
    assert steps == list(range(5, 13))
    assert same(whole.model, resumed.model) and same(whole.objective, resumed.objective)
    assert whole.history == resumed.history
    assert (other / CHECKPOINT_FILE).read_bytes() == (tmp_path / CHECKPOINT_FILE).read_bytes()


def test_history_has_the_means_of_its_rows(tmp_path):
    singles = train(SHORT, Squares(), tmp_path, rhythm=Rhythm(1, 1000, 1e9)).history
    rows = train(SHORT, Squares(), tmp_path, rhythm=OFTEN).history
    assert [row["step"] for row in rows] == [4, 8, 12]
    assert rows[1]["kl"] == pytest.approx(np.mean([row["kl"] for row in singles[4:8]]), rel=1e-5)
    assert "topdis" in rows[0] and rows[0]["topdis"] == pytest.approx(singles[3]["topdis"], rel=1e-5)


def test_topology_starts_after_its_delay(tmp_path):
    rows = train(SHORT, Squares(), tmp_path, rhythm=Rhythm(1, 1000, 1e9)).history
    assert [row["step"] for row in rows if "topdis" in row] == list(range(4, 13))


def test_topology_every_third_step_weighs_three_times_as_much(tmp_path):
    sparse = replace(SHORT, topdis=TopDisSettings(delay=0.25, every=3, orthogonal=False))
    rows = train(sparse, Squares(), tmp_path, rhythm=Rhythm(1, 1000, 1e9)).history
    assert [row["step"] for row in rows if "topdis" in row] == [4, 7, 10]
    row = rows[3]
    assert row["loss"] == pytest.approx(row["reconstruction"] + 4 * row["kl"] + 5 * 3 * row["topdis"], rel=1e-5)


def test_before_the_delay_topology_changes_nothing(tmp_path):
    late = replace(SHORT, topdis=TopDisSettings(delay=1.0))
    with_term, without = (train(s, Squares(), tmp_path) for s in (late, replace(SHORT, topdis=None)))
    assert same(with_term.model, without.model)


def test_resume_needs_a_checkpoint_of_the_same_training(tmp_path):
    with pytest.raises(GanwalkError, match="nothing to resume"):
        train(SHORT, Squares(), tmp_path, resume=True)
    train(SHORT, Squares(), tmp_path)
    with pytest.raises(GanwalkError, match="another lr"):
        train(replace(SHORT, lr=2e-3), Squares(), tmp_path, resume=True)
    (tmp_path / CHECKPOINT_FILE).write_bytes(b"nonsense")
    with pytest.raises(GanwalkError, match="not a checkpoint"):
        train(SHORT, Squares(), tmp_path, resume=True)


def test_a_loss_that_is_not_finite_stops_with_the_last_checkpoint(tmp_path):
    class Broken(Squares):
        calls = 0

        def draw(self, n, rng):
            self.calls += 1
            return super().draw(n, rng)

        def images(self, indices):
            images = super().images(indices)
            return images if self.calls < 12 else images.astype(np.float32) * np.nan

    with pytest.raises(GanwalkError, match=r"reconstruction.* not finite in step 6.*step 4") as caught:
        train(replace(SHORT, topdis=None), Broken(), tmp_path, rhythm=OFTEN)
    assert "\n" not in str(caught.value)
    saved = torch.load(tmp_path / CHECKPOINT_FILE, weights_only=True)
    assert saved["step"] == 4
    assert all(value.isfinite().all() for value in saved["model"].values())


@pytest.mark.parametrize("lr", [1e3, 1e4])
def test_weights_that_overflow_stop_with_the_term_too(tmp_path, lr):
    """The decoder fails before the codes do, and what topology is taken of is the first to see it."""
    settings = replace(SHORT, lr=lr, topdis=TopDisSettings(delay=0))
    with pytest.raises(GanwalkError, match=r"not finite in step \d"):
        train(settings, Squares(), tmp_path)


def test_processes_of_one_machine_take_devices_of_their_own(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert parallel.own_device("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert [parallel.own_device(name) for name in ("cuda", "cuda:0", "cpu")] == ["cuda:1", "cuda:0", "cpu"]


@pytest.mark.slow
def test_two_processes_take_the_mean_of_their_gradients(tmp_path, monkeypatch):
    """torchrun with gloo: both end with the same weights; after one step those of the averaged gradients."""
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, torch\n"
        "from pathlib import Path\n"
        "from tests.vae.squares import Squares\n"
        "from tests.vae.training.test_loop import SHORT, SINGLE, OFTEN\n"
        "from ganwalk.compute import parallel\n"
        "from vae.training.loop import train\n"
        "torch.set_num_threads(1)\n"
        "out = Path(sys.argv[1])\n"
        "with parallel.process_group(torch.device('cpu')):\n"
        "    for name, settings in (('short', SHORT), ('single', SINGLE)):\n"
        "        state = train(settings, Squares(), out, rhythm=OFTEN)\n"
        "        torch.save(state.model.state_dict(), out / f'{name}{parallel.rank()}.pt')\n"
    )
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    subprocess.run(
        [*launcher, str(program), str(tmp_path)],
        check=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    for name in ("short", "single"):
        first, second = (torch.load(tmp_path / f"{name}{k}.pt", weights_only=True) for k in (0, 1))
        assert all(torch.equal(first[key], second[key]) for key in first)

    state, gradients = new_state(SINGLE, Squares(), "cpu"), []
    for rank in (0, 1):
        monkeypatch.setattr("ganwalk.compute.parallel.rank", lambda rank=rank: rank)
        draw = draw_step(Squares(), SINGLE.batch, seed=SINGLE.seed, step=0)
        stack = Stack([state.model])
        gradients.append(compute_step(stack, [state.objective], Squares(), [draw], SINGLE, step=0).gradients)
    for parameter, a, b in zip(state.model.parameters(), *gradients, strict=True):
        parameter.grad = (a + b) / 2
    state.optimizer.step()
    expected = state.model.state_dict()
    assert all(torch.allclose(first[key], expected[key], atol=2e-5) for key in first)
