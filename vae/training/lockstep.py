"""Trainings on their way, and those of them that take their steps as one stack."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from vae.data.base import ImageData
from vae.settings import TrainingSettings
from vae.topdis import TopDis, sums
from vae.training.checkpoints import TrainingState
from vae.training.stack import Stack, stacked_adam
from vae.training.step import Loader, compute_step, draw_step

# Among the scalars of a step: finite if all gradients are.
_GRADIENT = "gradient"


@dataclass(frozen=True)
class Training:
    """One model's training, and who is told of it.

    Attributes:
        settings: all that the result depends on, besides the number of processes.
        out: an existing folder, whose checkpoint.pt is kept up to date.
        resume: continue from that checkpoint.
        on_step: called after every step, in any thread, but never by two at once.
        on_look: called every `look_every` steps and after the last one, by the first process; what it returns joins
            the row of the history that ends there.
        on_row: given each row of the history, by the first process.
        on_save: called after every checkpoint, by the first process.
    """

    settings: TrainingSettings
    out: Path
    resume: bool = False
    on_step: Callable[[TrainingState], None] | None = None
    on_look: Callable[[TrainingState], dict[str, float]] | None = None
    on_row: Callable[[Mapping[str, float]], None] | None = None
    on_save: Callable[[TrainingState], None] | None = None


@dataclass
class Lane:
    """A training on its way.

    Attributes:
        saved_step: the step of its last checkpoint; saved_at: when that was, or when it began.
    """

    training: Training
    state: TrainingState
    saved_step: int = 0
    saved_at: float = field(default_factory=time.monotonic)


class Team:
    """Lanes that are computed as one stack, from a common step on.

    Args:
        lanes: whose settings differ in nothing but the seed.
        data: the data set.
        loader: where its images come from; see vae.training.step.
        threads: of the topology engine.
        telling: held while somebody is told of a step.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        data: ImageData,
        loader: Loader | None,
        threads: int | None,
        telling: threading.Lock,
    ):
        self.lanes, self.data, self.loader, self.telling = list(lanes), data, loader, telling
        self.settings = lanes[0].training.settings
        self.stack = Stack([lane.state.model for lane in lanes])
        self.optimizer = stacked_adam(self.stack, [lane.state.optimizer for lane in lanes])
        term = self.settings.topdis
        self.topdis = None if term is None else TopDis.of_settings(term, threads=threads)
        self.sources = [lane.state.objective.source(data) for lane in lanes]
        self.window: list[dict[str, Tensor]] = []

    def advance(self, count: int) -> None:
        """So many steps of every lane."""
        for _ in range(count):
            self._step()

    def _step(self) -> None:
        settings, step = self.settings, self.lanes[0].state.step
        applies = settings.topdis is not None and settings.topdis.applies(step, settings.steps)
        drawn = zip(self.sources, [lane.training.settings.seed for lane in self.lanes], strict=True)
        result = compute_step(
            self.stack,
            [lane.state.objective for lane in self.lanes],
            self.data,
            [draw_step(source, settings.batch, seed=seed, step=step) for source, seed in drawn],
            settings,
            step=step,
            topdis=self.topdis if applies else None,
            load=self.loader,
        )
        for parameter, gradient in zip(self.stack.parameters, result.gradients, strict=True):
            parameter.grad = gradient
        for lane in self.lanes:
            lane.state.objective.decay(lane.state.model, settings.lr)
        self.optimizer.step()
        whole = torch.stack([sums(gradient, len(self.stack)) for gradient in result.gradients]).sum(dim=0)
        logs = {**result.logs, _GRADIENT: whole}
        own = [lane.state.objective.update(context) for lane, context in zip(self.lanes, result.contexts, strict=True)]
        self.window.append({**logs, **{name: torch.stack([found[name] for found in own]) for name in own[0]}})
        for lane in self.lanes:
            lane.state.step += 1
            if lane.training.on_step is not None:
                with self.telling:
                    lane.training.on_step(lane.state)

    def rows(self) -> list[dict[str, float]]:
        """The row of the history that ends now, of each lane; GanwalkError if a value of its steps is not finite."""
        names = list(dict.fromkeys(name for logs in self.window for name in logs))
        absent = torch.zeros_like(next(iter(self.window[0].values())))
        # One question to the device for all steps, names and lanes.
        values = torch.stack(
            [torch.stack([logs.get(name, absent).detach().float() for name in names]) for logs in self.window]
        ).cpu()
        there = torch.tensor([[name in logs for name in names] for logs in self.window])
        self._check(values, names)
        totals = torch.where(there[..., None], values, 0.0).sum(dim=0)
        means = (totals / there.sum(dim=0)[:, None]).T.tolist()
        self.window = []
        step = self.lanes[0].state.step
        return [
            {"step": step, **{name: mean for name, mean in zip(names, row, strict=True) if name != _GRADIENT}}
            for row in means
        ]

    def _check(self, values: Tensor, names: Sequence[str]) -> None:
        """Raises GanwalkError unless all values (steps, names, lanes) are finite."""
        fine = values.isfinite()
        if bool(fine.all()):
            return
        bad = int((~fine).any(dim=2).any(dim=1).float().argmax())
        lane = self.lanes[int((~fine[bad]).any(dim=0).float().argmax())]
        place = self.lanes.index(lane)
        found = [name for name, sound in zip(names, fine[bad, :, place].tolist(), strict=True) if not sound]
        found = [name for name in found if name != _GRADIENT] or [_GRADIENT]
        step, out = lane.state.step - len(values) + bad + 1, lane.training.out
        saved = lane.saved_step
        kept = f"the checkpoint of step {saved} is there" if saved else "no checkpoint had been written"
        raise GanwalkError(
            f"{', '.join(found)} not finite in step {step} of {out}: try a smaller --lr or smaller weights; {kept}"
        )
