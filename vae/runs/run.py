"""A whole training: data, loop, looks on the way, scores and pictures at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from ganwalk.compute import parallel
from ganwalk.errors import GanwalkError
from ganwalk.files import write_csv, write_json
from ganwalk.files.data_place import DataPlace
from ganwalk.terminal import quoted
from vae.data import load_dataset
from vae.data.base import ImageData
from vae.metrics.scores import Level
from vae.runs.folder import HISTORY_FILE, SCORES_FILE, save_model
from vae.runs.outputs import PICTURES, draw_history, draw_model, write_scores
from vae.scores.evaluation import evaluate_model
from vae.settings import CHECKPOINT_FILE, CONFIG_FILE, MODEL_FILE, TrainingSettings, load_settings, to_json
from vae.training.checkpoints import TrainingState
from vae.training.loop import Rhythm, Training, train_together

# A fifth of a training between looks, but pictures of fewer steps than this show nothing new.
_LOOKS, _FEWEST = 5, 100
_LOG_EVERY = 100


@dataclass(frozen=True)
class Run:
    """What a training leaves: its state, its scores, and the files in its folder."""

    state: TrainingState
    scores: Mapping[str, float]
    written: Sequence[Path]


def load_data(settings: TrainingSettings, place: DataPlace | None = None) -> ImageData:
    """The data set that the settings name."""
    place = place or DataPlace()
    return load_dataset(
        settings.dataset,
        resolution=settings.resolution,
        root=place.root,
        correlated=settings.correlated,
        correlation_width=settings.correlation_width,
        download=place.download,
        progress=place.progress,
    )


def claim_folder(folder: Path, settings: TrainingSettings, *, overwrite: bool = False) -> None:
    """Makes the folder this training's: removes what an earlier one left and writes the configuration.

    A training that stopped before its first checkpoint has left nothing to lose, and gives way.

    Raises:
        GanwalkError: it holds a training, which `overwrite` would remove, or the configuration of something else.
    """
    config, checkpoint = folder / CONFIG_FILE, folder / CHECKPOINT_FILE
    if not overwrite:
        if checkpoint.exists() or (folder / MODEL_FILE).exists():
            ways = f"continue it with --resume --out {quoted(folder)}, or " if checkpoint.exists() else ""
            raise GanwalkError(f"{folder} holds a training: {ways}start anew with --force")
        if config.exists():
            _check_own(config)
    # Scores and pictures too: beside the new configuration they would pass for this training's.
    for name in (CHECKPOINT_FILE, MODEL_FILE, HISTORY_FILE, SCORES_FILE, *PICTURES):
        (folder / name).unlink(missing_ok=True)
    write_json(config, to_json(settings))


def _check_own(config: Path) -> None:
    try:
        load_settings(config)
    except GanwalkError as error:
        raise GanwalkError(f"{error}; choose another --out, or replace it with --force") from error


@dataclass(frozen=True)
class Plan:
    """A training that is wanted: its settings, its folder, which exists, and whether to continue what is there."""

    settings: TrainingSettings
    folder: Path
    resume: bool = False


def run_together(
    plans: Sequence[Plan],
    data: ImageData,
    *,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    metrics: Level | None = "full",
    look_every: int | None = None,
    tensorboard: bool = False,
    on_share: Callable[[float, str], None] | None = None,
    on_progress: Callable[[str], None] | None = None,
) -> list[Run]:
    """Trains in lockstep, scores and draws; files are written by the first process only.

    Args:
        plans: of equally many steps.
        data: of all their settings, from `load_data`.
        metrics: level of the scores at the end, or None for none.
        look_every: steps between pictures and quick scores; 0 for none, None for a fifth of the training.
        tensorboard: also write event files.
        on_share: told the share of all steps that is done, and a note; on_progress: what is being done after them.
    """
    steps = plans[0].settings.steps
    rhythm = _rhythm(steps, look_every)
    done = [0] * len(plans)

    def training(place: int, plan: Plan) -> Training:
        settings, folder = plan.settings, plan.folder

        def step(state: TrainingState) -> None:
            done[place] = state.step
            if on_share is not None:
                last = state.history[-1] if state.history else {}
                note = f"loss {last['loss']:.1f}" if "loss" in last else ""
                on_share(sum(done) / (steps * len(plans)), note)

        def look(state: TrainingState) -> dict[str, float]:
            found = evaluate_model(state.model, data, level="quick", seed=settings.seed, threads=threads).values
            scores = {f"quick_{name}": value for name, value in found.items()}
            # The pictures of the last step are drawn below, whether it is looked at or not.
            if state.step < settings.steps:
                draw_model(state.model, data, folder, seed=settings.seed)
                draw_history([*state.history[:-1], {**state.history[-1], **scores}], folder)
            return scores

        return Training(
            settings,
            folder,
            resume=plan.resume,
            on_step=step,
            on_look=None if look_every == 0 else look,
            on_row=_board(folder) if tensorboard and parallel.rank() == 0 else None,
            on_save=lambda state: write_csv(folder / HISTORY_FILE, state.history),
        )

    trainings = [training(place, plan) for place, plan in enumerate(plans)]
    # The small products of topology: a second thread of BLAS would wait for torch's, which spin between operations.
    with threadpool_limits(limits=1, user_api="blas"):
        states = train_together(trainings, data, device=device, threads=threads, rhythm=rhythm)
    if parallel.rank() != 0:
        return [Run(state, {}, ()) for state in states]
    return [
        _finished(plan, state, data, threads, metrics, on_progress) for plan, state in zip(plans, states, strict=True)
    ]


def _finished(
    plan: Plan,
    state: TrainingState,
    data: ImageData,
    threads: int | None,
    metrics: Level | None,
    on_progress: Callable[[str], None] | None,
) -> Run:
    """What a training leaves in its folder at its end."""
    settings, folder = plan.settings, plan.folder
    tell = on_progress or (lambda what: None)
    save_model(folder / MODEL_FILE, state.model)
    write_csv(folder / HISTORY_FILE, state.history)
    written = [folder / MODEL_FILE, folder / HISTORY_FILE, folder / CONFIG_FILE]
    tell("drawing")
    written += draw_model(state.model, data, folder, seed=settings.seed) + draw_history(state.history, folder)
    scores: Mapping[str, float] = {}
    if metrics is not None:
        found = evaluate_model(
            state.model, data, level=metrics, seed=settings.seed, threads=threads, on_progress=on_progress
        )
        written += write_scores(found, data, folder, level=metrics, seed=settings.seed)
        scores = found.values
    return Run(state, scores, written)


def _rhythm(steps: int, look_every: int | None) -> Rhythm:
    """Rows every hundred steps or oftener, and looks where the next row ends."""
    log_every = max(1, min(_LOG_EVERY, steps // _LOOKS, look_every or steps))
    wanted = max(_FEWEST, steps // _LOOKS) if look_every is None else look_every
    return Rhythm(log_every, max(1, -(-wanted // log_every)) * log_every)


def summary_writer() -> Callable[..., Any]:
    """What writes TensorBoard's event files; GanwalkError if its package is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise GanwalkError("--tensorboard needs a package: pip install tensorboard") from error
    return SummaryWriter


def _board(folder: Path) -> Callable[[Mapping[str, float]], None]:
    """A function that adds a row of the history to TensorBoard's event file."""
    make, writer = summary_writer(), None

    def add(row: Mapping[str, float]) -> None:
        nonlocal writer
        if writer is None:
            # What a run that was killed had written beyond its checkpoint would stand there twice.
            writer = make(str(folder), purge_step=int(row["step"]))
        for name, value in row.items():
            if name != "step":
                writer.add_scalar(name, value, int(row["step"]))
        writer.flush()

    return add
