"""Options that say how a model is made and trained: each does what its name says."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ganwalk.errors import GanwalkError
from ganwalk.rtd import RTDLoss, cross_barcode, distance_matrix, normalized
from tests.vae.squares import Squares
from vae.models import VAE, ModelConfig
from vae.settings import TopDisSettings, TrainingSettings, from_json, to_json
from vae.topdis import TopDis, inner_products
from vae.training.loop import new_state
from vae.training.stack import Stack
from vae.training.step import compute_step, draw_step, reconstruction_loss

BASE = TrainingSettings(steps=4, batch=16, hidden=16, topdis=None)


def step(settings, gamma=1.0, seed=0, data=None):
    data = data or Squares()
    state = new_state(settings, data, "cpu")
    term = settings.topdis
    topdis = None if term is None else TopDis(gamma, ends=term.ends)
    draws = [draw_step(data, settings.batch, seed=seed, step=0)]
    return compute_step(Stack([state.model]), [state.objective], data, draws, settings, step=0, topdis=topdis)


@pytest.mark.parametrize(
    "term", [TopDisSettings(batch="same"), TopDisSettings(batch="same", orthogonal=False, points=9)]
)
def test_codes_of_the_same_batch_are_decoded_once(term, monkeypatch):
    """The step is the one that decodes them again."""
    decoded, decode, divergences = [], Stack.decode, TopDis.divergences
    monkeypatch.setattr(Stack, "decode", lambda self, z: decoded.append(z.shape[1]) or decode(self, z))
    once = step(replace(BASE, topdis=term))
    assert decoded[0] == BASE.batch and len(decoded) == 2 and 3 <= decoded[1] <= (term.points or BASE.batch)
    forget = lambda *args, decoded, **options: divergences(*args, **options)  # noqa: E731 (a method for a while)
    monkeypatch.setattr(TopDis, "divergences", forget)
    twice = step(replace(BASE, topdis=term))
    assert decoded[3] == 2 * decoded[1]
    for name, value in once.logs.items():
        assert torch.allclose(value, twice.logs[name], rtol=1e-4)
    for ours, theirs in zip(once.gradients, twice.gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))


def length(gradients):
    return float(inner_products(gradients, gradients).sqrt())


def test_wide_networks_are_those_of_the_released_code():
    """32-64-128-256 convolutions of 4×4, 512 hidden units and a code of 10, counted by hand."""
    model = VAE(ModelConfig(64, 1, layers="wide"))
    steps = [(1, 32), (32, 64), (64, 128), (128, 256)]
    convolutions = sum(a * b * 16 for a, b in steps)
    encoder = convolutions + sum(b for _, b in steps) + 256 * 512 * 16 + 512 + 512 * 20 + 20
    decoder = convolutions + sum(a for a, _ in steps) + 512 * 256 * 16 + 256 + 10 * 512 + 512
    assert sum(p.numel() for p in model.encoder.parameters()) == encoder
    assert sum(p.numel() for p in model.decoder.parameters()) == decoder
    with pytest.raises(GanwalkError, match="narrow or wide"):
        ModelConfig(layers="deep")


@pytest.mark.parametrize(
    ("settings", "width"),
    [
        (TrainingSettings(), 128),
        (TrainingSettings(dataset="faces3d"), 256),
        (TrainingSettings(dataset="faces3d", hidden=100), 100),
        (TrainingSettings(dataset="faces3d", layers="wide"), 512),
    ],
)
def test_hidden_layers_of_grey_images(settings, width):
    assert new_state(settings, Squares(), "cpu").model.config.width == width


def test_normal_initialisation_leaves_transposed_convolutions_to_torch():
    data = Squares()
    normal, usual, mixed = (
        new_state(TrainingSettings(initialisation=how), data, "cpu").model
        for how in ("normal", "kaiming", "kaiming-convolutions")
    )
    for place in (2, 4, 6, 8):
        assert float(normal.encoder[place].weight.detach().std()) == pytest.approx(0.02, rel=0.05)
        assert not normal.encoder[place].bias.any() and float(usual.encoder[place].weight.detach().std()) > 0.025
    # Torch draws them uniformly, within 1/√(fan in).
    for model in (normal, mixed):
        transposed = model.decoder[4]
        assert float(transposed.weight.detach().abs().max()) == pytest.approx((64 * 16) ** -0.5, rel=0.01)
        assert transposed.bias.any() and not usual.decoder[4].bias.any()
    assert torch.equal(mixed.encoder[0].weight, usual.encoder[0].weight) and not mixed.encoder[0].bias.any()


def test_gaussian_likelihood_is_the_squared_error_of_the_decoded_images():
    logits, images = torch.randn(3, 1, 2, 2), torch.rand(3, 1, 2, 2)
    expected = (logits.sigmoid() - images).square().sum() / 3
    assert torch.allclose(reconstruction_loss(logits, images, "gaussian"), expected)
    found = step(replace(BASE, likelihood="gaussian"))
    batch = found.contexts[0].batch
    assert found.logs["reconstruction"].item() == pytest.approx(
        float((batch.logits.sigmoid() - batch.images).detach().square().sum() / 16), rel=1e-5
    )
    with pytest.raises(GanwalkError, match="--likelihood bernoulli"):
        TrainingSettings(objective="dava", likelihood="gaussian")


def test_the_weight_of_its_own_loss_leaves_the_term_as_it_is():
    term = TopDisSettings(orthogonal=False)
    plain, with_term = step(BASE), step(replace(BASE, topdis=term))
    half = step(replace(BASE, own_weight=0.5, topdis=term))
    for own, both, found in zip(plain.gradients, with_term.gradients, half.gradients, strict=True):
        assert torch.allclose(found, both - 0.5 * own, atol=1e-4 * float(both.abs().max()) + 1e-6)
    assert half.logs["loss"].item() == pytest.approx(
        (with_term.logs["loss"] - 0.5 * plain.logs["loss"]).item(), rel=1e-4
    )


def test_clipping_scales_the_whole_gradient_and_only_a_longer_one():
    free = step(BASE)
    whole = length(free.gradients)
    clipped, kept = (step(replace(BASE, clip=share * whole)) for share in (0.25, 4.0))
    assert length(clipped.gradients) == pytest.approx(0.25 * whole, rel=1e-4)
    for a, b, c in zip(free.gradients, clipped.gradients, kept.gradients, strict=True):
        assert torch.allclose(b, 0.25 * a, atol=1e-6) and torch.allclose(c, a)


@pytest.mark.slow
@pytest.mark.parametrize("against", ["reconstruction", "loss"])
def test_the_term_is_orthogonal_to_what_it_is_taken_against(against):
    found = []
    for seed in range(4):
        settings = replace(BASE, seed=seed, options={"beta": 30.0})
        alone = step(settings, seed=seed)
        guide = alone if against == "loss" else step(replace(settings, options={"beta": 0.0}), seed=seed)
        cleaned = step(replace(settings, topdis=TopDisSettings(against=against)), gamma=50.0, seed=seed)
        walk = [a - b for a, b in zip(cleaned.gradients, alone.gradients, strict=True)]
        share = float(inner_products(walk, guide.gradients)) / (length(walk) * length(guide.gradients))
        assert share > -1e-3
        found.append(bool(cleaned.logs["conflict"]))
        if found[-1]:
            assert share == pytest.approx(0, abs=2e-3)
    assert any(found)
    with pytest.raises(GanwalkError, match="topdis-against"):
        TopDisSettings(orthogonal=False, against="loss")


class Counted(Squares):
    """Notes how many images each call asks for."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def images(self, indices):
        self.asked.append(len(indices))
        return super().images(indices)


