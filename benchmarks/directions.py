"""The study of directions: methods on generators whose factors are known, and what makes RTD discovery reliable.

    python benchmarks/directions.py --quick               # minutes: runs everything small, writes into a scratch folder
    python benchmarks/directions.py blobs                 # methods on the five variants of blobs
    python benchmarks/directions.py ablations             # one setting of RTD at a time, on blobs
    python benchmarks/directions.py scenes                # methods on scenes
    python benchmarks/directions.py scenes-settings       # settings of RTD on scenes, two seeds
    python benchmarks/directions.py figures               # tables and figures of what has been run

Each part writes into benchmarks/results/directions/, and continues where it stopped; --jobs N runs several at once,
--shard I/N a share of them. Seeds are held: 11 to 15 (of the run, and of the rotation that hides the axes of blobs);
settings were chosen on seeds 1 to 8.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from matplotlib.figure import Figure

from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.axes import axis_scores
from ganwalk.evaluation.comparison import compare
from ganwalk.evaluation.comparison_outputs import write_comparison
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import factor_reader
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.files import write_json
from ganwalk.generators.blobs import VARIANTS, BlobsConfig
from ganwalk.generators.loading import load_generator, make_blobs
from ganwalk.ledger import Job, Ledger, Placement, SharesMissing, Turn, run_jobs
from ganwalk.ledger.placement import parse_shard
from ganwalk.options import completed
from ganwalk.standings import how_sure, standing
from ganwalk.statistics import summarise

# Values by row, column and seed.
Table = dict[str, dict[str, dict[int, float]]]

_PARTS = ["blobs", "ablations", "scenes", "scenes-settings", "figures"]
_RESULTS = Path(__file__).resolve().parent / "results" / "directions"
_BLOBS_METHODS = ("rtd", "jacobian", "pca", "hessian", "random")
# The study is of the search on the generator itself; benchmarks/students.py has that on students.
_DEFAULTS = DiscoverySettings(n_directions=6, search="direct").of_method()


# The same on scenes, where a run takes minutes.
SCENES_SETTINGS: dict[str, dict[str, Any]] = {
    "features of 16 px": {"layer": 4},
    "random start": {"start": "random"},
    "6 directions": {"n_directions": 6},
    "shifts not equalised": {"equalize": False},
}


@dataclass(frozen=True)
class Scope:
    """How much is run."""

    variants: tuple[str, ...] = VARIANTS
    ablated: tuple[str, ...] = ("independent", "curved", "correlated")
    seeds: tuple[int, ...] = (11, 12, 13, 14, 15)
    steps: int = _DEFAULTS.steps
    directions: int = 10
    methods: tuple[str, ...] = ("pca", "random", "sefa", "jacobian", "rtd", "hessian")
    scenes_settings: tuple[str, ...] = tuple(SCENES_SETTINGS)
    samples: int | None = None
    batch: int = _DEFAULTS.batch
    ablations: tuple[str, ...] | None = None


_WHOLE = Scope()
_QUICK = Scope(
    variants=("curved", "dead"),
    ablated=("correlated",),
    seeds=(11,),
    steps=1,
    directions=3,
    methods=("pca", "rtd"),
    scenes_settings=("features of 16 px",),
    samples=8,
    batch=8,
    ablations=("random start", "batch 32"),
)
# What is changed, one at a time, from the defaults of `discover`.
ABLATIONS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "random start": {"start": "random"},
    "random start, no ramp": {"start": "random", "ramp": 1.0},
    "no ramp": {"ramp": 1.0},
    "shifts not equalised": {"equalize": False},
    "amplitude 1": {"amplitude": 1.0},
    "amplitude 3": {"amplitude": 3.0},
    "min terms only": {"minimax": False},
    "both signs, half the directions": {"both_signs": True, "directions_per_step": 2},
    "1 direction a step": {"directions_per_step": 1},
    "6 directions a step": {"directions_per_step": 6},
    "batch 32": {"batch": 32},
    "batch 128": {"batch": 128},
    "100 steps": {"steps": 100},
    "learning rate 0.02": {"lr": 0.02},
    "learning rate 0.1": {"lr": 0.1},
}


# What the settings of a row that names none were, beside what its key says: those of version 0.1.0.
_UNNAMED: dict[str, Any] = {
    "n_directions": 6,
    "method": "rtd",
    "space": None,
    "subspace_dim": None,
    "layers": None,
    "layer": None,
    "amplitude": 2.0,
    "ramp": 0.5,
    "equalize": True,
    "start": "jacobian",
    "steps": 200,
    "batch": 64,
    "directions_per_step": 4,
    "both_signs": False,
    "minimax": True,
    "lr": 0.05,
    "truncation_psi": 1.0,
    "class_index": None,
    "chunk": None,
    "evaluate_every": 50,
}


@dataclass(frozen=True)
class Running:
    """How jobs are run: the folder of their ledgers, where, and the threads of each process."""

    work: Path
    where: Placement
    threads: int | None


def run_blobs(config: BlobsConfig, settings: DiscoverySettings, turn: Turn) -> dict[str, Any]:
    """One discovery on blobs with the given seed, of the run and of the hidden rotation: |cosine|, MCC, seconds."""
    generator = make_blobs(config)
    started = time.perf_counter()
    result = run_discovery(generator, settings, threads=turn.threads)
    if result.ended:
        # A basis as it stood is no row.
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    scores = axis_scores(generator, result.directions)
    cosines = {name: round(float(scores.cosines[:, k].max()), 5) for k, name in enumerate(scores.axes)}
    return {
        "mean_cosine": round(scores.mean_cosine, 5),
        "mcc": round(scores.mcc, 5),
        "seconds": round(seconds, 2),
        "cosine_by_axis": cosines,
    }


def blobs_job(key: str, variant: str, settings: DiscoverySettings) -> Job:
    """The job whose row has this key."""
    config = BlobsConfig(variant=variant, seed=settings.seed)
    return Job(folder_name(key), _blobs_facts(config, asdict(settings)), functools.partial(run_blobs, config, settings))


def _blobs_facts(config: BlobsConfig, settings: dict[str, Any]) -> dict[str, Any]:
    return {"generator": asdict(config), "settings": settings}


def unnamed_facts(key: str) -> dict[str, Any]:
    """Facts of a row without any: its key is variant/method/seed, or the ablation/variant/seed."""
    first, second, seed = key.split("/")
    variant, change = (second, ABLATIONS[first]) if first in ABLATIONS else (first, {"method": second})
    config = BlobsConfig(variant=variant, seed=int(seed))
    return _blobs_facts(config, {**_UNNAMED, **change, "seed": int(seed)})


def as_today(document: dict[str, Any]) -> dict[str, Any]:
    """A stored row whose settings are complete: options that came later mean what their absence meant."""
    facts = document["facts"]
    return {**document, "facts": {**facts, "settings": completed(DiscoverySettings, facts["settings"])}}


def folder_name(key: str) -> str:
    """The name of a row's job."""
    return key.replace("/", "-").replace(", ", "-").replace(" ", "-")


