"""The study of students: what a search on one finds on generators whose factors are known, and what it costs.

    python benchmarks/students.py --quick                 # minutes: runs everything small, into a scratch folder
    python benchmarks/students.py scenes                  # settings of the student, beside searches on the generator
    python benchmarks/students.py blobs                   # the five variants, by default and on a student
    python benchmarks/students.py figures                 # tables of what has been run

Writes into benchmarks/results/students/, and continues where it stopped; --jobs N runs several at once. Seeds are 11 to
15: of the search, of the fit, and of the images that a student is fitted to, so that their spread includes all three.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.directions import Running, as_markdown, fill, folder_name, load_scenes, table
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.evaluation.axes import axis_scores
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import factor_reader
from ganwalk.generators.blobs import VARIANTS, BlobsConfig
from ganwalk.generators.loading import make_blobs
from ganwalk.generators.timing import Watched
from ganwalk.ledger import Job, Placement, Turn

_PARTS = ["scenes", "blobs", "figures"]
_RESULTS = Path(__file__).resolve().parent / "results" / "students"
_SEEDS = (11, 12, 13, 14, 15)
# What is changed, one at a time, from the defaults of `discover`, and how many of the seeds it gets.
SCENES: dict[str, tuple[dict[str, Any], int]] = {
    "defaults": ({}, 5),
    "no polish": ({"polish": 0}, 5),
    "effort quick": ({"effort": "quick"}, 5),
    "9,216 images": ({"images": 9216}, 2),
    "features of 16 px": ({"layer": 4}, 2),
    "100 steps": ({"steps": 100, "polish": 0}, 5),
    "400 steps": ({"steps": 400, "polish": 0}, 5),
    "random start": ({"start": "random", "polish": 0}, 5),
    "direct, 50 steps of 32 images": ({"search": "direct", "steps": 50, "batch": 32}, 2),
}
_QUICK = ("defaults", "effort quick", "direct, 50 steps of 32 images")
BLOBS: dict[str, dict[str, Any]] = {"defaults": {}, "student": {"search": "student"}}


def run_scenes(settings: DiscoverySettings, samples: int, turn: Turn) -> dict[str, Any]:
    """One discovery on scenes: its scores by the effect matrix, its student, the latents that were synthesised."""
    generator, _ = turn.loaded
    reader = factor_reader(generator)
    assert reader is not None
    made = []
    began, cpu = time.perf_counter(), time.process_time()
    result = run_discovery(Watched(generator, made.append), settings, threads=turn.threads)
    if result.ended:
        # A basis as it stood is no row.
        raise KeyboardInterrupt
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    scores = effect_scores(generator, result.directions, reader, samples=samples)
    row = {name: round(getattr(scores, name), 5) for name in ("overall", "disentanglement", "completeness", "gap")}
    row |= {"latents": sum(made), "seconds": round(seconds, 1), "cpu_seconds": round(cpu, 1)}
    row["held_rtd"] = round(result.bases[0].scores.mean_rtd, 4)
    if result.student is not None:
        row |= {"r2": round(result.student.r2, 4), "images": result.student.images}
    if result.polish is not None:
        row |= {"before": round(result.polish.before, 4), "after": round(result.polish.after, 4)}
    return row


def run_blobs(config: BlobsConfig, settings: DiscoverySettings, turn: Turn) -> dict[str, Any]:
    """One discovery on blobs: mean |cosine| with the true axes."""
    generator = make_blobs(config)
    began = time.perf_counter()
    result = run_discovery(generator, settings, threads=turn.threads)
    if result.ended:
        # A basis as it stood is no row.
        raise KeyboardInterrupt
    row = {"mean_cosine": round(axis_scores(generator, result.directions).mean_cosine, 5)}
    row["seconds"] = round(time.perf_counter() - began, 1)
    if result.student is not None:
        row["r2"] = round(result.student.r2, 4)
    return row


def study_scenes(
    results: Path,
    running: Running,
    base: DiscoverySettings,
    seeds: Sequence[int],
    samples: int,
    names: Sequence[str] = tuple(SCENES),
    most_steps: int | None = None,
) -> None:
    """The named settings on scenes, each with its seeds, of no more steps than `most_steps`."""
    sha256 = load_scenes()[0].identity.sha256
    jobs = {}
    for name in names:
        change, count = SCENES[name]
        for seed in seeds[:count]:
            settings = replace(base, **{"seed": seed, "image_seed": seed, **change})
            if most_steps is not None:
                settings = replace(settings, steps=min(settings.steps, most_steps))
            facts = {"generator": sha256, "settings": asdict(settings), "samples": samples}
            key = f"{name}/scenes/{seed}"
            jobs[key] = Job(folder_name(key), facts, functools.partial(run_scenes, settings, samples))
    fill(results / "scenes.json", jobs, running, load_scenes)


def study_blobs(
    results: Path, running: Running, base: DiscoverySettings, variants: Sequence[str], seeds: Sequence[int]
) -> None:
    """All seeds by default; a student, which the defaults do without here, gets one."""
    jobs = {}
    for name, change in BLOBS.items():
        for variant in variants:
            for seed in seeds if name == "defaults" else seeds[:1]:
                config = BlobsConfig(variant=variant, seed=seed)
                settings = replace(base, **{"n_directions": 6, "seed": seed, **change})
                facts = {"generator": asdict(config), "settings": asdict(settings)}
                key = f"{name}/{variant}/{seed}"
                jobs[key] = Job(folder_name(key), facts, functools.partial(run_blobs, config, settings))
    fill(results / "blobs.json", jobs, running)


def figures(results: Path) -> None:
    """Tables to standard output."""
    if (results / "scenes.json").exists():
        done = json.loads((results / "scenes.json").read_text())
        columns = ("overall", "held_rtd", "r2", "latents", "cpu_seconds")
        # A direct search has no student, and no R² of one.
        tables = {column: table({key: row for key, row in done.items() if column in row}, column) for column in columns}
        merged = {
            name: {column: cells[name]["scenes"] for column, cells in tables.items() if name in cells}
            for name in tables["overall"]
        }
        print(as_markdown(merged, "on scenes"))
        ended = [row for row in done.values() if "before" in row]
        better = sum(row["after"] < row["before"] for row in ended)
        print(f"\npolish lowered the held RTD in {better} of {len(ended)} runs")
    if (results / "blobs.json").exists():
        rows = table(json.loads((results / "blobs.json").read_text()))
        print("\n" + as_markdown(rows, "on blobs", smallest=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(_PARTS)} [default: all]")
    parser.add_argument("--quick", action="store_true", help="few steps and seeds, into a scratch folder")
    parser.add_argument("--work", type=Path, default=Path("runs/students"), help="folder of runs and scratch results")
    parser.add_argument("--jobs", type=int, default=1, help="runs at once")
    parser.add_argument("--only", choices=SCENES, action="append", help="these settings on scenes; may be repeated")
    parser.add_argument("--threads", type=int, help="of each run [default: the cores, shared out]")
    arguments = parser.parse_args()
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    parts = arguments.parts or _PARTS
    if not set(parts) <= set(_PARTS):
        parser.error(f"parts are {', '.join(_PARTS)}, not {' '.join(parts)}")
    work = arguments.work / "quick" if arguments.quick else arguments.work
    results = work if arguments.quick else _RESULTS
    running = Running(work, Placement(processes=arguments.jobs), arguments.threads)
    base, seeds, samples, variants = DiscoverySettings(n_directions=10).of_method(), _SEEDS, 100, tuple(VARIANTS)
    names, most_steps = arguments.only or tuple(SCENES), None
    if arguments.quick:
        base = DiscoverySettings(n_directions=3, images=256, steps=1, polish=1, batch=8, scored=4).of_method()
        seeds, samples, variants = (11,), 8, ("curved",)
        names, most_steps = arguments.only or _QUICK, 2
    if "scenes" in parts:
        study_scenes(results, running, base, seeds, samples, names, most_steps)
    if "blobs" in parts:
        study_blobs(results, running, base, variants, seeds)
    if "figures" in parts:
        figures(results)


if __name__ == "__main__":
    main()
