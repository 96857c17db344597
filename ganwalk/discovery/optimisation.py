"""The search of methods without a closed form: rotates a basis of the informative subspace until a loss is small.

What is lost is the objective's business (`ganwalk.discovery.objectives`).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from ganwalk.compute import parallel
from ganwalk.discovery.jacobian import image_gram
from ganwalk.discovery.objectives.base import Objective, Timing
from ganwalk.discovery.rotation import random_rotation, rotate
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.spectra import leading_eigenvectors
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.base import Generator, device_of

# Seeds of the batches. Runs of different seeds share none: each has a range of its own for its steps, below those of
# the held batches (`objectives.base.HELD_SEED`) and of those that starts are taken from.
_STEP_SEEDS = 2**20
_START_SEED = 2**61
# Bounds of the factors that equalise the image change: a nearly dead direction is not walked for miles.
_EQUALIZE_RANGE = (0.1, 4.0)
_EQUALIZE_TOLERANCE = 0.05


class HasDisplacement(Protocol):
    """Scores of shifts, among them the image change (n,) that each makes."""

    @property
    def displacement(self) -> Tensor: ...


Scores = TypeVar("Scores", bound=HasDisplacement)
State = TypeVar("State")


@dataclass
class Progress:
    """Where a run stands; everything that its checkpoint holds.

    Attributes:
        base: (n, k) orthonormal rows that the rotation starts from.
        skew: parameters of the rotation relative to `base`.
        optimizer: state of Adam.
        factors: (n,) of each shift relative to the amplitude (1 unless equalised).
        target: image change that equalised shifts are to make, the root mean square of the first basis's.
        step: steps done.
        history: one row per step ("step", "loss") and per evaluation ("step", "held").
    """

    base: Tensor
    skew: Tensor
    optimizer: dict[str, Any]
    factors: Tensor
    target: float = 0.0
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def rotation(self) -> Tensor:
        """The basis as it stands, (n, k) orthonormal rows in the coordinates of the subspace."""
        return rotate(self.base, self.skew)


def start(generator: Generator, settings: DiscoverySettings, subspace: Subspace) -> Progress:
    """A run before its first step."""
    base = first_basis(generator, settings, subspace)
    k = len(subspace.components)
    skew = torch.zeros(k * (k - 1) // 2, dtype=torch.float64)
    return Progress(base, skew, {}, torch.ones(len(base), dtype=torch.float64))


def first_basis(generator: Generator, settings: DiscoverySettings, subspace: Subspace) -> Tensor:
    """Where a run starts, (n, k) orthonormal rows: at a random basis of the subspace, or at the Jacobian's.

    The latter rotates the components by the eigenvectors of their mean JᵀJ, each component scaled by its standard
    deviation, so that those along which latents hardly vary do not lead.
    """
    k, n = len(subspace.components), settings.n_directions
    if settings.start == "random":
        return random_rotation(k, settings.seed)[:n]
    rows = subspace.scales(subspace.components)[:, None] * subspace.components
    gram = image_gram(generator, settings.view(), rows, samples=settings.batch, seed=settings.seed + _START_SEED)
    return leading_eigenvectors(gram, n)[1]


def optimise(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    objective: Objective,
    progress: Progress,
    *,
    timing: Timing | None = None,
    on_step: Callable[[Progress], None] | None = None,
    evaluated: bool = True,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Runs the steps that `progress` still lacks, in place, with Adam on the parameters of the rotation.

    `progress` is consistent whenever `on_step` is called, and after an interrupt.

    Args:
        on_step: called after every step (checkpoints, progress bars).
        evaluated: score the held batch now and then, and equalise the shifts anew.
        stop: asked before every step whether to leave it there.
    """
    assert settings.steps is not None
    timing = timing or Timing()
    view = settings.view()
    skew = progress.skew.clone().requires_grad_()
    optimizer = torch.optim.Adam([skew], settings.lr)
    if progress.optimizer:
        optimizer.load_state_dict(progress.optimizer)
    if evaluated and progress.step == 0 and not progress.history:
        commit(progress, _evaluated(settings, subspace, objective, progress, timing))
    while progress.step < settings.steps and not (stop is not None and parallel.shared(stop())):
        seed = seed_of_step(settings, progress.step)
        optimizer.param_groups[0]["lr"] = settings.lr * annealed(progress.step / settings.steps)
        vectors = rotate(progress.base, skew) @ subspace.components
        ramp = _ramped(settings.ramp, progress.step / settings.steps) if objective.equalized else 1.0
        steps = subspace.steps(vectors, progress.factors * settings.amplitude * ramp).to(device_of(generator))
        latents = sample_latents(generator, view, settings.batch, seed)
        optimizer.zero_grad()
        value = objective.accumulate(latents, steps, seed, timing)
        optimizer.step()
        after = replace(
            progress,
            skew=skew.detach().clone(),
            optimizer=copy.deepcopy(optimizer.state_dict()),
            step=progress.step + 1,
            history=[*progress.history, {"step": progress.step + 1, "loss": value}],
        )
        if evaluated and (after.step % settings.evaluate_every == 0 or after.step == settings.steps):
            after = _evaluated(settings, subspace, objective, after, timing)
        commit(progress, after)
        if on_step is not None:
            on_step(progress)


