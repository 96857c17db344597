"""The table that papers of this field print: every method against every other, on generators whose factors are known.

    python benchmarks/field.py --quick                 # a minute or two: everything small, into a scratch folder
    python benchmarks/field.py scenes --jobs 2         # methods on scenes: five seeds, three of what is slow
    python benchmarks/field.py blobs --jobs 2          # methods on the variants of blobs
    python benchmarks/field.py networks --jobs 2       # ours and closed forms on networks that no setting was chosen on
    python benchmarks/field.py representation          # codes of an encoder along the directions of scenes, one seed

Writes into benchmarks/results/field/, keeps every run in --work, and continues where it stopped. Seeds are held: 11 to
15; settings were chosen on others.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.directions import show, told_of_shares
from benchmarks.networks import load_network
from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.evaluation.comparison import Comparison, compare
from ganwalk.evaluation.comparison_outputs import as_table, write_comparison
from ganwalk.evaluation.run import run_evaluation
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.files import write_json
from ganwalk.generators.blobs import VARIANTS, BlobsConfig
from ganwalk.generators.loading import load_generator, make_blobs
from ganwalk.ledger import Placement

_RESULTS = Path(__file__).resolve().parent / "results" / "field"
_PARTS = ["scenes", "blobs", "networks", "representation"]
_MINUTES = ("rtd", "local", "auto", "jacobian", "pca", "sefa", "random", "interfacegan")
_SLOW = ("latent-deformator", "latentclr", "disco", "orojar", "hessian")
_NETWORKS = ("scenes-1", "sprites")
_ON_NETWORKS = ("rtd", "local", "auto", "jacobian", "pca", "random", "interfacegan")
_ENCODED = ("local", "rtd", "pca", "random", "interfacegan", "jacobian", "latent-deformator", "sefa")


_SETTINGS = DiscoverySettings(n_directions=10)
_EVALUATION = EvaluationSettings(reconstructor=False, seed=2**40)
# A third of the encoder's default training, and the smaller settings of the metrics: ranks, not records.
_ENCODING = replace(
    _EVALUATION, representation=True, metrics="quick", encoder_pairs=4800, encoder_steps=700, samples=16
)


@dataclass(frozen=True)
class Scope:
    """How much is run, and where.

    Attributes:
        seeds: of methods that take minutes; the slow ones get the first three.
        settings: of the discoveries but for method and seed.
        representation: of the encoders and their scores.
        minutes, slow, encoded: methods.
    """

    work: Path
    results: Path
    where: Placement
    threads: int | None
    device: str = "cpu"
    seeds: tuple[int, ...] = (11, 12, 13, 14, 15)
    settings: DiscoverySettings = _SETTINGS
    evaluation: EvaluationSettings = _EVALUATION
    representation: EvaluationSettings = _ENCODING
    minutes: tuple[str, ...] = _MINUTES
    slow: tuple[str, ...] = _SLOW
    encoded: tuple[str, ...] = _ENCODED
    variants: tuple[str, ...] = VARIANTS
    networks: tuple[str, ...] = _NETWORKS
    on_networks: tuple[str, ...] = _ON_NETWORKS

    @property
    def few(self) -> tuple[int, ...]:
        return self.seeds[:3]


def load_named(name: str, device: str) -> tuple[Any, Any]:
    """A generator of the study, and what reads its factors where it is not the generator's own."""
    if name == "scenes":
        return load_generator(name, device), None
    if name.startswith("blobs-"):
        _, variant, seed = name.split("-")
        return make_blobs(BlobsConfig(variant=variant, seed=int(seed))).to(device), None
    return load_network(name, device)


