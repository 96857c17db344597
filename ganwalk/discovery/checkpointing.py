"""Checkpoints of a discovery: what `--resume` continues from."""

from __future__ import annotations

import io
import json
from dataclasses import asdict, fields
from pathlib import Path

import torch

from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.files import write_bytes
from ganwalk.options import completed


def fingerprint(settings: DiscoverySettings, generator_sha256: str) -> str:
    """What must agree between the run that stopped and the one that continues, as JSON."""
    return json.dumps({"generator": generator_sha256, **asdict(settings)}, sort_keys=True)


def save_checkpoint(path: Path, progress: Progress, run: str) -> None:
    """Writes a run's progress atomically."""
    state = {field.name: getattr(progress, field.name) for field in fields(progress)}
    buffer = io.BytesIO()
    torch.save({"fingerprint": run, "progress": state}, buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path, run: str) -> Progress:
    """The progress saved at `path`; GanwalkError if there is none, or if it is another run's."""
    if not path.exists():
        raise GanwalkError(f"nothing to resume: {path} does not exist; run without --resume")
    try:
        saved = torch.load(path, weights_only=True)
        before = completed(DiscoverySettings, json.loads(saved["fingerprint"]))
        progress = Progress(**saved["progress"])
    except Exception as error:
        raise GanwalkError(f"{path} is not a checkpoint of ganwalk discover: run without --resume") from error
    now = json.loads(run)
    changed = sorted(key for key in {*before, *now} if before.get(key) != now.get(key))
    if changed:
        raise GanwalkError(
            f"{path} belongs to a run with another {', '.join(changed)}: "
            "resume with its options, or run without --resume"
        )
    return progress