def commit(progress: State, after: State) -> None:
    """Makes one state the other at once: an interrupt finds the step done as a whole, or not at all."""
    vars(progress).update(vars(after))


def seed_of_step(settings: DiscoverySettings, step: int) -> int:
    """The seed of the batch of a step."""
    return (settings.seed * _STEP_SEEDS + step) % _START_SEED


def annealed(share: float) -> float:
    """The learning rate at a share of the steps, over the first one: it falls along half a cosine, to settle."""
    return 0.05 + 0.95 * (1 + torch.cos(torch.tensor(torch.pi * share)).item()) / 2


def equalize(
    score: Callable[[Tensor], Scores],
    scores: Scores,
    subspace: Subspace,
    vectors: Tensor,
    amplitude: float,
    factors: Tensor,
    target: float,
    rounds: int = 1,
) -> tuple[Scores, Tensor, float]:
    """Scores of shifts that all change the image by `target`, their factors, and the target.

    `rounds` fixed-point steps lead from `factors`, whose `scores` are given, within bounds: a direction that hardly
    changes the image, or whose change does not grow with the shift, stays below the target. A target of zero stands for
    the root mean square of the first scores, which depends little on the basis where images change linearly.
    """
    target = target or float(scores.displacement.square().mean().sqrt())
    for _ in range(rounds):
        if (scores.displacement / max(target, 1e-12) - 1).abs().max() < _EQUALIZE_TOLERANCE:
            break
        factors = equal_factors(scores.displacement, factors, target)
        scores = score(subspace.steps(vectors, factors * amplitude))
    return scores, factors, target


def equal_factors(displacement: Tensor, factors: Tensor, target: float) -> Tensor:
    """Factors (n,) of shifts that would all change the image by `target`, if its change (n,) grew with the shift."""
    wanted = target / displacement.double().clamp_min(1e-12)
    return (factors * wanted).clamp(*_EQUALIZE_RANGE)


def _evaluated(
    settings: DiscoverySettings,
    subspace: Subspace,
    objective: Objective,
    progress: Progress,
    timing: Timing,
) -> Progress:
    """The state with a row of the held batch in its history, and with the factors that equalise its shifts."""
    mark = time.perf_counter()
    vectors = progress.rotation() @ subspace.components
    factors, target = progress.factors, progress.target
    scores = objective.held(subspace.steps(vectors, factors * settings.amplitude))
    if settings.equalize and objective.equalized:
        scores, factors, target = equalize(
            objective.held, scores, subspace, vectors, settings.amplitude, factors, target
        )
    history = [*progress.history, {"step": progress.step, "held": scores.loss}]
    timing.lap("evaluation", mark)
    return replace(progress, factors=factors, target=target, history=history)


def _ramped(first: float, share: float) -> float:
    """Shifts grow during the first half: short ones have few local minima, long ones sharp ones."""
    return first + (1 - first) * min(1.0, 2 * share)
