"""The training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from ganwalk import parallel
from ganwalk.errors import GanwalkError
from ganwalk.seeds import seeded
from vae.checkpoints import TrainingState, load_checkpoint, save_checkpoint
from vae.data.base import ImageData
from vae.models import VAE, ModelConfig
from vae.objectives import make_objective, model_options
from vae.settings import CHECKPOINT_FILE, TrainingSettings
from vae.step import compute_step, draw_step
from vae.topdis import TopDis

ADAM_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class Rhythm:
    """How often things happen; none of it changes the weights that a training ends with.

    Attributes:
        log_every: steps per row of metrics.csv, which holds their means.
        look_every: steps between calls of `on_look`, a multiple of `log_every`.
        save_seconds: at least so long between checkpoints, which are written where a row ends.
    """

    log_every: int = 100
    look_every: int = 1000
    save_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.log_every < 1 or self.look_every < 1 or self.look_every % self.log_every:
            raise GanwalkError(f"looks, every {self.look_every} steps, must come with rows, every {self.log_every}")


def new_state(settings: TrainingSettings, data: ImageData, device: torch.device | str) -> TrainingState:
    """Model, objective and optimisers at the start of a training: a function of the settings alone."""
    asked = model_options(settings.objective, settings.options)
    config = ModelConfig(data.resolution, data.channels, settings.z_dim, settings.hidden, **asked)
    with seeded(torch.device("cpu"), settings.seed):
        model = VAE(config, getattr(torch, settings.precision))
        objective = make_objective(
            settings.objective,
            settings.options,
            z_dim=settings.z_dim,
            image_shape=(data.channels, data.resolution, data.resolution),
        )
    model.to(device)
    objective.to(device)
    return TrainingState(model, objective, torch.optim.Adam(model.parameters(), settings.lr, ADAM_BETAS))


def train(
    settings: TrainingSettings,
    data: ImageData,
    out: Path,
    *,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    resume: bool = False,
    rhythm: Rhythm | None = None,
    on_step: Callable[[TrainingState], None] | None = None,
    on_look: Callable[[TrainingState], dict[str, float]] | None = None,
    on_row: Callable[[Mapping[str, float]], None] | None = None,
    on_save: Callable[[TrainingState], None] | None = None,
) -> TrainingState:
    """Trains a VAE and keeps `out`/checkpoint.pt up to date.

    Args:
        settings: all that the result depends on, besides the number of processes.
        data: the data set that the settings name.
        out: an existing folder.
        device: where the networks are.
        threads: of the topology engine.
        resume: continue from the checkpoint.
        on_step: called after every step.
        on_look: called every `look_every` steps and after the last one, by the first process; what it returns joins
            the row of the history that ends there.
        on_row: given each row of the history, by the first process.
        on_save: called after every checkpoint, by the first process.
    Raises:
        GanwalkError: nothing to resume, or a loss that is not finite; the last good checkpoint stays.
    """
    rhythm = rhythm or Rhythm()
    state = new_state(settings, data, device)
    if resume:
        load_checkpoint(out / CHECKPOINT_FILE, state, settings)
    topdis = None
    if settings.topdis is not None:
        chosen = settings.topdis
        topdis = TopDis(
            chosen.gamma,
            shift=chosen.shift,
            shift_gradient=chosen.shift_gradient,
            scale_gradient=chosen.scale_gradient,
            p=chosen.p,
            card=chosen.card,
            threads=threads,
        )
    source = state.objective.source(data)
    parameters = list(state.model.parameters())
    leader = parallel.rank() == 0
    saved_at, saved_step = time.monotonic(), state.step
    window: list[dict[str, torch.Tensor]] = []
    while state.step < settings.steps:
        applies = settings.topdis is not None and settings.topdis.applies(state.step, settings.steps)
        draw = draw_step(source, settings.batch, seed=settings.seed, step=state.step)
        result = compute_step(
            state.model,
            state.objective,
            data,
            draw,
            step=state.step,
            steps=settings.steps,
            topdis=topdis if applies else None,
            settings=settings.topdis,
        )
        _check_finite(result.logs, result.gradients, state.step, saved_step, out)
        for parameter, gradient in zip(parameters, result.gradients, strict=True):
            parameter.grad = gradient
        state.objective.decay(state.model, settings.lr)
        state.optimizer.step()
        window.append({**result.logs, **state.objective.update(result.context)})
        state.step += 1
        if on_step is not None:
            on_step(state)

        last = state.step == settings.steps
        if state.step % rhythm.log_every and not last:
            continue
        state.history.append({"step": state.step, **_means(window)})
        window = []
        if not leader:
            continue
        if on_look is not None and (last or state.step % rhythm.look_every == 0):
            state.history[-1].update(on_look(state))
        if on_row is not None:
            on_row(state.history[-1])
        if last or time.monotonic() - saved_at >= rhythm.save_seconds:
            save_checkpoint(out / CHECKPOINT_FILE, state, settings)
            saved_at, saved_step = time.monotonic(), state.step
            if on_save is not None:
                on_save(state)
    return state


def _means(window: list[dict[str, torch.Tensor]]) -> dict[str, float]:
    """Mean of every scalar over the steps that have it."""
    values: dict[str, list[torch.Tensor]] = {}
    for logs in window:
        for name, value in logs.items():
            values.setdefault(name, []).append(value.detach().float())
    return {name: float(torch.stack(found).mean()) for name, found in values.items()}


def _check_finite(
    logs: dict[str, torch.Tensor], gradients: list[torch.Tensor], step: int, saved_step: int, out: Path
) -> None:
    values = torch.stack([*logs.values(), *(gradient.sum() for gradient in gradients)]).isfinite()
    # One question to the device for all of them: it is asked in every step.
    if not bool(values.all()):
        bad = [name for name, fine in zip(logs, values.tolist(), strict=False) if not fine] or ["gradient"]
        kept = f"the checkpoint of step {saved_step} is in {out}" if saved_step else "no checkpoint had been written"
        raise GanwalkError(
            f"{', '.join(bad)} not finite in step {step + 1}: try a smaller --lr or smaller weights; {kept}"
        )
