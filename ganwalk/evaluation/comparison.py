"""Methods against one another: every method with every seed on one generator, scored alike."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ganwalk.discovery.methods import METHODS, method_of
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.factors import FactorReader
from ganwalk.evaluation.run import evaluate
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.files import write_json
from ganwalk.generators.base import Generator

# Told what runs, and the share of everything that is done.
OnProgress = Callable[[str, float], None]


@dataclass(frozen=True)
class Run:
    """One method with one seed.

    Attributes:
        method, seed: what ran.
        seconds: of the discovery, in the process that ended it.
        scores: by name, as `Evaluation.summary` has them; empty if the method cannot serve the generator.
        effects: (n, f) effect matrix as lists, where there are factors.
        refusal: why the method cannot serve the generator; empty if it can.
    """

    method: str
    seed: int
    seconds: float
    scores: dict[str, float | None]
    effects: list[list[float]] | None = None
    refusal: str = ""


@dataclass(frozen=True)
class Summary:
    """A score of one method over seeds.

    Attributes:
        mean, std: over the seeds (std with n - 1; 0 for one seed).
        half_width: half of the 95 % interval of the mean (Student's t; infinite for one seed).
        count: seeds with a value.
    """

    mean: float
    std: float
    half_width: float
    count: int

    @property
    def low(self) -> float:
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        return self.mean + self.half_width


@dataclass(frozen=True)
class Comparison:
    """All runs on one generator.

    Attributes:
        generator: its name or path.
        n_directions: of every run.
        factors: names of the columns of the effect matrices; empty without factors.
        runs: by method, then seed.
        command: that makes this comparison again; may be empty.
    """

    generator: str
    n_directions: int
    factors: tuple[str, ...]
    runs: tuple[Run, ...]
    command: str = ""

    @property
    def methods(self) -> list[str]:
        return list(dict.fromkeys(run.method for run in self.runs))

    @property
    def scores(self) -> list[str]:
        """Names of the scores that some run has."""
        return list(dict.fromkeys(name for run in self.runs for name, value in run.scores.items() if value is not None))

    def values(self, method: str, score: str) -> list[float]:
        """A score of a method, one value per seed that has one."""
        found = (run.scores.get(score) for run in self.runs if run.method == method)
        return [value for value in found if value is not None]

    def summary(self, method: str, score: str) -> Summary | None:
        """Mean and spread over the seeds; None if no seed has a value."""
        return summarise(self.values(method, score))

    def refusal(self, method: str) -> str:
        """Why a method has no scores, or an empty text."""
        return next((run.refusal for run in self.runs if run.method == method and run.refusal), "")


def summarise(values: Sequence[float]) -> Summary | None:
    """Mean, standard deviation and 95 % interval of a few values; None of none."""
    if not values:
        return None
    n = len(values)
    if n == 1:
        return Summary(values[0], 0.0, math.inf, 1)
    std = statistics.stdev(values)
    from scipy.stats import t

    quantile = float(t.ppf(0.975, n - 1))
    return Summary(statistics.fmean(values), std, quantile * std / math.sqrt(n), n)


def compare(
    generator: Generator,
    settings: DiscoverySettings,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    evaluation: EvaluationSettings | None = None,
    reader: FactorReader | None = None,
    folder: Path | None = None,
    resume: bool = False,
    threads: int | None = None,
    command: str = "",
    on_progress: OnProgress | None = None,
) -> Comparison:
    """Runs every method with every seed and scores the directions on one batch that all share.

    Args:
        generator: a module from `load_generator`.
        settings: of the discoveries; their method and seed are replaced.
        methods: names in `METHODS`. One that cannot serve the generator is noted as such.
        seeds: of the discoveries.
        evaluation: of the scores, by default without the reconstructor. Its seed is one for all.
        reader: what reads factors off the images; None takes the generator's own.
        folder: keeps each run's directions and scores, and what an interrupted run needs.
        resume: take runs from the folder that are there already.
    Raises:
        GanwalkError: an unknown method, no method or seed, settings that do not fit the generator, or a run in the
            folder that was made with other settings.
    """
    for name in methods:
        method_of(name)
    if not methods or len(set(methods)) < len(methods):
        raise GanwalkError(f"methods must be different ones of {', '.join(METHODS)}")
    if not seeds:
        raise GanwalkError("a comparison needs at least one seed")
    evaluation = evaluation or EvaluationSettings(reconstructor=False)
    settings.resolve(generator)
    if folder is not None and not resume:
        # What an earlier comparison left would be in the way of --resume.
        for method in methods:
            for seed in seeds:
                for name in ("run.json", "checkpoint.pt", "directions.safetensors"):
                    (_place(folder, method, seed) / name).unlink(missing_ok=True)
    runs: list[Run] = []
    factors: tuple[str, ...] = ()
    total = len(methods) * len(seeds)
    for method in methods:
        for seed in seeds:
            share = len(runs) / total
            label = f"{method}, seed {seed}"

            def inner(part: float, share: float = share, label: str = label) -> None:
                if on_progress is not None:
                    on_progress(label, share + part / total)

            inner(0.0)
            chosen = replace(settings, method=method, seed=seed)
            place = None if folder is None else _place(folder, method, seed)
            run, names = _run(
                generator,
                chosen,
                evaluation,
                reader,
                place,
                resume=resume,
                threads=threads,
                on_part=inner,
            )
            runs.append(run)
            factors = factors or names
    if on_progress is not None:
        on_progress("done", 1.0)
    identity = generator.identity
    return Comparison(identity.reference, settings.n_directions, factors, tuple(runs), command)


def _place(folder: Path, method: str, seed: int) -> Path:
    return folder / f"{method}-{seed}"


def _run(
    generator: Generator,
    settings: DiscoverySettings,
    evaluation: EvaluationSettings,
    reader: FactorReader | None,
    place: Path | None,
    *,
    resume: bool,
    threads: int | None,
    on_part: Callable[[float], None],
) -> tuple[Run, tuple[str, ...]]:
    """One run and the names of the factors, from the folder where it is finished."""
    checkpoint = None
    facts = _facts(generator, settings, evaluation, reader)
    if place is not None:
        checkpoint = place / "checkpoint.pt"
        if resume and (place / "run.json").exists():
            return _stored(place / "run.json", facts)

    if place is not None and METHODS[settings.method].find is None:
        place.mkdir(parents=True, exist_ok=True)

    def on_step(progress: Progress) -> None:
        on_part(0.9 * progress.step / max(1, settings.steps))

    started = time.perf_counter()
    try:
        result = run_discovery(
            generator,
            settings,
            threads=threads,
            checkpoint=checkpoint,
            resume=resume and checkpoint is not None and checkpoint.exists(),
            on_step=on_step,
            compared=(),
        )
    except GanwalkError as error:
        if METHODS[settings.method].find is None:
            raise
        return Run(settings.method, settings.seed, 0.0, {}, refusal=str(error)), ()
    seconds = time.perf_counter() - started
    if result.history and result.steps_done < settings.steps:
        raise KeyboardInterrupt
    scored = evaluate(generator, result.directions, reader=reader, threads=threads, **asdict(evaluation))
    effects = scored.effects
    matrix = None if effects is None else [[round(value, 5) for value in row] for row in effects.matrix.tolist()]
    run = Run(settings.method, settings.seed, round(seconds, 3), scored.summary(), matrix)
    names = () if effects is None else tuple(effects.factors)
    if place is not None:
        place.mkdir(parents=True, exist_ok=True)
        result.directions.save(place / "directions.safetensors")
        write_json(place / "run.json", {"facts": facts, "factors": names, "run": asdict(run)})
        (place / "checkpoint.pt").unlink(missing_ok=True)
    return run, names


def _facts(
    generator: Generator, settings: DiscoverySettings, evaluation: EvaluationSettings, reader: FactorReader | None
) -> str:
    """What must agree between a stored run and the one that is wanted, as JSON."""
    identity = generator.identity
    facts = {
        "generator": identity.sha256 + identity.interface,
        "settings": asdict(settings),
        "evaluation": asdict(evaluation),
        "reader": None if reader is None else reader.identity,
    }
    return json.dumps(facts, sort_keys=True)


def _stored(path: Path, facts: str) -> tuple[Run, tuple[str, ...]]:
    """A finished run of the folder; GanwalkError if it is another one's, or damaged."""
    try:
        stored = json.loads(path.read_text())
        run, names, other = Run(**stored["run"]), tuple(stored["factors"]), stored["facts"]
    except (ValueError, TypeError, KeyError) as error:
        raise GanwalkError(f"{path} is damaged: remove its folder, or run without --resume") from error
    if other != facts:
        raise GanwalkError(f"{path} was made with other settings: resume with them, or run without --resume")
    return run, names
