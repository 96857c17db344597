"""Checkpoints of a training: what `--resume` continues from."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map

from ganwalk.errors import GanwalkError
from ganwalk.files import write_bytes
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
    values: Any = {
        "settings": json.dumps(to_json(settings)),
        "step": state.step,
        "history": state.history,
        "model": state.model.state_dict(),
        "objective": state.objective.state_dict(),
        "optimizer": state.optimizer.state_dict(),
        "objective_optimizer": None if own is None else own.state_dict(),
    }
    buffer = io.BytesIO()
    # A model of a stack is a view of all models' parameters, which would be saved whole.
    torch.save(tree_map(lambda leaf: leaf.clone() if isinstance(leaf, torch.Tensor) else leaf, values), buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path, state: TrainingState, settings: TrainingSettings) -> None:
    """Brings a new state to what was saved; GanwalkError if there is nothing, or another training's."""
    if not path.exists():
        raise GanwalkError(f"nothing to resume: {path} does not exist; run without --resume")
    device = next(state.model.parameters()).device
    try:
        values: dict[str, Any] = torch.load(path, weights_only=True, map_location=device)
        saved = to_json(from_json(json.loads(values["settings"]), path, written=True))
    except Exception as error:
        raise GanwalkError(f"{path} is not a checkpoint of vae.train: run without --resume") from error
    now = to_json(settings)
    changed = sorted(key for key in {*saved, *now} if saved.get(key) != now.get(key))
    if changed:
        raise GanwalkError(
            f"{path} belongs to a training with another {', '.join(changed)}: "
            "resume with its options, or run without --resume"
        )
    try:
        state.model.load_state_dict(values["model"])
        state.objective.load_state_dict(values["objective"])
        state.optimizer.load_state_dict(values["optimizer"])
        if state.objective.optimizer is not None:
            state.objective.optimizer.load_state_dict(values["objective_optimizer"])
        state.step, state.history = int(values["step"]), list(values["history"])
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        raise GanwalkError(f"{path} does not fit this version of vae.train: run without --resume") from error
