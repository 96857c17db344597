"""Trains an encoder on pairs (image, shifted image), the way DisCo (Ren et al., ICLR 2022) scores given directions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.compute.seeds import rng_of, seeded
from ganwalk.directions import Directions
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.evaluation.representation.encoder import (
    Encoder,
    EncoderConfig,
    EncoderNetwork,
    config_for,
    prepared,
)
from ganwalk.generators.base import Generator, device_of

# Pairs with one and the same latent, whose image is made once for all of them.
_PAIRS_PER_LATENT = 3
# Of the pairs, one in so many is held back.
_HELD = 10
# Pairs of each direction at the least.
_LEAST = 32
_WEIGHT_DECAY = 1e-2
_MAX_SEED = 2**62


def train_encoder(
    generator: Generator,
    directions: Directions,
    view: View,
    *,
    pairs: int = 9600,
    steps: int = 2000,
    batch: int = 48,
    lr: float = 2e-3,
    width: int = 24,
    seed: int = 0,
    on_share: Callable[[float], None] | None = None,
) -> Encoder:
    """An encoder E of images whose codes are coordinates along directions, in standard deviations.

    Of every pair, E(shifted) - E(image) is to be the amplitude on the coordinate of the direction that was walked, and
    0 on all others: the loss is the squared distance from that. Amplitudes lead from the latent's own coordinate to
    that of another latent, so that shifted images are such as the generator makes, and not beyond its range.

    Differences leave a constant free, which is set so that the mean image has the code 0. They also leave free how
    codes depend on whatever the directions do not move. The coordinates of the latents themselves, which are known,
    would fix both; the protocol does without, since it is to tell what the directions know.

    The random state of torch is left as it was.

    Args:
        view: with the last layer: the encoder sees images.
        pairs: pairs made in all, of which a tenth is held back; at least 32 for each direction.
        steps, batch, lr: of AdamW, its batch in pairs, its learning rate rising to `lr` and falling to none.
        width: see `EncoderConfig`.
    Raises:
        GanwalkError: no encoder has this width, or so many directions.
    """
    device = device_of(generator)
    config = config_for(generator, len(directions), width)
    rng = rng_of(seed)
    tell = on_share or (lambda share: None)
    data = _make_pairs(generator, directions, view, config, _latents(len(directions), pairs), rng, tell)
    training, held = data.split(max(1, len(data.labels) // _HELD))
    with seeded(device, seed), torch.enable_grad():
        network = EncoderNetwork(config).to(device)
        _train(network, training, steps, batch, lr, rng, tell)
    network.eval().requires_grad_(False)
    network.offset.copy_(_mean_code(network, training))
    network.fit.copy_(_fit(network, held))
    settings = {"pairs": pairs, "steps": steps, "batch": batch, "lr": lr, "width": width, "seed": seed}
    return Encoder(network, config, directions.fingerprint(), directions.generator, settings)


def latents_of_encoder(n: int, pairs: int) -> int:
    """Latents that the training of an encoder along n directions synthesises, the unshifted ones and the shifted."""
    return _latents(n, pairs) * (1 + _PAIRS_PER_LATENT)


def seconds_per_step(generator: Generator, n: int, batch: int, width: int) -> float:
    """Seconds on this machine for one step of a training, roughly."""
    config = config_for(generator, n, width)
    rng = rng_of(0)
    with torch.random.fork_rng([]), torch.enable_grad():
        network = EncoderNetwork(config).to(device_of(generator))
        shape = (_groups(batch), 1 + _PAIRS_PER_LATENT, config.channels, config.size, config.size)
        images = torch.randint(256, shape, generator=rng, dtype=torch.uint8).to(device_of(generator))
        labels = torch.zeros((*shape[:1], _PAIRS_PER_LATENT), dtype=torch.long)
        data = _Pairs(images, labels.to(images.device), labels.to(images.device, torch.float32))
        seconds = 0.0
        for _ in range(2):
            began = time.perf_counter()
            loss = _errors(network, data, slice(None)).mean()
            (gradient,) = torch.autograd.grad(loss, next(network.parameters()))
            # Reading one value waits for the device.
            float(gradient.flatten()[0])
            seconds = time.perf_counter() - began
    return seconds


@dataclass(frozen=True)
class _Pairs:
    """Images of m latents, each followed by k shifted ones.

    Attributes:
        images: (m, 1 + k, channels, size, size) bytes.
        labels: (m, k) directions that were walked.
        amounts: (m, k) signed amplitudes.
    """

    images: Tensor
    labels: Tensor
    amounts: Tensor

    def split(self, held: int) -> tuple[_Pairs, _Pairs]:
        """All but the last `held` latents' pairs, and these."""
        cut = len(self.labels) - held
        return (
            _Pairs(self.images[:cut], self.labels[:cut], self.amounts[:cut]),
            _Pairs(self.images[cut:], self.labels[cut:], self.amounts[cut:]),
        )


