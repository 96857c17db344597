"""One step: the batches, the loss terms, and the gradient that the optimiser is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganwalk import parallel
from vae.data.base import ImageData
from vae.models import VAE
from vae.objectives.base import Context, Encoded, Objective
from vae.settings import TopDisSettings
from vae.topdis import TopDis, inner_product, without_conflict


@dataclass(frozen=True)
class Draw:
    """What chance decides in one step of one process.

    Attributes:
        first, second: indices (n,) of the batch that is reconstructed and of another one.
        rng: random numbers on the CPU, for everything after them.
    """

    first: np.ndarray
    second: np.ndarray
    rng: torch.Generator


@dataclass(frozen=True)
class StepResult:
    """Gradients by parameter, what the objective's own networks need, and scalars for metrics.csv."""

    gradients: list[Tensor]
    context: Context
    logs: dict[str, Tensor]


def draw_step(data: ImageData, batch: int, *, seed: int, step: int) -> Draw:
    """The draw of a step: a function of seed, step and process alone, so that a run can be continued."""
    rng = np.random.default_rng([seed, step, parallel.rank()])
    first, second = data.draw(batch, rng), data.draw(batch, rng)
    return Draw(first, second, torch.Generator().manual_seed(int(rng.integers(2**63))))


def load_images(data: ImageData, indices: np.ndarray, device: torch.device | str) -> Tensor:
    """Images (n, channels, resolution, resolution) in [0, 1], channels last in memory."""
    return torch.from_numpy(data.images(indices)).to(device).permute(0, 3, 1, 2).float() / 255


def reconstruction_loss(logits: Tensor, images: Tensor) -> Tensor:
    """Binary cross-entropy in nats, summed over the values of an image, mean over the batch."""
    return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)


def compute_step(
    model: VAE,
    objective: Objective,
    data: ImageData,
    draw: Draw,
    *,
    step: int,
    steps: int,
    topdis: TopDis | None = None,
    settings: TopDisSettings | None = None,
) -> StepResult:
    """Loss terms and gradients of one step; no parameter changes.

    Args:
        step, steps: steps done before this one, and of the whole training.
        topdis, settings: the TopDis term and its options; topdis is None in steps without it.
    """
    device = next(model.parameters()).device
    batch = _encode(model, objective, load_images(data, draw.first, device), draw.rng)
    batch = replace(batch, logits=model.decode(batch.z))
    second = None
    if topdis is not None or objective.needs_second:
        with torch.set_grad_enabled(topdis is not None):
            second = _encode(model, objective, load_images(data, draw.second, device), draw.rng)
    context = Context(batch, second, model.decode, step, steps, len(data), draw.rng)

    assert batch.logits is not None
    reconstruction = reconstruction_loss(batch.logits, batch.images)
    terms = objective(context)
    logs = {"reconstruction": reconstruction, "kl": batch.kl.sum(dim=1).mean(), **terms.logs}
    parameters = list(model.parameters())
    loss = reconstruction + terms.loss
    if topdis is None:
        gradients = parallel.average(_gradients(loss, parameters))
    else:
        assert settings is not None and second is not None
        term = topdis.divergence(
            model.decode,
            second.z if settings.codes == "sample" else second.mean,
            probabilities=model.latent_weights.norm(dim=0) if settings.sampler == "weights" else None,
            rng=draw.rng,
        )
        weighted = topdis.gamma * settings.every * term
        if settings.orthogonal:
            gradients, logs["conflict"] = _reconciled(reconstruction, terms.loss, weighted, parameters)
        else:
            gradients = parallel.average(_gradients(loss + weighted, parameters))
        loss = loss + weighted
        logs["topdis"] = term
    logs = {"loss": loss, **logs}
    means = parallel.average([value.detach().float() for value in logs.values()])
    return StepResult(gradients, context, dict(zip(logs, means, strict=True)))


def _encode(model: VAE, objective: Objective, images: Tensor, rng: torch.Generator) -> Encoded:
    mean, log_variance = model.encode(images)
    noise = torch.randn(mean.shape, generator=rng).to(mean.device)
    latent = objective.latent(model, mean, log_variance, noise)
    return Encoded(images, latent.mean, latent.log_variance, latent.z, levels=latent.levels)


def _gradients(loss: Tensor, parameters: Sequence[Tensor], *, keep: bool = False) -> list[Tensor]:
    """Gradients by parameter, zero where the loss does not reach."""
    if not loss.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    found = torch.autograd.grad(loss, parameters, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _reconciled(
    reconstruction: Tensor, other: Tensor, topology: Tensor, parameters: Sequence[Tensor]
) -> tuple[list[Tensor], Tensor]:
    """Sum of the three gradients, topology's without what works against the reconstruction's; and whether it did.

    The gradients of all processes are averaged first, so that there is one conflict and not one for each.
    """
    guide = _gradients(reconstruction, parameters, keep=True)
    rest = _gradients(other, parameters, keep=True)
    walk = _gradients(topology, parameters)
    n = len(parameters)
    averaged = parallel.average([*guide, *rest, *walk])
    guide, rest, walk = averaged[:n], averaged[n : 2 * n], averaged[2 * n :]
    conflict = (inner_product(walk, guide) < 0).float()
    kept = [torch.zeros_like(g) if w is None else w for w, g in zip(without_conflict(walk, guide), guide, strict=True)]
    return [a + b + c for a, b, c in zip(guide, rest, kept, strict=True)], conflict
