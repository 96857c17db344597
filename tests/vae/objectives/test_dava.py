"""DAVA: the capacity, the discriminator, and where the two adversarial gradients go."""

import pytest
import torch
from torch.nn import functional as F

from ganwalk.errors import GanwalkError
from tests.vae.objectives.contexts import model_context
from vae.objectives import make_objective
from vae.objectives.base import Context, Encoded
from vae.objectives.factor import permute_dims

SIZE = 32


def make(**options):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make_objective("dava", {"width": 8, **options}, z_dim=2, image_shape=(1, SIZE, SIZE))


def draw(z):
    """Logits of a bright square at the place that two codes name: a decoder that shows both."""
    grid = torch.arange(SIZE)
    place = (z.clamp(-2, 2) + 2) * 6 + 4
    row, column = ((grid - place[:, k, None]).abs() < 3 for k in (0, 1))
    return 8.0 * (row[:, :, None] & column[:, None, :])[:, None].float() - 4


def drawn_context(z, step=0, steps=100):
    return Context(
        Encoded(draw(z).sigmoid(), z, torch.zeros_like(z), z, draw(z)),
        None,
        draw,
        step,
        steps,
        1000,
        torch.Generator().manual_seed(step),
    )


def codes(step, *, dependent, n=64):
    z = torch.randn(n, 2, generator=torch.Generator().manual_seed(step))
    return z[:, :1].repeat(1, 2) if dependent else z


def trained(*, dependent, updates=60, **options):
    """An objective after updates, and accuracies on the way."""
    objective = make(**options)
    accuracies = [
        float(objective.update(drawn_context(codes(step, dependent=dependent), step))["discriminator_accuracy"])
        for step in range(updates)
    ]
    return objective, accuracies


@pytest.mark.slow
def test_codes_that_depend_on_one_another_are_found_out():
    """The capacity, which could grow while the discriminator knew nothing, is taken back."""
    objective, accuracies = trained(dependent=True, discriminator_lr=2e-3)
    assert sum(accuracies[-10:]) / 10 > 0.75
    assert objective.capacity == 0


@pytest.mark.slow
def test_independent_codes_pass_and_earn_capacity():
    objective, accuracies = trained(dependent=False)
    assert sum(accuracies[-10:]) / 10 < 0.55
    assert objective.capacity > 0.3 * 60


class Verdicts(torch.nn.Module):
    """A discriminator that is right about the first images of n reconstructions and n others, and sure of all."""

    def __init__(self, right, n):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.right, self.n = right, n

    def forward(self, images):
        index = torch.arange(2 * self.n)
        return self.scale * torch.where((index < self.right) == (index < self.n), 5.0, -5.0)[:, None]


@pytest.mark.parametrize(("right", "change"), [(0, 1), (100, 1), (101, 0), (102, 0), (103, -1), (200, -1)])
def test_capacity_follows_accuracy(right, change):
    """Of 200 verdicts: half right or less is no knowledge. A step is a hundredth of the growth over 100 steps."""
    objective = make(capacity_growth=50.0)
    objective.discriminator = Verdicts(right, 100)
    with torch.no_grad():
        objective.capacity.fill_(3.0)
    accuracy = objective.update(drawn_context(codes(0, dependent=False, n=100)))["discriminator_accuracy"]
    assert accuracy.item() == pytest.approx(right / 200)
    assert objective.accuracy == accuracy
    assert objective.capacity.item() == pytest.approx(3.0 + 0.5 * change)


def test_capacity_is_never_negative():
    objective = make()
    objective.discriminator = Verdicts(200, 100)
    objective.update(drawn_context(codes(0, dependent=False, n=100)))
    assert objective.capacity == 0


