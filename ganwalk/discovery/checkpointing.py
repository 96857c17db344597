"""Checkpoints of a discovery: what `--resume` continues from."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from ganwalk.compute import parallel
from ganwalk.discovery.learned.training import Training
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.results import StudentReport
from ganwalk.discovery.settings import APART, DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.options import completed
from ganwalk.resuming.agreement import RESUME_OR_START_ANEW, START_ANEW, check_same
from ganwalk.resuming.states import read_state, write_state

# The checkpoint of a run, and the pattern of it and of those beside it, of the ranges of layers after the first.
CHECKPOINT_FILE = "checkpoint.pt"
CHECKPOINT_FILES = "checkpoint*.pt"

Stage = TypeVar("Stage", bound=Progress | Training)


@dataclass(frozen=True)
class Polishing:
    """What steps on a network begin with after a search on a student.

    Attributes:
        student: of that search.
        before: mean RTD of its basis on the network's held batch.
    """

    student: StudentReport
    before: float


def fingerprint(settings: DiscoverySettings, generator: GeneratorIdentity) -> str:
    """What must agree between the run that stopped and the one that continues, as JSON."""
    kept = {name: value for name, value in asdict(settings).items() if name not in APART}
    return json.dumps({"generator": generator.sha256 + generator.interface, **kept}, sort_keys=True)


def save_checkpoint(path: Path, progress: Progress | Training, run: str, polishing: Polishing | None = None) -> None:
    """Writes a run's progress atomically; of several processes, the first does."""
    if parallel.rank() != 0:
        return
    state = {field.name: getattr(progress, field.name) for field in fields(progress)}
    polish = None if polishing is None else asdict(polishing)
    write_state(path, {"fingerprint": run, "progress": state, "polishing": polish})


def save_beginning(path: Path, run: str) -> None:
    """Writes that a run has begun which has no progress of its own yet: what it made so far lies in other files."""
    if parallel.rank() == 0:
        write_state(path, {"fingerprint": run, "progress": None, "polishing": None})


def remove_checkpoints(folder: Path) -> None:
    """Removes the checkpoints of a run, which a new one with other options would take for its own.

    The first goes last: as long as it is there, `--resume` knows whose they are.
    """
    for path in sorted(folder.glob(CHECKPOINT_FILES)):
        path.unlink(missing_ok=True)


def rests_on_cut_student(path: Path) -> bool:
    """Whether the search that a checkpoint continues was on a student of as many images as a budget allowed."""
    try:
        polishing = read_state(path)["polishing"]
        return polishing is not None and StudentReport(**polishing["student"]).cut
    except Exception:
        # `load_checkpoint` will refuse it.
        return False


def with_stored_chunk(settings: DiscoverySettings, path: Path) -> DiscoverySettings:
    """Resolved settings, whose chunk nobody chose, with that of the run to resume; a smaller one if the memory is less.

    The chunk decides nothing but the rounding. What cannot be read `load_checkpoint` will refuse.
    """
    try:
        stored = int(json.loads(read_state(path)["fingerprint"])["chunk"])
    except Exception:
        return settings
    assert settings.chunk is not None
    return replace(settings, chunk=min(stored, settings.chunk))


def load_checkpoint(path: Path, run: str, kind: type[Stage]) -> tuple[Stage | None, Polishing | None]:
    """The progress saved at `path`, of the kind that the run's method makes; None from `save_beginning`.

    Raises:
        GanwalkError: there is none, or it is another run's.
    """
    if not path.exists():
        raise GanwalkError(f"nothing to resume: {path} does not exist; run without --resume")
    damaged = f"{path} is not a checkpoint of ganwalk discover: {START_ANEW}"
    try:
        saved = read_state(path)
        before = completed(DiscoverySettings, json.loads(saved["fingerprint"]))
        stored = None if saved["progress"] is None else dict(saved["progress"])
        polish = saved.get("polishing")
        polishing = None if polish is None else Polishing(StudentReport(**polish["student"]), float(polish["before"]))
    except Exception as error:
        raise GanwalkError(damaged) from error
    if before["scored"] is None:
        # Before there were these settings.
        before |= {"scored": before["batch"], "precision": "float32"}
    check_same(path, _that_matter(before), _that_matter(json.loads(run)), RESUME_OR_START_ANEW)
    try:
        return None if stored is None else kind(**stored), polishing
    except TypeError as error:
        raise GanwalkError(damaged) from error


def _that_matter(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts that must agree, without those that are None: a version that did not know them has left them out."""
    return {name: value for name, value in facts.items() if name not in (*APART, "chunk") and value is not None}
