"""Methods against one another: every method with every seed on one generator, scored alike."""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ganwalk.directions import DIRECTIONS_FILE
from ganwalk.discovery.checkpointing import (
    CHECKPOINT_FILE,
    CHECKPOINT_FILES,
    remove_checkpoints,
    rests_on_cut_student,
)
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.methods import METHODS, method_of
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import APART, OPTIMISED, DiscoverySettings
from ganwalk.discovery.student.images import IMAGES_FILE
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import factor_reader
from ganwalk.evaluation.meanings import OF_ALL, best_possible
from ganwalk.evaluation.run import run_evaluation
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.files.data_place import DataPlace
from ganwalk.generators.base import Generator
from ganwalk.ledger import Job, Ledger, Placement, Turn, run_jobs
from ganwalk.options import completed
from ganwalk.progress.callbacks import OnStage
from ganwalk.standings import Standing, standing
from ganwalk.statistics import Summary, summarise

# What runs share: the generator and what reads factors off its images, if it is not the generator's own.
Scored = tuple[Generator, FactorReader | None]
# Shares of a run at the start and the end of its longest phases; its evaluation follows.
_PHASES = {
    "images": (0.0, 0.4),
    "student": (0.4, 0.6),
    "search": (0.6, 0.7),
    "polish": (0.7, 0.8),
    "steps": (0.0, 0.8),
    "scores": (0.8, 0.9),
}


@dataclass(frozen=True)
class Run:
    """One method with one seed.

    Attributes:
        method, seed: what ran.
        seconds: of the discovery, in the process that ended it.
        scores: by name, as `Evaluation.summary` has them; empty if the method cannot serve the generator.
        effects: (n, f) effect matrix as lists, where there are factors.
        refusal: why the method cannot serve the generator; empty if it can.
        budget: seconds, where these ended the search before it was through; None elsewhere.
    """

    method: str
    seed: int
    seconds: float
    scores: dict[str, float | None]
    effects: list[list[float]] | None = None
    refusal: str = ""
    budget: float | None = None


@dataclass(frozen=True)
class Comparison:
    """All runs on one generator.

    Attributes:
        generator: its name or path.
        n_directions: of every run.
        factors: names of the columns of the effect matrices; empty without factors.
        runs: by method, then seed.
        command: that makes this comparison again; may be empty.
        axes: true axes that the directions were scored against; 0 without any.
    """

    generator: str
    n_directions: int
    factors: tuple[str, ...]
    runs: tuple[Run, ...]
    command: str = ""
    axes: int = 0

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(run.method for run in self.runs))

    @property
    def scores(self) -> list[str]:
        """Names of the scores that some run has."""
        return list(dict.fromkeys(name for run in self.runs for name, value in run.scores.items() if value is not None))

    @property
    def ranked_scores(self) -> list[str]:
        """Those of which some value is better than another."""
        return [name for name in self.scores if name in OF_ALL and OF_ALL[name].ranks]

    def by_seed(self, method: str, score: str) -> dict[int, float]:
        """A score of a method, by the seeds that have one."""
        found = {run.seed: run.scores.get(score) for run in self.runs if run.method == method}
        return {seed: value for seed, value in found.items() if value is not None}

    def values(self, method: str, score: str) -> list[float]:
        """A score of a method, one value per seed that has one."""
        return list(self.by_seed(method, score).values())

    def summary(self, method: str, score: str) -> Summary | None:
        """Mean and spread over the seeds; None if no seed has a value."""
        return summarise(self.values(method, score))

    def standing(self, score: str) -> Standing | None:
        """Methods by one of the ranked scores, and what their paired differences tell; None if no method has it."""
        values = {method: self.by_seed(method, score) for method in self.methods}
        return standing(values, lower_is_better=OF_ALL[score].lower_is_better)

    def best_possible(self) -> dict[str, tuple[float, str]]:
        """The best value that this many directions can have, by ranked score, and what limits it, if anything does."""
        limits = best_possible(self.n_directions, self.axes, len(self.factors))
        ends = {name: (0.0 if OF_ALL[name].lower_is_better else 1.0, "") for name in self.ranked_scores}
        return {name: limits.get(name, end) for name, end in ends.items()}

    def refusal(self, method: str) -> str:
        """Why a method has no scores, or an empty text."""
        return next((run.refusal for run in self.runs if run.method == method and run.refusal), "")

    def cut_short(self, method: str) -> int:
        """How many runs of a method their budget ended before they were through."""
        return sum(run.budget is not None for run in self.runs if run.method == method)


