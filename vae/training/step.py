"""One step: the batches, the loss terms, and the gradient that the optimiser is given; of K models at once.

Nothing here asks the device for a value but the topology, once for all models: what happens is decided where the
tensors are, and what is logged stays there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganwalk.compute import parallel
from vae.data.base import ImageData
from vae.objectives.base import Context, Encoded, Objective
from vae.settings import TrainingSettings
from vae.topdis import (
    TopDis,
    conflicting_shares,
    draw_dimensions,
    inner_products,
    scaled,
    uniform,
    without_conflict,
)
from vae.training.stack import Stack

# Indices (K, n) of images → images (K, n, channels, resolution, resolution) in [0, 1] on the device.
Loader = Callable[[np.ndarray], Tensor]


@dataclass(frozen=True)
class Draw:
    """What chance decides in one step of one model in one process.

    Attributes:
        first, second: indices (n,) of the batch that is reconstructed and of another one.
        rng: random numbers on the CPU, for everything after them.
    """

    first: np.ndarray
    second: np.ndarray
    rng: torch.Generator


@dataclass(frozen=True)
class StepResult:
    """Gradients by parameter of the stack, what each objective's own networks need, scalars (K,) for metrics.csv."""

    gradients: list[Tensor]
    contexts: list[Context]
    logs: dict[str, Tensor]


def draw_step(data: ImageData, batch: int, *, seed: int, step: int) -> Draw:
    """The draw of a step: a function of seed, step and process alone, so that a run can be continued."""
    rng = np.random.default_rng([seed, step, parallel.rank()])
    first, second = data.draw(batch, rng), data.draw(batch, rng)
    return Draw(first, second, torch.Generator().manual_seed(int(rng.integers(2**63))))


def load_images(data: ImageData, indices: np.ndarray, device: torch.device | str) -> Tensor:
    """Images (…, channels, resolution, resolution) in [0, 1] of indices (…), channels last in memory."""
    found = torch.from_numpy(data.images(indices.ravel())).to(device).permute(0, 3, 1, 2).float() / 255
    return found.unflatten(0, indices.shape)


def reconstruction_loss(logits: Tensor, images: Tensor, likelihood: str = "bernoulli") -> Tensor:
    """Negative log-likelihood summed over the values of an image, mean over the batch.

    "bernoulli": binary cross-entropy in nats; "gaussian": squared error of the decoded images, which is that of a
    normal distribution of variance 1/2, up to a constant.
    """
    if likelihood == "bernoulli":
        return F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)
    return F.mse_loss(logits.sigmoid(), images, reduction="sum") / len(images)


def compute_step(
    stack: Stack,
    objectives: Sequence[Objective],
    data: ImageData,
    draws: Sequence[Draw],
    settings: TrainingSettings,
    *,
    step: int,
    topdis: TopDis | None = None,
    load: Loader | None = None,
) -> StepResult:
    """Loss terms and gradients of one step of each model; no parameter changes.

    Args:
        objectives, draws: of the models, in their order.
        settings: what the models have in common, all but their seeds.
        step: steps done before this one.
        topdis: the TopDis term; None in steps without it.
        load: where images come from; None renders or reads them on the CPU.
    """
    device = stack.parameters[0].device
    load = load or partial(load_images, data, device=device)
    generators = [draw.rng for draw in draws]
    batch = _encode(stack, objectives, load(np.stack([draw.first for draw in draws])), generators)
    # Of each model's own codes, so that an objective can ask for the gradient of its logits by them.
    decoded = stack.decode(torch.stack([one.z for one in batch]))
    batch = [replace(one, logits=logits) for one, logits in zip(batch, decoded, strict=True)]
    term = settings.topdis if topdis is not None else None
    seconds: Sequence[Encoded] | None = None
    needed = any(objective.needs_second for objective in objectives)
    if needed or (term is not None and term.batch == "second"):
        # Of codes that only the term takes, no more than it takes.
        whole = needed or any(objective.of_pairs for objective in objectives)
        taken = None if whole or term is None else term.points
        with torch.set_grad_enabled(term is not None and term.batch == "second"):
            images = load(np.stack([draw.second for draw in draws])[:, :taken])
            seconds = _encode(stack, objectives, images, generators)
    others: Sequence[Encoded | None] = [None] * len(stack) if seconds is None else seconds
    contexts = [
        Context(one, other, partial(stack.decode_one, place), step, settings.steps, len(data), rng)
        for place, (one, other, rng) in enumerate(zip(batch, others, generators, strict=True))
    ]
    reconstruction = torch.stack(
        [reconstruction_loss(one.batch.logits, one.batch.images, settings.likelihood) for one in contexts]  # type: ignore[arg-type]
    )
    terms = [objective(context) for objective, context in zip(objectives, contexts, strict=True)]
    rest = torch.stack([found.loss for found in terms])
    logs = {
        "reconstruction": reconstruction,
        "kl": torch.stack([one.batch.kl.sum(dim=1).mean() for one in contexts]),
        **{name: torch.stack([found.logs[name] for found in terms]) for name in terms[0].logs},
    }
    own = [settings.own_weight * part for part in (reconstruction, rest)]
    loss = own[0] + own[1]
    if topdis is None:
        gradients = parallel.average(_gradients(loss, stack.parameters))
    else:
        assert term is not None
        source = seconds if term.batch == "second" else batch
        if term.batch == "redrawn":
            source = _sampled(stack, objectives, batch, generators)
        assert source is not None
        topology = _topology(stack, topdis, source, generators, settings)
        weighted = topdis.gamma * term.every * topology
        if term.orthogonal:
            guides = own if term.against == "reconstruction" else [loss]
            gradients, logs["conflict"] = _reconciled(guides, weighted, stack)
        else:
            gradients = parallel.average(_gradients(loss + weighted, stack.parameters))
        loss = loss + weighted
        logs["topdis"] = topology
    if settings.clip is not None:
        lengths = inner_products(gradients, gradients, len(stack)).sqrt()
        shares = (settings.clip / lengths).clamp(max=1)
        gradients = [scaled(shares, gradient) for gradient in gradients]
    logs = {"loss": loss, **logs}
    means = parallel.average([value.detach().float() for value in logs.values()])
    return StepResult(gradients, contexts, dict(zip(logs, means, strict=True)))


