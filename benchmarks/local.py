"""What the constants of `--method local` and the rule of `--method auto` rest on.

    python benchmarks/local.py constants               # one constant at a time, on scenes and two other networks
    python benchmarks/local.py choice                  # the rule on directions that field.py has found (its --work)
    python benchmarks/local.py table                   # the tables of what has been run
    python benchmarks/local.py constants --quick       # seconds: one network, few latents, into a scratch folder

Writes into benchmarks/results/local/, and continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
from torch import Tensor

from benchmarks.directions import as_markdown
from benchmarks.field import load_named
from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.discovery.held_scores import shape_change
from ganwalk.discovery.local import measure, rotate_apart, search, search_basis
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.evaluation.axes import axis_scores, has_axes
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import factor_reader
from ganwalk.files import write_json
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss

_RESULTS = Path(__file__).resolve().parent / "results" / "local"
_NETWORKS = ("scenes", "scenes-1", "sprites")
_SEEDS = (11, 12)
_SAMPLES = 100
# What is changed, one at a time; "places" chooses among the sets of features, early and late.
CONSTANTS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "whitening 0.5": {"whitening": 0.5},
    "whitening 0.6": {"whitening": 0.6},
    "whitening 0.9": {"whitening": 0.9},
    "10 candidates": {"candidates": 10},
    "16 candidates": {"candidates": 16},
    "24 candidates": {"candidates": 24},
    "not refined": {"refined": False},
    "early features alone": {"places": slice(0, 1)},
    "late features alone": {"places": slice(-1, None)},
}


def score(generator: Generator, reader: Any, subspace: Subspace, vectors: Tensor, samples: int) -> float:
    """The overall effect score of unit vectors in w."""
    directions = Directions(
        vectors.float(),
        subspace.scales(vectors).float(),
        subspace.space,
        generator.identity,
        method="local",
        oblique=True,
    )
    return effect_scores(generator, directions, reader, samples=samples).overall


def study_constants(results: Path, networks: tuple[str, ...], seeds: tuple[int, ...], samples: int) -> None:
    """Overall effect scores with one constant changed; derivatives are measured once for each seed."""
    path = results / "constants.json"
    rows: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    settings = DiscoverySettings(n_directions=10)
    for seed in seeds:
        for name in networks:
            generator, reader = load_named(name, "cpu")
            reader = reader or factor_reader(generator)
            missing = [change for change in CONSTANTS if f"{change}/{name}/{seed}" not in rows]
            if not missing:
                continue
            view, n = settings.resolve(generator).view(), settings.n_directions
            began = time.perf_counter()
            subspace = search_basis(generator, view, n, seed)
            places = measure(generator, view, subspace, seed)
            spreads = subspace.scales(subspace.components)
            print(f"{name} {seed}: derivatives in {time.perf_counter() - began:.0f} s", flush=True)
            for change in missing:
                options = dict(CONSTANTS[change])
                used = places[options.pop("places", slice(None))]
                found = rotate_apart(used, spreads, n, seed, **options) @ subspace.components
                vectors = found / found.norm(dim=1, keepdim=True)
                overall = score(generator, reader, subspace, vectors, samples)
                rows[f"{change}/{name}/{seed}"] = {"overall": round(overall, 5)}
                print(f"{change}/{name}/{seed}: {overall:.3f}", flush=True)
                results.mkdir(parents=True, exist_ok=True)
                write_json(path, rows)


def study_choice(results: Path, work: Path) -> None:
    """RTD at one standard deviation weighted by image change, and the real score, of rtd's and local's directions."""
    rows: dict[str, Any] = {}
    for folder in sorted(work.iterdir()):
        if not any(folder.glob("local-*")):
            continue
        generator, reader = load_named(folder.name, "cpu")
        for found in sorted(folder.glob("local-*")):
            seed = int(found.name.split("-")[-1])
            row = {}
            for method in ("rtd", "local"):
                file = folder / f"{method}-{seed}" / DIRECTIONS_FILE
                if file.exists():
                    directions = Directions.load(file)
                    row[method] = _weighed(generator, directions, reader, seed)
            if len(row) == 2:
                rows[f"{folder.name}/{seed}"] = row
                print(f"{folder.name}/{seed}: {row}", flush=True)
    results.mkdir(parents=True, exist_ok=True)
    write_json(results / "choice.json", rows)


def _weighed(generator: Generator, directions: Directions, reader: Any, seed: int) -> dict[str, float]:
    """What the rule sees of directions, and what it does not."""
    settings = DiscoverySettings(n_directions=len(directions), seed=seed).resolve(generator)
    change = shape_change(generator, settings, RTDLoss(), directions.vectors, directions.scales)
    if has_axes(generator, directions):
        real = axis_scores(generator, directions).mean_cosine
    else:
        real = effect_scores(generator, directions, reader or factor_reader(generator), samples=_SAMPLES).overall
    return {"shape_change": round(change, 4), "score": round(real, 4)}


def print_tables(results: Path) -> None:
    """What has been run, as Markdown."""
    path = results / "constants.json"
    if path.exists():
        table: dict[str, dict[str, dict[int, float]]] = {}
        for key, row in json.loads(path.read_text()).items():
            change, name, seed = key.split("/")
            table.setdefault(change, {}).setdefault(name, {})[int(seed)] = row["overall"]
        print(as_markdown(table, "overall"))
    path = results / "choice.json"
    if path.exists():
        print("\n| generator/seed | change of shape: rtd | local | score: rtd | local | the rule takes | right |")
        print("|---" * 7 + "|")
        for key, row in json.loads(path.read_text()).items():
            taken = min(row, key=lambda method: row[method]["shape_change"])
            right = row[taken]["score"] == max(found["score"] for found in row.values())
            cells = [f"{row[method][what]:.3f}" for what in ("shape_change", "score") for method in ("rtd", "local")]
            print(f"| {key} | {' | '.join(cells)} | {taken} | {'yes' if right else 'no'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["constants", "choice", "table"])
    parser.add_argument("--work", type=Path, default=Path("runs/field"), help="folder of field.py's runs")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.quick:
        with mock.patch.multiple(search, BASIS=8, SAMPLES=2):
            study_constants(Path(tempfile.mkdtemp()), ("sprites",), (11,), 4)
    elif arguments.part == "constants":
        study_constants(_RESULTS, _NETWORKS, _SEEDS, _SAMPLES)
    elif arguments.part == "choice":
        study_choice(_RESULTS, arguments.work)
    else:
        print_tables(_RESULTS)


if __name__ == "__main__":
    main()