def _latents(n: int, pairs: int) -> int:
    """Latents that so many pairs start from, or more, where there are many directions."""
    return -(-max(pairs, _LEAST * n) // _PAIRS_PER_LATENT)


def _groups(batch: int) -> int:
    """Latents whose pairs make up a batch."""
    return max(1, batch // _PAIRS_PER_LATENT)


def _make_pairs(
    generator: Generator,
    directions: Directions,
    view: View,
    config: EncoderConfig,
    latents: int,
    rng: torch.Generator,
    tell: Callable[[float], None],
) -> _Pairs:
    """Pairs of `latents` latents, every direction equally frequent."""
    n, k = len(directions), _PAIRS_PER_LATENT
    seed = int(torch.randint(_MAX_SEED, (), generator=rng))
    labels = (torch.arange(latents * k) % n)[torch.randperm(latents * k, generator=rng)].view(latents, k)
    others = torch.randint(latents, (latents, k), generator=rng)
    with torch.no_grad():
        codes = sample_latents(generator, view, latents, seed)
        shifts = directions.shifts(num_layers=generator.num_layers).to(codes)
        labels, others = labels.to(codes.device), others.to(codes.device)
        # A latent's own coordinates, in standard deviations: along a direction of no length nothing is walked.
        flat = shifts.flatten(1)
        own = codes.flatten(1) @ (flat / flat.square().sum(dim=1, keepdim=True).clamp_min(1e-24)).T
        amounts = own[others, labels] - own.gather(1, labels)
        images = torch.empty((latents, 1 + k, config.channels, config.size, config.size), dtype=torch.uint8)
        images = images.to(codes.device)
        for start in range(0, latents, view.chunk):
            part = slice(start, start + view.chunk)
            here = codes[part]
            for pair in range(1 + k):
                shifted = here if pair == 0 else here + _times(amounts[part, pair - 1], shifts[labels[part, pair - 1]])
                made = features(generator, view, shifted, seed + start)
                images[part, pair] = _to_bytes(prepared(made, config.channels, config.size))
            tell(0.5 * min(1.0, (start + len(here)) / latents))
    return _Pairs(images, labels, amounts)


def _times(amounts: Tensor, shifts: Tensor) -> Tensor:
    """Shifts (m, …), each times its amount (m,)."""
    return amounts.view(-1, *[1] * (shifts.ndim - 1)) * shifts


def _to_bytes(images: Tensor) -> Tensor:
    return (images * 127.5 + 127.5).round().to(torch.uint8)


def _from_bytes(images: Tensor) -> Tensor:
    return images.float() / 127.5 - 1


def _errors(network: EncoderNetwork, data: _Pairs, rows: Tensor | slice) -> Tensor:
    """What is wrong (m, k, n) with the differences of the codes of some latents' pairs."""
    images, labels, amounts = data.images[rows], data.labels[rows], data.amounts[rows]
    # Channels last in memory, as the convolutions of vae have them.
    seen = _from_bytes(images.flatten(0, 1)).contiguous(memory_format=torch.channels_last)
    codes = network(seen).unflatten(0, images.shape[:2])
    return codes[:, 1:] - codes[:, :1] - F.one_hot(labels, codes.shape[2]) * amounts[..., None]


def _train(
    network: EncoderNetwork,
    data: _Pairs,
    steps: int,
    batch: int,
    lr: float,
    rng: torch.Generator,
    tell: Callable[[float], None],
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), lr, weight_decay=_WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for step in range(steps):
        rows = torch.randint(len(data.labels), (_groups(batch),), generator=rng).to(data.labels.device)
        loss = _errors(network, data, rows).square().sum(dim=2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        tell(0.5 + 0.5 * (step + 1) / steps)


def _mean_code(network: EncoderNetwork, data: _Pairs) -> Tensor:
    """Mean (n,) of what the network says of the images that are not shifted."""
    parts = [network(_from_bytes(images)).sum(dim=0) for images in data.images[:, 0].split(256)]
    return torch.stack(parts).sum(dim=0) / len(data.images)


def _fit(network: EncoderNetwork, held: _Pairs) -> Tensor:
    """R² (n,) of the amplitudes of each direction."""
    n = len(network.offset)
    wrong, all_ = torch.zeros(n), torch.zeros(n)
    for start in range(0, len(held.labels), 64):
        rows = slice(start, start + 64)
        labels, amounts = held.labels[rows], held.amounts[rows].cpu()
        errors = _errors(network, held, rows).gather(2, labels[..., None])[..., 0].cpu()
        wrong.index_add_(0, labels.cpu().flatten(), errors.square().flatten())
        all_.index_add_(0, labels.cpu().flatten(), amounts.square().flatten())
    return 1 - wrong / all_