def check_methods(methods: Sequence[str]) -> None:
    """Raises GanwalkError unless methods of these names can be compared with one another."""
    for name in methods:
        method_of(name)
    if not methods or len(set(methods)) < len(methods):
        raise GanwalkError(f"methods must be different ones of {', '.join(METHODS)}")


def compare(
    generator: Generator,
    settings: DiscoverySettings,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    evaluation: EvaluationSettings | None = None,
    reader: FactorReader | None = None,
    data: DataPlace | None = None,
    folder: Path | None = None,
    resume: bool = False,
    threads: int | None = None,
    command: str = "",
    on_progress: OnStage | None = None,
    where: Placement | None = None,
    load: Callable[[], Scored] | None = None,
) -> Comparison:
    """Runs every method with every seed and scores the directions on one batch that all share.

    Args:
        generator: a module from `load_generator`.
        settings: of the discoveries; their method and seed are replaced.
        methods: names in `METHODS`. One that cannot serve the generator is noted as such.
        seeds: of the discoveries.
        evaluation: of the scores, by default without the reconstructor. Its seed is one for all.
        reader: what reads factors off the images; None takes the generator's own.
        data: as of `run_evaluation`.
        folder: keeps each run's directions and scores, and what an interrupted run needs.
        resume: take runs from the folder that are there already, and continue those that another budget cut short.
        where: the runs run; by default here, one after the other.
        load: makes the generator and the reader anew where other processes run them; sent there by pickle.
    Raises:
        GanwalkError: an unknown method, no method or seed, settings that do not fit the generator, a run in the
            folder that was made with other settings, or runs that failed.
        SharesMissing: `where` is a share, and runs of others are not in the folder.
    """
    check_methods(methods)
    if not seeds:
        raise GanwalkError("a comparison needs at least one seed")
    if where is not None and where.elsewhere and load is None:
        raise GanwalkError("other processes have to load the generator: give load")
    evaluation = evaluation or EvaluationSettings(reconstructor=False)
    if evaluation.latents:
        raise GanwalkError("comparisons draw the samples that all methods are scored on: leave out the latents")
    settings.resolve(generator)
    evaluation.resolve(generator)
    jobs = []
    for method in methods:
        for seed in seeds:
            chosen = replace(settings, method=method, seed=seed, compared=())
            facts = _facts(generator, chosen.of_method(), evaluation, reader)
            work = functools.partial(_run, chosen, evaluation, data)
            jobs.append(Job(f"{method}-{seed}", facts, work, functools.partial(_suffices, settings.budget)))
    with contextlib.ExitStack() as stack:
        root = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        results = run_jobs(
            Ledger(root, leaves=(CHECKPOINT_FILES, DIRECTIONS_FILE), upgrade=_as_today),
            jobs,
            where=where,
            resume=resume,
            loaded=(generator, reader),
            load=load,
            threads=threads,
            on_progress=on_progress,
        )
    factors = next((tuple(result["factors"]) for result in results if result["factors"]), ())
    runs = tuple(Run(**result["run"]) for result in results)
    axes = len(getattr(generator, "axes", ())) if any("mean_cosine" in run.scores for run in runs) else 0
    return Comparison(generator.identity.reference, settings.n_directions, factors, runs, command, axes)


def _suffices(budget: float | None, result: dict[str, Any]) -> bool:
    """Whether a stored run is whole, or as short as the wanted one may be; before there was a word of it, all were."""
    return result["run"].get("budget") in (None, budget)


