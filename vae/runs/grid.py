"""Several trainings that differ in their seeds, or in having the TopDis term: in lockstep, as jobs of a ledger."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ganwalk.errors import GanwalkError
from ganwalk.files import owned_folder
from ganwalk.files.data_place import DataPlace
from ganwalk.ledger import Job, Ledger, Placement, Turn, run_jobs
from ganwalk.resuming.agreement import check_same
from vae.settings import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    MODEL_FILE,
    TopDisSettings,
    TrainingSettings,
    load_settings,
    run_name,
    to_json,
)

ARMS = ("plain", "topdis")
# How much of the time of a run is over when its steps are done.
TRAINED = 0.85
# Beside the folders of the runs, out of the way of vae-runs/*.
_JOBS = ".jobs"


@dataclass(frozen=True)
class Making:
    """How trainings are made; no result depends on it but on `metrics`.

    Attributes:
        root: folder of the runs' folders, in a grid.
        data: where the file of a public data set lies, or how it is had.
        together: models in lockstep in one job; None for all.
        metrics: level of the scores at the end, or None.
        look_every, device: see vae.runs.run.
    """

    root: Path
    data: DataPlace = field(default_factory=DataPlace)
    together: int | None = None
    metrics: str | None = "full"
    look_every: int | None = None
    device: str = "cpu"


def parse_arms(text: str) -> tuple[str, ...]:
    """Arms from "plain,topdis"; GanwalkError if there is no such arm."""
    arms = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    for arm in arms:
        if arm not in ARMS:
            raise GanwalkError(f"--arms takes {' and '.join(ARMS)} with a comma between, not {arm!r}")
    return arms


def members(
    settings: TrainingSettings, seeds: Sequence[int], arms: Sequence[str], term: TopDisSettings | None = None
) -> list[TrainingSettings]:
    """The settings of the trainings, one arm after the other: "plain" without the term, "topdis" with it.

    Args:
        term: of "topdis", where the settings have none.
    """
    terms = {"plain": None, "topdis": settings.topdis or term or TopDisSettings()}
    chosen = [replace(settings, topdis=terms[arm]) for arm in arms] or [settings]
    return [replace(one, seed=seed) for one in chosen for seed in dict.fromkeys(seeds or (settings.seed,))]


def but_for_seeds(trainings: Sequence[TrainingSettings]) -> list[TrainingSettings]:
    """One of each that differ in more than their seed."""
    found: list[TrainingSettings] = []
    for one in trainings:
        if not any(replace(one, seed=other.seed) == other for other in found):
            found.append(one)
    return found


def run_grid(
    trainings: Sequence[TrainingSettings],
    making: Making,
    where: Placement,
    *,
    resume: bool = False,
    overwrite: bool = False,
    threads: int | None = None,
    on_progress: Callable[[str, float], None] | None = None,
) -> list[dict[str, float]]:
    """Scores of the trainings, in their order, each of which leaves a run's folder in `making.root`.

    Folders and results of other shares stay as they are.

    Raises:
        GanwalkError: a folder holds a training that is neither to be continued nor replaced, or a training failed.
        ganwalk.ledger.SharesMissing: this share is done, and others are not.
    """
    count = making.together or len(trainings)
    groups = [trainings[start : start + count] for start in range(0, len(trainings), count)]
    ledger = Ledger(making.root / _JOBS, upgrade=_as_today)
    jobs = [
        Job(
            _job_name(group),
            {"settings": [to_json(one) for one in group]},
            functools.partial(_train, tuple(group), making),
            functools.partial(_scored_at, making.metrics),
        )
        for group in groups
    ]
    for job, group in where.share(list(zip(jobs, groups, strict=True))):
        folders = [making.root / run_name(one) for one in group]
        for folder, one in zip(folders, group, strict=True):
            _check(folder, one, making, resume=resume, overwrite=overwrite)
        # A result without its models, which somebody has removed, is none.
        if not (resume and all((folder / MODEL_FILE).exists() for folder in folders)):
            ledger.open(job, resume=False)
        if overwrite and not resume:
            with ledger.claim(job) as mine:
                for folder in folders if mine else ():
                    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    found = run_jobs(ledger, jobs, where=where, resume=True, threads=threads, on_progress=on_progress)
    return [scores for group in found for scores in group["scores"]]


def _scored_at(metrics: str | None, result: dict[str, Any]) -> bool:
    """Whether scores of that level are there; if not, a finished training is scored again."""
    return metrics is None or result["metrics"] == metrics


def _as_today(document: dict[str, Any]) -> dict[str, Any]:
    """A result of the time when its level was among the facts, and its scores were all of it."""
    if "metrics" not in document["facts"]:
        return document
    settings, metrics = document["facts"]["settings"], document["facts"]["metrics"]
    return {"facts": {"settings": settings}, "result": {"metrics": metrics, "scores": document["result"]}}


def _job_name(group: Sequence[TrainingSettings]) -> str:
    """Of one training its folder's; of several the first one's, with a mark of all."""
    first = run_name(group[0])
    if len(group) == 1:
        return first
    mark = hashlib.sha256(json.dumps([to_json(one) for one in group]).encode()).hexdigest()[:8]
    return f"{first}-and-{len(group) - 1}-{mark}"


def _check(folder: Path, settings: TrainingSettings, making: Making, *, resume: bool, overwrite: bool) -> None:
    """Raises GanwalkError if the folder holds what is not to be continued or replaced."""
    from vae.runs.folder import holds_full_scores

    if overwrite or not (folder / CONFIG_FILE).exists():
        return
    stored = load_settings(folder / CONFIG_FILE, written=True)
    if not any((folder / name).exists() for name in (CHECKPOINT_FILE, MODEL_FILE)):
        return
    if not resume:
        raise GanwalkError(f"{folder} holds a training: continue with --resume, or start anew with --force")
    if making.metrics == "quick" and holds_full_scores(folder):
        raise GanwalkError(f"{folder} holds full scores, which quick ones would replace: resume with --metrics none")
    check_same(folder, to_json(stored), to_json(settings), "resume with its options, or choose another --out")


def _train(group: Sequence[TrainingSettings], making: Making, turn: Turn) -> dict[str, Any]:
    """The job of a group: its scores and their level. What an interrupted job left in the folders is continued."""
    from vae.runs.run import Plan, claim_folder, load_data, run_together

    folders = [making.root / run_name(settings) for settings in group]
    with contextlib.ExitStack() as held:
        data: Any = load_data(group[0], making.data)
        for folder in folders:
            held.enter_context(owned_folder(folder))
        plans = [
            Plan(settings, folder, (folder / CHECKPOINT_FILE).exists())
            for settings, folder in zip(group, folders, strict=True)
        ]
        for plan in plans:
            if not plan.resume:
                claim_folder(plan.folder, plan.settings, overwrite=True)
        begins = iter(range(len(plans)))

        def finishing(what: str) -> None:
            # Models are drawn and scored one after another.
            if what == "drawing":
                turn.on_share(TRAINED + (1 - TRAINED) * next(begins) / len(plans))

        runs = run_together(
            plans,
            data,
            device=making.device,
            threads=turn.threads,
            metrics=making.metrics,  # type: ignore[arg-type]
            look_every=making.look_every,
            on_share=lambda share, _: turn.on_share(TRAINED * share),
            on_progress=finishing,
        )
    return {"metrics": making.metrics, "scores": [dict(run.scores) for run in runs]}