def fill(path: Path, jobs: dict[str, Job], running: Running, load: Callable[[], Any] | None = None) -> None:
    """Runs the jobs (by key) that have no row in the file and no result in the ledger, and adds their rows."""
    rows: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    ledger = Ledger(running.work / path.stem, upgrade=as_today)
    for key, job in jobs.items():
        if key in rows:
            facts = rows[key].get("facts") or unnamed_facts(key)
            ledger.adopt(job, facts, rows[key], f"{key} in {path}")
    results = run_jobs(
        ledger,
        list(jobs.values()),
        where=running.where,
        resume=True,
        loaded=None if load is None else load(),
        load=load,
        threads=running.threads,
        on_progress=show,
    )
    new = {key: {**result, "facts": jobs[key].facts} for key, result in zip(jobs, results, strict=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, {**new, **rows})


def show(what: str, share: float) -> None:
    """Progress."""
    print(f"\r{what}: {100 * share:.0f} %   ", end="", file=sys.stderr)


def study_blobs(results: Path, variants: Sequence[str], seeds: Sequence[int], steps: int, running: Running) -> None:
    jobs = {}
    for variant in variants:
        for method in _BLOBS_METHODS:
            for seed in seeds:
                key = f"{variant}/{method}/{seed}"
                jobs[key] = blobs_job(key, variant, replace(_DEFAULTS, method=method, steps=steps, seed=seed))
    fill(results / "blobs.json", jobs, running)


def study_ablations(
    results: Path,
    variants: Sequence[str],
    seeds: Sequence[int],
    steps: int,
    running: Running,
    names: Sequence[str] | None = None,
) -> None:
    """The named settings, or all of them."""
    jobs = {}
    for name in names or ABLATIONS:
        change = ABLATIONS[name]
        for variant in variants:
            for seed in seeds:
                key = f"{name}/{variant}/{seed}"
                jobs[key] = blobs_job(key, variant, replace(_DEFAULTS, **{"steps": steps, "seed": seed, **change}))
    fill(results / "ablations.json", jobs, running)


def study_scenes(results: Path, scope: Scope, methods: Sequence[str], running: Running) -> None:
    """Methods on scenes; every run is kept, so that methods can be run apart and put together afterwards.

    The Hessian penalty, the slowest, gets one seed.
    """
    generator, _ = load_scenes()
    parts = []
    for method in methods:
        with told_of_shares():
            part = compare(
                generator,
                DiscoverySettings(n_directions=scope.directions, steps=scope.steps, batch=scope.batch, search="direct"),
                [method],
                scope.seeds[:1] if method == "hessian" else scope.seeds,
                evaluation=EvaluationSettings(samples=scope.samples, reconstructor=False),
                folder=running.work / "scenes",
                resume=True,
                threads=running.threads,
                command="python benchmarks/directions.py scenes",
                on_progress=show,
                where=running.where,
                load=load_scenes,
            )
            parts.append(part)
    if {run.method for part in parts for run in part.runs} == set(scope.methods):
        runs = tuple(run for part in parts for run in part.runs)
        write_comparison(replace(parts[-1], runs=runs), results / "scenes")


def load_scenes() -> tuple[Any, None]:
    """What runs on scenes share; the generator has a reader of its own."""
    return load_generator("scenes"), None


def run_scenes(settings: DiscoverySettings, samples: int, turn: Turn) -> dict[str, Any]:
    """One discovery on scenes, scored by the effect matrix."""
    generator, _ = turn.loaded
    reader = factor_reader(generator)
    assert reader is not None
    started = time.perf_counter()
    result = run_discovery(generator, settings, threads=turn.threads)
    if result.ended:
        # A basis as it stood is no row.
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    scores = effect_scores(generator, result.directions, reader, samples=samples)
    values = {key: getattr(scores, key) for key in ("overall", "disentanglement", "completeness", "gap")}
    return {**{key: round(value, 5) for key, value in values.items()}, "seconds": round(seconds, 1)}


def study_scenes_settings(results: Path, scope: Scope, running: Running) -> None:
    """Settings of RTD on scenes; the defaults are in the comparison of methods."""
    sha256 = load_scenes()[0].identity.sha256
    samples = scope.samples or 100
    jobs = {}
    for name in scope.scenes_settings:
        for seed in scope.seeds[:2]:
            base = DiscoverySettings(
                n_directions=scope.directions, steps=scope.steps, batch=scope.batch, search="direct", seed=seed
            ).of_method()
            settings = replace(base, **SCENES_SETTINGS[name])
            facts = {"generator": sha256, "settings": asdict(settings), "samples": samples}
            key = f"{name}/scenes/{seed}"
            jobs[key] = Job(folder_name(key), facts, functools.partial(run_scenes, settings, samples))
    fill(results / "scenes-settings.json", jobs, running, load_scenes)


@contextlib.contextmanager
def told_of_shares() -> Iterator[None]:
    """Says which share is to be run next, where this one is done and others are not."""
    try:
        yield
    except SharesMissing as missing:
        print(f"\n{missing}")


def table(done: dict[str, Any], score: str = "mean_cosine") -> Table:
    """Scores by the parts of the keys: first, second, and seed."""
    rows: Table = {}
    for key, run in done.items():
        first, second, seed = key.split("/")
        rows.setdefault(first, {}).setdefault(second, {})[int(seed)] = run[score]
    return rows


def firsts(rows: Table) -> str:
    """A line for each row: which column is first, and how sure that is over the seeds that columns share."""
    found = {name: standing(cells) for name, cells in rows.items()}
    return "\n".join(f"- {name}: {one.first} is first, {how_sure(one)}" for name, one in found.items() if one)


def as_markdown(rows: Table, corner: str, smallest: bool = False) -> str:
    """Mean ± standard deviation (or the smallest value) of each cell; columns as in the first row."""
    columns = list(next(iter(rows.values())))
    lines = [f"| {corner} | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, cells in rows.items():
        texts = []
        for column in columns:
            values = list(cells.get(column, {}).values())
            found = summarise(values)
            if found is None:
                texts.append("–")
            elif smallest:
                texts.append(f"{min(values):.4f}")
            else:
                texts.append(f"{found.mean:.4f} ± {found.std:.4f}")
        lines.append(f"| {name} | " + " | ".join(texts) + " |")
    return "\n".join(lines)


def draw(rows: Table, path: Path, groups: Sequence[str], title: str) -> None:
    """Dots of 1 - |cosine|, one panel per group, on a logarithmic axis: further left is better."""
    names = list(next(iter(rows.values()))) if groups and groups[0] in rows else list(rows)
    figure = Figure(figsize=(2.6 * len(groups) + 1.6, 0.9 + 0.3 * len(names)), layout="constrained")
    panels: Any = figure.subplots(1, len(groups), sharey=True, squeeze=False)[0]
    for panel, group in zip(panels, groups, strict=True):
        for row, name in enumerate(names):
            values = rows[group].get(name, {}) if group in rows else rows[name].get(group, {})
            colour = "#1f4e9c" if name in ("rtd", "defaults") else "#5b5b5b"
            errors = [max(1 - value, 1e-5) for value in values.values()]
            panel.plot(errors, [row] * len(errors), "o", ms=4, color=colour, alpha=0.75)
        panel.set_xscale("log")
        panel.set_xlim(1e-5, 1)
        panel.axvline(0.02, color="#c2571a", lw=0.8, ls="--")
        panel.set_title(group, fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(axis="x", alpha=0.2)
    panels[0].set_yticks(range(len(names)), names, fontsize=9)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    figure.supxlabel(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def draw_effects(comparison: dict[str, Any], path: Path) -> None:
    """Effect matrices of each method's first seed: rows are directions by falling effect on the image."""
    first: dict[str, Any] = {}
    for run in comparison["runs"]:
        if run["effects"] is not None:
            first.setdefault(run["method"], run)
    order = sorted(first, key=lambda method: -comparison["summary"][method]["overall"]["mean"])
    figure = Figure(figsize=(2.1 * len(order) + 0.6, 3.6), layout="constrained")
    panels: Any = figure.subplots(1, len(order), sharey=True, squeeze=False)[0]
    names = [name.replace("_", " ") for name in comparison["factors"]]
    for panel, method in zip(panels, order, strict=True):
        panel.imshow(first[method]["effects"], cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest")
        panel.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
        panel.set_title(f"{method}: {first[method]['scores']['overall']:.2f}", fontsize=9)
        panel.tick_params(length=0, labelsize=8)
    panels[0].set_ylabel("direction", fontsize=9)
    figure.suptitle("effect of each direction on each factor (σ per σ), and the overall score", fontsize=10)
    figure.savefig(path, dpi=130)


def figures(results: Path, docs: Path) -> None:
    """Tables to standard output, figures into docs/."""
    label = "1 − mean |cosine| with the true axes (dots: seeds; dashed: 0.02; further left is better)"
    if (results / "blobs.json").exists():
        done = json.loads((results / "blobs.json").read_text())
        rows = table(done)
        print(as_markdown(rows, "variant"), "\n\nsmallest of the seeds:\n")
        print(as_markdown(rows, "variant", smallest=True), "\n")
        print(firsts(rows), "\n\nseconds:\n")
        print(as_markdown(table(done, "seconds"), "variant"))
        draw(rows, docs / "study-blobs.png", list(rows), label)
    if (results / "ablations.json").exists():
        rows = table(json.loads((results / "ablations.json").read_text()))
        print("\n" + as_markdown(rows, "setting"), "\n\nsmallest of the seeds:\n")
        print(as_markdown(rows, "setting", smallest=True))
        draw(rows, docs / "study-ablations.png", list(next(iter(rows.values()))), label)
    if (results / "scenes" / "comparison.json").exists():
        done = json.loads((results / "scenes" / "comparison.json").read_text())
        cells: dict[str, dict[int, float]] = {}
        for run in done["runs"]:
            if run["scores"].get("overall") is not None:
                cells.setdefault(run["method"], {})[run["seed"]] = run["scores"]["overall"]
        print("\n" + firsts({"overall on scenes": cells}))
        draw_effects(done, docs / "study-scenes.png")
    if (results / "scenes-settings.json").exists():
        done = json.loads((results / "scenes-settings.json").read_text())
        columns = ("overall", "disentanglement", "completeness", "gap", "seconds")
        merged = {
            name: {column: table(done, column)[name]["scenes"] for column in columns} for name in table(done, "overall")
        }
        print("\n" + as_markdown(merged, "setting on scenes"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_PARTS)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="few steps and seeds, into a scratch folder")
    parser.add_argument("--work", type=Path, default=Path("runs/directions"), help="folder of runs and scratch results")
    parser.add_argument("--methods", help="only these on scenes, whose report needs all of them")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--shard", metavar="I/N", help="only each N-th run, from the I-th on")
    parser.add_argument("--threads", type=int, help="of each run [default: the cores, shared out]")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    scope = _QUICK if arguments.quick else _WHOLE
    work = arguments.work / "quick" if arguments.quick else arguments.work
    results = work if arguments.quick else _RESULTS
    docs = results if arguments.quick else _RESULTS.parents[2] / "docs"
    parts = arguments.parts or _PARTS
    if not set(parts) <= set(_PARTS):
        parser.error(f"parts are {', '.join(_PARTS)}, not {' '.join(parts)}")
    try:
        shard = None if arguments.shard is None else parse_shard(arguments.shard)
        running = Running(work, Placement(processes=arguments.jobs, shard=shard), arguments.threads)
        methods = arguments.methods.split(",") if arguments.methods else scope.methods
        run_parts(parts, scope, results, methods, running)
    except GanwalkError as error:
        sys.exit(f"\n{error}")
    if "figures" in parts:
        figures(results, docs)


def run_parts(parts: Sequence[str], scope: Scope, results: Path, methods: Sequence[str], running: Running) -> None:
    """Runs what the parts lack."""
    if "blobs" in parts:
        with told_of_shares():
            study_blobs(results, scope.variants, scope.seeds, scope.steps, running)
    if "ablations" in parts:
        with told_of_shares():
            study_ablations(results, scope.ablated, scope.seeds[:2], scope.steps, running, scope.ablations)
    if "scenes" in parts:
        study_scenes(results, scope, methods, running)
    if "scenes-settings" in parts:
        with told_of_shares():
            study_scenes_settings(results, scope, running)


if __name__ == "__main__":
    main()
