"""Can a network tell which direction was walked? The reconstructor of Voynov & Babenko (ICML 2020) as a score.

It tells whether directions can be told apart, not whether each moves one factor: on `blobs`, a random rotation of the
true axes is told apart as well as these. Directions that do nothing, or the same as others, do lower it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of, seeded
from ganwalk.directions import Directions
from ganwalk.discovery.learned.shift_predictor import ShiftPredictor, Sight, balanced, shift_loss, small
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.generators.base import Generator, device_of

_BATCH = 64
# Pairs with one and the same latent, whose image is made once for all of them.
_PAIRS_PER_LATENT = 4
# Shortest shift in amplitudes; the longest is one more.
_SHORTEST = 0.5


@dataclass(frozen=True)
class Reconstruction:
    """How well a network reads the direction and the amplitude off a pair of images, on pairs held back.

    Attributes:
        recall: (n,) share of each direction's pairs that were told to be its own.
        amplitude_error: mean |error| of the signed amplitude, over its standard deviation; 0.96 is always saying 0.
        pairs: pairs of images that the network was trained on.
    """

    recall: Tensor
    amplitude_error: float
    pairs: int

    @property
    def accuracy(self) -> float:
        """Share of the pairs in which a direction was walked that are told right; 1 / (n + 1) is guessing."""
        return float(self.recall.mean())


def reconstruct(
    generator: Generator,
    directions: Directions,
    view: View,
    *,
    pairs: int = 1024,
    epochs: int = 20,
    amplitude: float = 1.0,
    seed: int = 0,
    on_share: Callable[[float], None] | None = None,
) -> Reconstruction:
    """Trains a small convolutional network on pairs (image, shifted image) and tries it on pairs held back.

    Shifts have a random sign and length, from half to one and a half amplitudes. Unlike in the paper, the network may
    also answer "nothing was walked", and is shown such pairs: otherwise a direction that does nothing would be known by
    just that. Images, or features, are averaged down. The random state of torch is left as it was.

    Args:
        view: with the layer that the network sees.
        pairs: pairs made in all, of which a quarter is held back; at least sixteen for each answer.
        epochs: how often the training sees each pair, on average.
    """
    rng = rng_of(seed)
    answers = len(directions) + 1
    latents = _latents(len(directions), pairs)
    held = -(-latents // 4)

    def on_made(share: float) -> None:
        if on_share is not None:
            on_share(0.8 * share)

    data = _make_pairs(generator, directions, view, latents, held, amplitude, seed, rng, on_made)
    training, test = data.split(held)
    device = device_of(generator)
    with seeded(device, seed), torch.enable_grad():
        network = ShiftPredictor(training.inputs.shape[1], training.inputs.shape[2], answers).to(device)
        _train(network, training, epochs, rng, None if on_share is None else lambda share: on_share(0.8 + 0.2 * share))
    network.eval()
    with torch.no_grad():
        logits, amounts = network(test.inputs)
    right = (logits.argmax(dim=1) == test.labels).cpu()
    labels, true = test.labels.cpu(), test.amounts.cpu()
    recall = torch.stack([right[labels == i].float().mean() for i in range(answers - 1)])
    walked = labels < answers - 1
    error = (amounts.cpu() - true)[walked].abs().mean() / true[walked].std()
    return Reconstruction(recall, float(error), len(training.labels))


def latents_of_pairs(n: int, pairs: int) -> int:
    """Latents that `reconstruct` of n directions synthesises, the unshifted ones and the shifted."""
    return _latents(n, pairs) * (1 + _PAIRS_PER_LATENT)


def _latents(n: int, pairs: int) -> int:
    """Latents that so many pairs start from, or more, where there are many directions."""
    return -(-max(pairs, 16 * (n + 1)) // _PAIRS_PER_LATENT)


@dataclass(frozen=True)
class _Pairs:
    """Pairs of images or features: inputs (m, 2·channels, h, w), directions (m,), and signed amplitudes (m,)."""

    inputs: Tensor
    labels: Tensor
    amounts: Tensor

    def split(self, held: int) -> tuple[_Pairs, _Pairs]:
        """All but the last `held` latents' pairs, and these."""
        cut = len(self.labels) - held * _PAIRS_PER_LATENT
        return (
            _Pairs(self.inputs[:cut], self.labels[:cut], self.amounts[:cut]),
            _Pairs(self.inputs[cut:], self.labels[cut:], self.amounts[cut:]),
        )


def _make_pairs(
    generator: Generator,
    directions: Directions,
    view: View,
    latents: int,
    held: int,
    amplitude: float,
    seed: int,
    rng: torch.Generator,
    on_share: Callable[[float], None],
) -> _Pairs:
    """Pairs of `latents` latents, ordered by latent; every answer is equally frequent, also among the held ones."""
    n = len(directions)
    k = _PAIRS_PER_LATENT
    labels = torch.cat([balanced(count * k, n + 1, rng) for count in (latents - held, held)])
    signs = torch.randint(2, labels.shape, generator=rng) * 2.0 - 1
    amounts = signs * (_SHORTEST + torch.rand(labels.shape, generator=rng)) * (labels < n)
    steps = directions.shifts(amplitude, num_layers=generator.num_layers)
    steps = torch.cat([steps, torch.zeros_like(steps[:1])])
    inputs = []
    sight: Sight | None = None
    with torch.no_grad():
        codes = sample_latents(generator, view, latents, seed)
        for start in range(0, latents, view.chunk):
            part = codes[start : start + view.chunk]
            before = small(features(generator, view, part, seed + start))
            after = []
            for pair in range(k):
                mine = torch.arange(start, start + len(part)) * k + pair
                amount = amounts[mine].to(part).view(-1, *[1] * (part.ndim - 1))
                step = steps[labels[mine].to(steps.device)].to(part) * amount
                after.append(small(features(generator, view, part + step, seed + start)))
            sight = sight or Sight.of(torch.cat([before, *after]))
            before, *after = map(sight, (before, *after))
            changes = torch.stack([image - before for image in after], dim=1)
            inputs.append(torch.cat([before[:, None].expand_as(changes), changes], dim=2).flatten(0, 1))
            on_share(min(1.0, (start + len(part)) / latents))
    joined = torch.cat(inputs)
    channels = joined.shape[1] // 2
    # Changes may be faint; the network sees them at the scale of the images.
    joined[:, channels:] /= joined[:, channels:].square().mean().sqrt().clamp_min(1e-8)
    return _Pairs(joined, labels.to(joined.device), amounts.to(joined.device))


def _train(
    network: ShiftPredictor, data: _Pairs, epochs: int, rng: torch.Generator, on_share: Callable[[float], None] | None
) -> None:
    """Steps of AdamW, with the paper's loss."""
    steps = max(1, epochs * len(data.labels) // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    for step in range(steps):
        picks = torch.randint(len(data.labels), (_BATCH,), generator=rng).to(data.labels.device)
        answers, amounts = network(data.inputs[picks])
        loss = shift_loss(answers, amounts, data.labels[picks], data.amounts[picks])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if on_share is not None:
            on_share((step + 1) / steps)