def _encode(
    stack: Stack, objectives: Sequence[Objective], images: Tensor, generators: Sequence[torch.Generator]
) -> list[Encoded]:
    """What each encoder makes of its images, of (K, n, …)."""
    encoded = [Encoded(*of_model, z=of_model[1]) for of_model in zip(images, *stack.encode(images), strict=True)]
    return _sampled(stack, objectives, encoded, generators)


def _sampled(
    stack: Stack, objectives: Sequence[Objective], encoded: Sequence[Encoded], generators: Sequence[torch.Generator]
) -> list[Encoded]:
    """The same images with codes that are drawn anew, and not decoded."""
    noise = torch.stack([torch.randn(encoded[0].mean.shape, generator=rng) for rng in generators])
    rows = zip(objectives, stack.models, encoded, noise.to(encoded[0].mean.device), strict=True)
    latents = [objective.latent(model, one.mean, one.log_variance, own) for objective, model, one, own in rows]
    return [
        Encoded(one.images, latent.mean, latent.log_variance, latent.z, levels=latent.levels)
        for one, latent in zip(encoded, latents, strict=True)
    ]


def _topology(
    stack: Stack,
    topdis: TopDis,
    source: Sequence[Encoded],
    generators: Sequence[torch.Generator],
    settings: TrainingSettings,
) -> Tensor:
    """Divergences (K,) of the codes of a batch."""
    term = settings.topdis
    assert term is not None
    codes = torch.stack([(one.z if term.codes == "sample" else one.mean)[: term.points] for one in source])
    # Codes that are reconstructed are decoded already. Where gradients are taken apart the way back through a few of
    # them would be the one through all.
    known = term.batch == "same" and term.codes == "sample" and (term.points is None or not term.orthogonal)
    decoded = torch.stack([one.logits[: term.points] for one in source]) if known else None  # type: ignore[index]
    # All that chance decides, in one upload.
    drawn = torch.stack([uniform(generators), uniform(generators)]).to(codes.device)
    weights = stack.latent_weights.norm(dim=1) if term.sampler == "weights" else None
    return topdis.divergences(
        stack.decode,
        codes,
        dimensions=draw_dimensions(codes.shape[2], drawn[0], weights),
        signs=torch.where(drawn[1] < 0.5, 1.0, -1.0),
        decoded=decoded,
    )


def _gradients(losses: Tensor, parameters: Sequence[Tensor], *, keep: bool = False) -> list[Tensor]:
    """Gradients of losses (K,) by parameter, each model's of its own, zero where the loss does not reach."""
    if not losses.requires_grad:
        return [torch.zeros_like(parameter) for parameter in parameters]
    found = torch.autograd.grad(losses.sum(), parameters, retain_graph=keep, allow_unused=True)
    return [torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)]


def _reconciled(guides: Sequence[Tensor], topology: Tensor, stack: Stack) -> tuple[list[Tensor], Tensor]:
    """Sum of all gradients, topology's without what works against the first guide's; and whether it did, (K,).

    The gradients of all processes are averaged first, so that there is one conflict and not one for each.
    """
    parts = [_gradients(loss, stack.parameters, keep=True) for loss in guides]
    parts.append(_gradients(topology, stack.parameters))
    averaged = iter(parallel.average([gradient for part in parts for gradient in part]))
    first, *rest, walk = [[next(averaged) for _ in stack.parameters] for _ in parts]
    shares = conflicting_shares(walk, first, len(stack))
    kept = without_conflict(walk, first, shares)
    return [sum(column[1:], column[0]) for column in zip(first, *rest, kept, strict=True)], (shares < 0).float()  # type: ignore[misc]
