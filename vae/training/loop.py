"""The training loop: of one model, or of several that take their steps together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from ganwalk.compute import parallel
from ganwalk.compute.seeds import seeded
from ganwalk.errors import GanwalkError
from vae.data.base import ImageData
from vae.data.resident import resident_images
from vae.models import VAE, ModelConfig
from vae.objectives import make_objective, model_options
from vae.settings import CHECKPOINT_FILE, TrainingSettings
from vae.training.checkpoints import TrainingState, load_checkpoint, save_checkpoint
from vae.training.lockstep import Lane, Team, Training
from vae.training.step import Loader

ADAM_BETAS = (0.9, 0.999)
# Steps that a model takes before the next one's turn: what it works on stays in the caches of its core.
_BLOCK = 10
# The hidden layer where it does not follow from the channels: 3D Faces are grey, and have what colour has.
_HIDDEN = {"faces3d": 256}


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
    narrow = settings.layers == "narrow"
    hidden = _HIDDEN.get(settings.dataset) if settings.hidden is None and narrow else settings.hidden
    asked = model_options(settings.objective, settings.options)
    config = ModelConfig(data.resolution, data.channels, settings.z_dim, hidden, settings.layers, **asked)
    with seeded(torch.device("cpu"), settings.seed):
        model = VAE(config, getattr(torch, settings.precision), settings.initialisation)
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
    """Trains one VAE: `train_together` of one, whose arguments are those of `Training`."""
    training = Training(settings, out, resume, on_step, on_look, on_row, on_save)
    (state,) = train_together([training], data, device=device, threads=threads, rhythm=rhythm)
    return state


def check_first_step(
    settings: TrainingSettings, data: ImageData, *, device: torch.device | str = "cpu", threads: int | None = None
) -> None:
    """Takes the first step of a training and forgets it: what cannot be trained is refused before anything is written.

    Raises:
        GanwalkError: sizes, batches or options that do not go together.
    """
    lane = Lane(Training(settings, Path()), new_state(settings, data, device))
    Team([lane], data, None, threads, threading.Lock()).advance(1)


def train_together(
    trainings: Sequence[Training],
    data: ImageData,
    *,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    rhythm: Rhythm | None = None,
) -> list[TrainingState]:
    """Trains VAEs in lockstep, each as it would be trained alone: the same draws, weights and checkpoints.

    On the CPU the models are computed in parallel threads, a few steps at a time. Elsewhere those that differ in
    nothing but the seed are one network of grouped convolutions, and equal their own runs up to rounding.

    Args:
        trainings: those that continue and are behind the others go first.
        data: the data set that all settings name.
        device: where the networks are.
        threads: of the CPU, for the models together.
    Raises:
        GanwalkError: nothing to resume, or a loss that is not finite, which is noticed where a row of the history ends;
            the last good checkpoints stay.
    """
    rhythm = rhythm or Rhythm()
    lanes = [Lane(training, new_state(training.settings, data, device)) for training in trainings]
    for lane in lanes:
        if lane.training.resume:
            load_checkpoint(lane.training.out / CHECKPOINT_FILE, lane.state, lane.training.settings)
            lane.saved_step = lane.state.step
    loader = resident_images(data, device)
    with _workers(len(lanes), device, threads) as each:
        while behind := [lane for lane in lanes if lane.state.step < lane.training.settings.steps]:
            lowest = min(lane.state.step for lane in behind)
            group = [lane for lane in behind if lane.state.step == lowest]
            until = min([lane.state.step for lane in behind if lane.state.step > lowest], default=None)
            _advance(group, data, loader, rhythm, until, device, threads, each)
    return [lane.state for lane in lanes]


# Calls a function with each of several values, in parallel where that helps, and returns once all are done.
Each = Callable[[Callable[[Team], None], Sequence[Team]], object]


def _stacked(device: torch.device | str) -> bool:
    """Whether models are one network there. Grouped convolutions are no faster on a CPU than one after the other."""
    return torch.device(device).type != "cpu"


@contextmanager
def _workers(models: int, device: torch.device | str, threads: int | None) -> Iterator[Each]:
    """An `Each` whose threads share the cores that torch has, or `threads`."""
    cores = threads or torch.get_num_threads()
    count = min(models, cores)
    # Processes that average their gradients must do so in one order.
    if count < 2 or _stacked(device) or parallel.processes() > 1:
        yield lambda work, teams: list(map(work, teams))
        return
    before = torch.get_num_threads()
    # The number of threads is one for each thread of Python, but for those of BLAS.
    with ThreadPoolExecutor(count, "lockstep", lambda: torch.set_num_threads(max(1, cores // count))) as pool:
        try:
            yield lambda work, teams: list(pool.map(work, teams))
        finally:
            torch.set_num_threads(before)


def _teams(
    lanes: Sequence[Lane], data: ImageData, loader: Loader | None, device: torch.device | str, threads: int | None
) -> list[Team]:
    """On the CPU every lane is a team of its own; elsewhere lanes that differ in nothing but the seed are one.

    Models with levels stay alone: what picks these is no part of a stack.
    """
    telling = threading.Lock()
    if not _stacked(device):
        return [Team([lane], data, loader, threads, telling) for lane in lanes]
    groups: list[list[Lane]] = []
    for lane in lanes:
        settings = replace(lane.training.settings, seed=0)
        for group in groups if lane.state.model.codebook is None else []:
            if replace(group[0].training.settings, seed=0) == settings:
                group.append(lane)
                break
        else:
            groups.append([lane])
    return [Team(group, data, loader, threads, telling) for group in groups]


def _advance(
    lanes: Sequence[Lane],
    data: ImageData,
    loader: Loader | None,
    rhythm: Rhythm,
    until: int | None,
    device: torch.device | str,
    threads: int | None,
    each: Each,
) -> None:
    """Takes lanes that have done equally many steps to `until`, or to the end of the first of them that ends."""
    teams = _teams(lanes, data, loader, device, threads)
    ends = [lane.training.settings.steps for lane in lanes]
    until = min([*ends, *([] if until is None else [until])])
    leader = parallel.rank() == 0
    step = lanes[0].state.step
    while step < until:
        row = min([step - step % rhythm.log_every + rhythm.log_every, *ends])
        count = min(row, until, step + _BLOCK) - step
        each(partial(Team.advance, count=count), teams)
        step += count
        if step < row:
            continue
        for team in teams:
            for lane, means in zip(team.lanes, team.rows(), strict=True):
                lane.state.history.append(means)
                if leader:
                    _tell(lane, rhythm)


def _tell(lane: Lane, rhythm: Rhythm) -> None:
    """What happens where a row of the history ends."""
    training, state = lane.training, lane.state
    last = state.step == training.settings.steps
    if training.on_look is not None and (last or state.step % rhythm.look_every == 0):
        state.history[-1].update(training.on_look(state))
    if training.on_row is not None:
        training.on_row(state.history[-1])
    if last or time.monotonic() - lane.saved_at >= rhythm.save_seconds:
        save_checkpoint(training.out / CHECKPOINT_FILE, state, training.settings)
        lane.saved_at, lane.saved_step = time.monotonic(), state.step
        if training.on_save is not None:
            training.on_save(state)
