"""Checkpoints of a projection: what `--resume` continues from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from pathlib import Path

from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, device_of
from ganwalk.projection.optimisation import Progress
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.resuming.agreement import check_fingerprint
from ganwalk.resuming.states import read_state, write_state


def fingerprint(generator: Generator, picture: Tensor, settings: ProjectionSettings, perceptual: str) -> str:
    """What must agree between a projection that stopped and the one that continues, as JSON.

    Args:
        settings: resolved.
        perceptual: identity of the perceptual network; empty for none.
    """
    identity = generator.identity
    seen = hashlib.sha256(picture.cpu().numpy().tobytes()).hexdigest()
    facts = {"generator": identity.sha256 + identity.interface, "picture": seen, "perceptual": perceptual}
    return json.dumps({**facts, **asdict(settings)}, sort_keys=True)


def save_checkpoint(path: Path, progress: Progress, run: str) -> None:
    """Writes a projection's progress atomically."""
    state = {entry.name: getattr(progress, entry.name) for entry in fields(progress)}
    write_state(path, {"fingerprint": run, "progress": state})


def load_checkpoint(path: Path, run: str, generator: Generator) -> Progress:
    """The progress saved at `path`, on the generator's device; GanwalkError if it is damaged, or another run's."""
    try:
        saved = read_state(path, device_of(generator))
        before, progress = str(saved["fingerprint"]), Progress(**saved["progress"])
        json.loads(before)
    except Exception as error:
        raise GanwalkError(f"{path} is not a checkpoint of ganwalk project: run with --force instead") from error
    check_fingerprint(path, before, run)
    return progress
