"""Discovery by topology: rotates a basis until shifts along it keep the shape of batches of images.

Balabin et al., "Disentanglement Learning via Topology" (ICML 2024): directions minimise the Representation Topology
Divergence between a generated batch and the same batch shifted along each direction.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import shift_latents
from ganwalk.discovery.evaluation import BasisScores, score_basis
from ganwalk.discovery.objective import features, sample_latents
from ganwalk.discovery.rotation import random_rotation, rotate
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss

# Seeds of the batches: steps count up from the run's seed; the held batch lies far from them.
HELD_SEED = 2**40
# Bounds of the factors that equalise the image change: a nearly dead direction is not walked for miles.
_EQUALIZE_RANGE = (0.1, 2.0)
_EQUALIZE_TOLERANCE = 0.05


@dataclass
class Progress:
    """Where a run stands; everything that its checkpoint holds.

    Attributes:
        base: (n, k) orthonormal rows that the rotation starts from.
        skew: parameters of the rotation relative to `base`.
        optimizer: state of Adam.
        factors: (n,) of each shift relative to the amplitude (1 unless equalised).
        target: image change that equalised shifts are to make, the mean of the first basis's.
        step: steps done.
        best_rotation, best_factors, best_loss, best_step: the best basis on the held batch so far.
        history: one row per step ("step", "loss") and per evaluation ("step", "held").
    """

    base: Tensor
    skew: Tensor
    optimizer: dict[str, Any]
    factors: Tensor
    best_rotation: Tensor
    best_factors: Tensor
    target: float = 0.0
    best_loss: float = float("inf")
    best_step: int = 0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass
class Timing:
    """Seconds spent in the parts of the steps of this process."""

    synthesis: float = 0.0
    topology: float = 0.0
    backward: float = 0.0
    evaluation: float = 0.0


def start(settings: DiscoverySettings, subspace: Subspace) -> Progress:
    """A run before its first step, from a random basis of the subspace."""
    k = len(subspace.components)
    base = random_rotation(k, settings.seed)[: settings.n_directions]
    skew = torch.zeros(k * (k - 1) // 2, dtype=torch.float64)
    factors = torch.ones(settings.n_directions, dtype=torch.float64)
    return Progress(base, skew, {}, factors, base.clone(), factors.clone())


def latent_steps(rotation: Tensor, subspace: Subspace, amplitude: Tensor | float) -> Tensor:
    """Shifts (n, d) float32: amplitude standard deviations along each direction of the rotated basis."""
    scales = subspace.scales(rotation)
    return ((scales * amplitude)[:, None] * (rotation @ subspace.components)).float()


def optimise(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    progress: Progress,
    *,
    device: torch.device | str = "cpu",
    timing: Timing | None = None,
    on_step: Callable[[Progress], None] | None = None,
) -> None:
    """Runs the steps that `progress` still lacks, in place.

    `progress` is consistent whenever `on_step` is called, and after an interrupt.

    Args:
        loss: the divergence between a reference cloud and shifted ones.
        on_step: called after every step (checkpoints, progress bars).
    """
    timing = timing or Timing()
    view = settings.view()
    skew = progress.skew.clone().requires_grad_()
    optimizer = torch.optim.Adam([skew], settings.lr)
    if progress.optimizer:
        optimizer.load_state_dict(progress.optimizer)
    if progress.step == 0 and not progress.history:
        _evaluate(generator, settings, subspace, loss, progress, device, timing)
    while progress.step < settings.steps:
        seed = settings.seed + 1 + progress.step
        rng = torch.Generator().manual_seed(seed)
        chosen = torch.randperm(settings.n_directions, generator=rng)[: settings.directions_per_step]
        signs = torch.randint(2, (len(chosen),), generator=rng).double() * 2 - 1
        # The learning rate falls along half a cosine, so that the basis settles.
        optimizer.param_groups[0]["lr"] = settings.lr * _cosine(progress.step / settings.steps)

        mark = time.perf_counter()
        rotation = rotate(progress.base, skew)
        amplitudes = progress.factors * settings.amplitude
        steps = latent_steps(rotation, subspace, amplitudes).to(device)[chosen] * signs[:, None].float().to(device)
        latents = sample_latents(generator, view, settings.batch, seed, device)
        with torch.no_grad():
            reference = features(generator, view, latents, seed)
        shifted = [features(generator, view, shift_latents(latents, step, view.layers), seed) for step in steps]
        mark = _lap(timing, "synthesis", mark)
        clouds = [cloud.detach().requires_grad_() for cloud in shifted]
        value = loss(reference, clouds).mean()
        gradients = torch.autograd.grad(value, clouds)
        mark = _lap(timing, "topology", mark)
        if not torch.isfinite(value):
            raise GanwalkError(f"the loss is not finite at step {progress.step}: use a smaller --amplitude or --lr")
        optimizer.zero_grad()
        torch.autograd.backward(shifted, gradients)
        optimizer.step()
        _lap(timing, "backward", mark)

        row = {"step": progress.step + 1, "loss": value.item()}
        progress.skew = skew.detach().clone()
        progress.optimizer = optimizer.state_dict()
        progress.history.append(row)
        progress.step += 1
        if progress.step % settings.evaluate_every == 0 or progress.step == settings.steps:
            _evaluate(generator, settings, subspace, loss, progress, device, timing)
        if on_step is not None:
            on_step(progress)


def held_scores(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    rotation: Tensor,
    factors: Tensor,
    device: torch.device | str,
) -> BasisScores:
    """Scores of a rotated basis on the held batch."""
    steps = latent_steps(rotation, subspace, factors * settings.amplitude).to(device)
    return score_basis(
        generator,
        settings.view(),
        steps,
        loss,
        batch=settings.batch,
        seed=settings.seed + HELD_SEED,
        device=device,
    )


def equalized_scores(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    rotation: Tensor,
    factors: Tensor,
    target: float,
    device: torch.device | str,
    rounds: int = 1,
) -> tuple[BasisScores, Tensor, float]:
    """Scores of shifts that all change the image by `target`, their factors, and the target.

    `rounds` fixed-point steps lead from `factors`. A target of zero stands for the mean of the first scores.
    """
    scores = held_scores(generator, settings, subspace, loss, rotation, factors, device)
    target = target or scores.mean_displacement
    for _ in range(rounds):
        if (scores.displacement / max(target, 1e-12) - 1).abs().max() < _EQUALIZE_TOLERANCE:
            break
        wanted = target / scores.displacement.double().clamp_min(1e-12)
        factors = (factors * wanted).clamp(*_EQUALIZE_RANGE)
        scores = held_scores(generator, settings, subspace, loss, rotation, factors, device)
    return scores, factors, target


def _evaluate(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    progress: Progress,
    device: torch.device | str,
    timing: Timing,
) -> None:
    mark = time.perf_counter()
    rotation = rotate(progress.base, progress.skew)
    if settings.equalize:
        scores, progress.factors, progress.target = equalized_scores(
            generator, settings, subspace, loss, rotation, progress.factors, progress.target, device
        )
    else:
        scores = held_scores(generator, settings, subspace, loss, rotation, progress.factors, device)
    progress.history.append({"step": progress.step, "held": scores.mean_rtd})
    if scores.mean_rtd < progress.best_loss:
        progress.best_rotation, progress.best_factors = rotation, progress.factors
        progress.best_loss, progress.best_step = scores.mean_rtd, progress.step
    _lap(timing, "evaluation", mark)


def _cosine(share: float) -> float:
    return 0.05 + 0.95 * (1 + torch.cos(torch.tensor(torch.pi * share)).item()) / 2


def _lap(timing: Timing, part: str, since: float) -> float:
    now = time.perf_counter()
    setattr(timing, part, getattr(timing, part) + now - since)
    return now