def _run(
    settings: DiscoverySettings, evaluation: EvaluationSettings, data: DataPlace | None, turn: Turn
) -> dict[str, Any]:
    """The job of a ledger: one run, and the names of the factors."""
    from threadpoolctl import threadpool_limits

    # BLAS sums in an order that depends on its threads, and the table should not depend on where a run was made.
    with threadpool_limits(1, user_api="blas"):
        return _scored_run(settings, evaluation, data, turn)


def _scored_run(
    settings: DiscoverySettings, evaluation: EvaluationSettings, data: DataPlace | None, turn: Turn
) -> dict[str, Any]:
    generator, reader = turn.loaded
    method = METHODS[settings.method]
    checkpoint = turn.folder / CHECKPOINT_FILE
    if any(map(rests_on_cut_student, turn.folder.glob(CHECKPOINT_FILES))):
        # The images are kept, and more of them make another student.
        remove_checkpoints(turn.folder)

    def on_phase(phase: str, share: float, note: str) -> None:
        if phase in _PHASES:
            first, last = _PHASES[phase]
            turn.on_share(first + (last - first) * share)

    started = time.perf_counter()
    try:
        result = run_discovery(
            generator,
            settings,
            threads=turn.threads,
            checkpoint=checkpoint,
            resume=checkpoint.exists(),
            on_phase=on_phase,
            images=turn.folder.parent / IMAGES_FILE,
            reader=None if method.fit is None else reader or factor_reader(generator),
        )
    except GanwalkError as error:
        if settings.method in OPTIMISED:
            raise
        return {"factors": (), "run": asdict(Run(settings.method, settings.seed, 0.0, {}, refusal=str(error)))}
    seconds = time.perf_counter() - started
    if result.ended == "interrupt":
        raise KeyboardInterrupt
    scored = run_evaluation(generator, result.directions, evaluation, reader=reader, data=data, threads=turn.threads)
    effects = scored.effects
    matrix = None if effects is None else [[round(value, 5) for value in row] for row in effects.matrix.tolist()]
    cut = result.ended == "budget" or (result.student is not None and result.student.cut)
    budget = settings.budget if cut else None
    run = Run(settings.method, settings.seed, round(seconds, 3), scored.summary(), matrix, budget=budget)
    result.directions.save(turn.folder / DIRECTIONS_FILE)
    if result.ended != "budget":
        remove_checkpoints(turn.folder)
    return {"factors": () if effects is None else tuple(effects.factors), "run": asdict(run)}


def _facts(
    generator: Generator, settings: DiscoverySettings, evaluation: EvaluationSettings, reader: FactorReader | None
) -> dict[str, Any]:
    """What must agree between a stored run and the one that is wanted."""
    identity = generator.identity
    return {
        "generator": identity.sha256 + identity.interface,
        "settings": _that_matter(asdict(settings)),
        "evaluation": _of_drawn(asdict(evaluation)),
        "reader": None if reader is None else reader.identity,
    }


def _as_today(document: dict[str, Any]) -> dict[str, Any]:
    """A stored run as this version writes it.

    Version 0.1.0 kept the facts as text, and the result beside them; options that it did not have mean what they meant.
    """
    if "result" not in document:
        result = {"factors": document["factors"], "run": document["run"]}
        document = {"facts": json.loads(document["facts"]), "result": result}
    # Raises what a damaged file raises.
    Run(**document["result"]["run"])
    facts = dict(document["facts"])
    facts["settings"] = _that_matter(completed(DiscoverySettings, facts["settings"]))
    facts["evaluation"] = _of_drawn(completed(EvaluationSettings, facts["evaluation"]))
    return {**document, "facts": facts}


def _of_drawn(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Settings of an evaluation, without the latents, of which there are none here."""
    return {name: value for name, value in evaluation.items() if name != "latents"}


def _that_matter(settings: dict[str, Any]) -> dict[str, Any]:
    """Those settings of a run, by name, without which it would find something else."""
    # What has a closed form searches nowhere.
    without = APART if settings["method"] in OPTIMISED else (*APART, "search")
    return {name: value for name, value in settings.items() if name not in without}