@pytest.mark.parametrize(
    ("term", "asked"),
    [
        (TopDisSettings(), [16, 16]),
        (TopDisSettings(batch="same"), [16]),
        (TopDisSettings(points=6), [16, 6]),
        (TopDisSettings(points=6, batch="same"), [16]),
        (TopDisSettings(batch="redrawn"), [16]),
    ],
)
def test_the_term_takes_codes_of_its_batch_and_no_more(monkeypatch, term, asked):
    taken = []

    def divergences(self, decode, z, **options):
        taken.append(z.detach())
        return z.sum(dim=(1, 2))

    monkeypatch.setattr(TopDis, "divergences", divergences)
    data = Counted()
    found = step(replace(BASE, topdis=term), data=data)
    assert data.asked == asked
    context = found.contexts[0]
    if term.batch == "redrawn":
        # The same images with noise of their own.
        apart = taken[0][0] - context.batch.mean
        assert taken[0][0].shape == (16, 10) and not torch.equal(taken[0][0], context.batch.z)
        assert 0.7 < float((apart / (context.batch.log_variance / 2).exp()).std()) < 1.3
        return
    source = context.batch if term.batch == "same" else context.second
    assert torch.equal(taken[0][0], source.z[: term.points])


def test_immovable_ends_by_hand():
    """A death at an entry of the minimum where w is smaller is read from v; other ends stay."""
    rng = torch.Generator().manual_seed(1)
    P = torch.randn(14, 3, generator=rng, dtype=torch.float64)
    Q = P + 0.5 * torch.randn(14, 3, generator=rng, dtype=torch.float64)
    w, v = (normalized(distance_matrix(cloud), 0.9).numpy() for cloud in (P, Q))
    expected = 0.0
    for first, second, mode in ((w, v, "min"), (w, v, "max"), (v, w, "min"), (v, w, "max")):
        bars = cross_barcode(first, second, mode)
        deaths = bars.deaths.copy()
        if mode == "min":
            for bar, (i, j, which) in enumerate(bars.death_entries):
                in_w = (which == 0) == (first is w)
                if in_w and w[i, j] < v[i, j]:
                    deaths[bar] = v[i, j]
        expected += 0.5 * float((deaths - bars.births).sum())
    loss = RTDLoss(ends="immovable")
    clouds = [cloud.clone().requires_grad_() for cloud in (P, Q)]
    value = loss(*clouds)
    assert value.item() == pytest.approx(expected, rel=1e-6) and value.item() > RTDLoss()(P, Q).item()
    # It is differentiated as it is read.
    (gradient,) = torch.autograd.grad(value, clouds[1])
    shifted = Q.clone()
    shifted[2, 1] += 1e-5
    lower = Q.clone()
    lower[2, 1] -= 1e-5
    slope = (loss(P, shifted) - loss(P, lower)).item() / 2e-5
    assert gradient[2, 1].item() == pytest.approx(slope, rel=1e-3)
    with pytest.raises(ValueError, match="'exact' or 'immovable'"):
        RTDLoss(ends="loose")


def test_settings_of_earlier_versions_mean_what_they_meant():
    """Files that lack the options keep the networks, batches and losses that there were."""
    values = to_json(TrainingSettings())
    new = {"layers", "initialisation", "likelihood", "own_weight", "clip", "unknown"}
    older = {name: value for name, value in values.items() if name not in new}
    older["topdis"] = {
        name: value for name, value in values["topdis"].items() if name not in ("batch", "points", "ends", "against")
    }
    assert from_json(older, "here", written=True) == TrainingSettings()
    assert np.all([name in values for name in new])