def test_a_discriminator_that_knows_nothing_costs_nothing():
    """γ ((KL - C) / z_dim)⁴ alone."""
    objective = make(capacity_weight=2.0)
    with torch.no_grad():
        objective.capacity.fill_(1.0)
    _, context = model_context(z_dim=2)
    kl = context.batch.kl.sum(dim=1).mean()
    assert objective(context).loss.item() == pytest.approx(2 * ((kl - 1) / 2).item() ** 4, rel=1e-5)
    with torch.no_grad():
        objective.accuracy.fill_(0.4)
    assert objective(context).loss.item() == pytest.approx(2 * ((kl - 1) / 2).item() ** 4, rel=1e-5)


def adversarial_gradients(accuracy, *, z_dim=2, **options):
    """Gradients of encoder and decoder from the adversarial terms alone, and the model with its context."""
    objective = make(capacity_weight=0.0, **options)
    with torch.no_grad():
        objective.accuracy.fill_(accuracy)
    model, context = model_context(z_dim=z_dim)
    loss = objective(context).loss
    both = [*model.encoder.parameters(), *model.decoder.parameters()]
    found = torch.autograd.grad(loss, both, retain_graph=True, allow_unused=True)
    flat = [torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in zip(both, found, strict=True)]
    n = len(list(model.encoder.parameters()))
    return objective, model, context, loss, torch.cat(flat[:n]), torch.cat(flat[n:])


def test_each_term_has_its_own_network():
    *_, encoder, decoder = adversarial_gradients(0.8, decoder_weight=0.0)
    assert encoder.abs().max() > 0 and decoder.abs().max() == 0
    *_, encoder, decoder = adversarial_gradients(0.8, encoder_weight=0.0)
    assert encoder.abs().max() == 0 and decoder.abs().max() > 0


def test_encoder_is_told_to_look_permuted():
    """A small weight is not bounded: the gradient is that of the cross-entropy with the other label, by hand."""
    objective, model, context, loss, encoder, _ = adversarial_gradients(0.6, decoder_weight=0.0, encoder_weight=1e-5)
    logits = objective.discriminator(context.batch.logits.sigmoid())
    by_hand = 10 * 1e-5 * F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
    expected = torch.autograd.grad(by_hand, list(model.encoder.parameters()))
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-4)
    assert torch.allclose(encoder, torch.cat([g.flatten() for g in expected]), rtol=1e-3, atol=1e-10)


@pytest.mark.slow
def test_decoder_is_told_to_draw_permuted_codes_like_others():
    """From one point above one half on with its whole weight, below it in proportion."""
    for accuracy, share in ((0.505, 0.5), (0.51, 1.0), (0.9, 1.0)):
        objective, model, context, loss, _, decoder = adversarial_gradients(
            accuracy, encoder_weight=0.0, decoder_weight=3.0
        )
        twin = model_context(z_dim=2)[1]
        images = model.decode(permute_dims(context.batch.z.detach(), twin.rng)).sigmoid()
        logits = objective.discriminator(images)
        by_hand = 3 * share * F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        expected = torch.autograd.grad(by_hand, list(model.decoder.parameters()))
        assert loss.item() == pytest.approx(by_hand.item(), rel=1e-3)
        assert torch.allclose(decoder, torch.cat([g.flatten() for g in expected]), rtol=1e-3, atol=1e-6)


def test_encoder_gradient_is_no_longer_than_that_of_the_reconstruction():
    objective = make(capacity_weight=0.0, decoder_weight=0.0, encoder_weight=1e6)
    with torch.no_grad():
        objective.accuracy.fill_(1.0)
    _, context = model_context(z_dim=2)
    batch = context.batch
    (adversarial,) = torch.autograd.grad(objective(context).loss, batch.z, retain_graph=True)
    reconstruction = F.binary_cross_entropy_with_logits(batch.logits, batch.images, reduction="sum") / len(batch.z)
    (guide,) = torch.autograd.grad(reconstruction, batch.z)
    assert adversarial.norm().item() == pytest.approx(guide.norm().item(), rel=1e-4)


@pytest.mark.parametrize("confidence", [0.4, 1.0])
def test_confidence_has_its_range(confidence):
    with pytest.raises(GanwalkError, match=r"dava: confidence must be at least 0\.5 and below 1"):
        make(confidence=confidence)
