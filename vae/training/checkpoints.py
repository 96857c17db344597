"""Checkpoints of a training: what `--resume` continues from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ganwalk.errors import GanwalkError
from ganwalk.resuming.agreement import RESUME_OR_START_ANEW, check_same
from ganwalk.resuming.states import read_state, write_state
from vae.models import VAE
from vae.objectives.base import Objective
from vae.settings import TrainingSettings, from_json, to_json


@dataclass
class TrainingState:
    """Everything that changes in a training.

    Attributes:
        step: steps done.
        history: rows of metrics.csv.
    """

    model: VAE
    objective: Objective
    optimizer: torch.optim.Optimizer
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)


def save_checkpoint(path: Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Writes a training's state atomically."""
    own = state.objective.optimizer
    values = {
        "settings": json.dumps(to_json(settings)),
        "step": state.step,
        "history": state.history,
        "model": state.model.state_dict(),
        "objective": state.objective.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "objective_optimizer": None if own is None else own.state_dict(),
    }
    write_state(path, values)


def load_checkpoint(path: Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Brings a new state to what was saved; GanwalkError if there is nothing, or another training's."""
    if not path.exists():
        raise GanwalkError(f"nothing to resume: {path} does not exist; run without --resume")
    try:
        # Adam counts its steps on the CPU, and would ask a device for them; load_state_dict moves everything else.
        values: dict[str, Any] = read_state(path)
        saved = to_json(from_json(json.loads(values["settings"]), path, written=True))
    except Exception as error:
        raise GanwalkError(f"{path} is not a checkpoint of vae.train: start anew with --force") from error
    check_same(path, saved, to_json(settings), RESUME_OR_START_ANEW)
    try:
        state.model.load_state_dict(values["model"])
        state.objective.load_state_dict(values["objective"])
        state.optimizer.load_state_dict(values["optimizer"])
        if state.objective.optimizer is not None:
            state.objective.optimizer.load_state_dict(values["objective_optimizer"])
        state.step, state.history = int(values["step"]), list(values["history"])
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise GanwalkError(f"{path} does not fit this version of vae.train: start anew with --force") from error