def study(name: str, groups: Sequence[tuple[Sequence[str], Sequence[int]]], scope: Scope) -> Comparison | None:
    """Groups of methods, each with its seeds, on one generator; None if other shares have to be run."""
    load: Callable[[], Any] = functools.partial(load_named, name, scope.device)
    generator, reader = load()
    settings = scope.settings.fitting(generator)
    parts = []
    for methods, seeds in groups:
        with told_of_shares():
            parts.append(
                compare(
                    generator,
                    settings,
                    methods,
                    seeds,
                    evaluation=scope.evaluation,
                    reader=reader,
                    folder=scope.work / name,
                    resume=True,
                    threads=scope.threads,
                    command=f"python benchmarks/field.py {name.split('-')[0]}",
                    on_progress=show,
                    where=scope.where,
                    load=load,
                )
            )
    if len(parts) < len(groups):
        return None
    runs = sorted({(run.method, run.seed): run for part in parts for run in part.runs}.items())
    return replace(parts[-1], runs=tuple(run for _, run in runs))


def study_scenes(scope: Scope) -> None:
    """Every method on scenes."""
    groups = [([*scope.minutes, *scope.slow], scope.few), (scope.minutes, scope.seeds)]
    written(study("scenes", groups, scope), scope.results / "scenes")


def study_blobs(scope: Scope) -> None:
    """Every method that serves them on the variants of blobs; the seed of a run also hides the axes.

    The slow ones get the first seed.
    """
    for variant in scope.variants:
        parts = []
        for seed in scope.few:
            one = replace(scope, settings=replace(scope.settings, n_directions=6))
            methods = [name for name in scope.minutes if name != "sefa"]
            if seed == scope.seeds[0]:
                methods += scope.slow
            parts.append(study(f"blobs-{variant}-{seed}", [(methods, [seed])], one))
        done = [part for part in parts if part is not None]
        if len(done) == len(parts):
            runs = tuple(run for part in done for run in part.runs)
            written(replace(done[0], generator=f"blobs-{variant}", runs=runs), scope.results / f"blobs-{variant}")


def study_networks(scope: Scope) -> None:
    """Ours and closed forms where nothing was chosen."""
    for name in scope.networks:
        written(study(name, [(scope.on_networks, scope.few)], scope), scope.results / name)


def study_representation(scope: Scope) -> None:
    """An encoder for the directions of each method on scenes, of the first seed, and the scores of its codes."""
    generator, _ = load_named("scenes", scope.device)
    path = scope.results / "representation.json"
    rows: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    for method in scope.encoded:
        file = scope.work / "scenes" / f"{method}-{scope.seeds[0]}" / DIRECTIONS_FILE
        if method in rows or not file.exists():
            continue
        began = time.perf_counter()
        found = run_evaluation(generator, Directions.load(file), scope.representation, threads=scope.threads)
        assert found.representation is not None
        rows[method] = {
            **{key: round(value, 4) for key, value in found.representation.summary().items()},
            "seconds": round(time.perf_counter() - began, 1),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, rows)
        print(f"\n{method}: {rows[method]}", flush=True)


def written(found: Comparison | None, folder: Path) -> None:
    """Writes a comparison that is whole."""
    if found is not None:
        write_comparison(found, folder)
        print(f"\n{as_table(found)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=_PARTS, help="what to run [default: all]")
    parser.add_argument("--work", type=Path, default=Path("runs/field"), help="folder of the runs")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu", help="torch device")
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    scope = Scope(arguments.work, _RESULTS, Placement(processes=arguments.jobs), arguments.threads, arguments.device)
    if arguments.quick:
        scratch = Path(tempfile.mkdtemp())
        scope = replace(
            scope,
            work=scratch / "work",
            results=scratch,
            seeds=(11, 12, 13),
            settings=DiscoverySettings(n_directions=3, search="direct", steps=1, batch=8, scored=8),
            evaluation=replace(scope.evaluation, samples=8),
            representation=replace(scope.representation, samples=8, encoder_pairs=40, encoder_steps=2),
            minutes=("jacobian", "random"),
            slow=("disco",),
            encoded=("random",),
            variants=("curved",),
            networks=("sprites",),
            on_networks=("random",),
        )
    parts = {
        "scenes": study_scenes,
        "blobs": study_blobs,
        "networks": study_networks,
        "representation": study_representation,
    }
    for name, run in parts.items():
        if arguments.part in (None, name):
            run(scope)


if __name__ == "__main__":
    main()
