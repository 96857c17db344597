"""The training of directions and networks together, whatever the loss.

Papers search the whole latent space from a random start for 10,000 steps and more. Here the directions lie in the
informative subspace, as those of every search do (`subspace_dim` widens it, up to the whole space), which hundreds of
steps can find their way in.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.compute import parallel
from ganwalk.compute.seeds import seeded
from ganwalk.discovery.learned.base import Learner
from ganwalk.discovery.objectives.base import Timing, check_finite
from ganwalk.discovery.optimisation import annealed, commit, first_basis, seed_of_step
from ganwalk.discovery.rotation import rotate
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import sample_latents
from ganwalk.generators.base import Generator, device_of

# Learning rate of Adam on the networks.
_NETWORKS_LR = 2e-3


@dataclass
class Training:
    """Where a training stands; everything that its checkpoint holds.

    Attributes:
        base: (n, k) orthonormal rows that the directions start from.
        change: their parameters relative to `base`: of a rotation, or, oblique, what is added to the rows.
        networks: state of the networks.
        optimizer: state of Adam.
        step: steps done.
        history: one row per step ("step", "loss").
    """

    base: Tensor
    change: Tensor
    networks: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def rows(self, learner: Learner) -> Tensor:
        """The directions as they stand, (n, k) rows of unit length in the coordinates of the subspace."""
        return _rows(self.base, self.change, learner.oblique)


def begin(generator: Generator, settings: DiscoverySettings, subspace: Subspace, learner: Learner) -> Training:
    """A training before its first step."""
    base = first_basis(generator, settings, subspace)
    k = base.shape[1]
    change = torch.zeros(base.shape if learner.oblique else (k * (k - 1) // 2,), dtype=torch.float64)
    return Training(base, change)


def train(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    learner: Learner,
    training: Training,
    *,
    timing: Timing,
    on_step: Callable[[Training], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Runs the steps that `training` still lacks, in place, with Adam on the directions and on the networks.

    `training` is consistent whenever `on_step` is called, and after an interrupt; the learner's networks may be a part
    of a step ahead of it then.

    Args:
        on_step: called after every step (checkpoints, progress bars).
        stop: asked before every step whether to leave it there.
    """
    assert settings.steps is not None
    device, view = device_of(generator), settings.view()
    change = training.change.clone().requires_grad_()
    rates = (settings.lr, _NETWORKS_LR)
    groups: list[dict[str, Any]] = [{"params": [change]}, {"params": list(learner.networks.parameters())}]
    optimizer = torch.optim.Adam(groups)
    if training.optimizer:
        learner.networks.load_state_dict(training.networks)
        optimizer.load_state_dict(training.optimizer)
    learner.networks.train()
    while training.step < settings.steps and not (stop is not None and parallel.shared(stop())):
        seed = seed_of_step(settings, training.step)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * annealed(training.step / settings.steps)
        mark = time.perf_counter()
        vectors = _rows(training.base, change, learner.oblique) @ subspace.components
        steps = subspace.steps(vectors, settings.amplitude).to(device)
        latents = sample_latents(generator, view, settings.batch, seed)
        optimizer.zero_grad()
        with seeded(device, seed), torch.enable_grad():
            value = learner.loss(latents, steps, seed)
            mark = timing.lap("synthesis", mark)
            check_finite(value.detach())
            value.backward()
        optimizer.step()
        timing.lap("backward", mark)
        row = {"step": training.step + 1, "loss": value.item()}
        after = Training(
            base=training.base,
            change=change.detach().clone(),
            networks={name: values.detach().clone() for name, values in learner.networks.state_dict().items()},
            optimizer=copy.deepcopy(optimizer.state_dict()),
            step=training.step + 1,
            history=[*training.history, row],
        )
        commit(training, after)
        if on_step is not None:
            on_step(training)


def _rows(base: Tensor, change: Tensor, oblique: bool) -> Tensor:
    return F.normalize(base + change, dim=1) if oblique else rotate(base, change)
