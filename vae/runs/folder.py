"""The files in the folder of a run, and the model read back from it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch

from ganwalk.errors import GanwalkError
from ganwalk.files import read_text, write_bytes
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.options.records import build_record
from vae.models import VAE, ModelConfig
from vae.settings import MODEL_FILE

HISTORY_FILE = "metrics.csv"
SCORES_FILE = "scores.json"
# The one key of the metadata. safetensors writes several in random order, and equal results should be equal files.
_KEY = "ganwalk-vae-1"


def save_model(path: Path, model: VAE) -> None:
    """Writes weights and configuration atomically, as safetensors."""
    from safetensors import torch as safetensors_torch

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_bytes(path, safetensors_torch.save(tensors, {_KEY: json.dumps(asdict(model.config))}))


def load_model(run: Path, precision: torch.dtype = torch.float32) -> VAE:
    """The model in the folder of a run, on the CPU, whose convolutions run in `precision`.

    Raises:
        GanwalkError: there is none, or the file is damaged or holds something else.
    """
    path = run / MODEL_FILE
    if not path.is_file():
        raise GanwalkError(f"{run} holds no trained model: train one with python -m vae.train --out {run}")
    try:
        with open_tensors(path) as file:
            metadata = file.metadata
            if _KEY not in metadata:
                raise GanwalkError(f"{path} is safetensors, but not of a model of vae.train")
            # Only shapes at first: a few bytes of configuration can ask for gigabytes.
            with torch.device("meta"):
                model = VAE(_config(metadata[_KEY], path), precision)
            stored = {name: entry.shape for name, entry in file.entries.items()}
            expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
            if stored != expected:
                raise GanwalkError(f"{path} holds other tensors than its configuration says: train it again")
            model.load_state_dict({name: file.read(name).float() for name in expected}, assign=True)
    except GanwalkError:
        raise
    except (TensorFileError, RuntimeError, TypeError, ValueError, AttributeError) as error:
        raise GanwalkError(f"{path} is damaged: train it again, or copy it again") from error
    if not all(bool(tensor.isfinite().all()) for tensor in model.state_dict().values()):
        raise GanwalkError(f"{path} holds weights that are not finite: train it again")
    return model.to(memory_format=torch.channels_last).eval().requires_grad_(False)  # type: ignore[call-overload]


def holds_full_scores(run: Path) -> bool:
    """Whether the folder of a run holds scores of the level "full", which take minutes."""
    try:
        stored = json.loads(read_text(run / SCORES_FILE))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(stored, dict) and stored.get("metrics") == "full"


def _config(text: str, path: Path) -> ModelConfig:
    try:
        return build_record(ModelConfig, json.loads(text))
    except GanwalkError as error:
        raise GanwalkError(f"{path} is no model of vae.train: {error}") from error
