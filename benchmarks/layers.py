"""Whether directions of layers of their own, or of channel styles, are better than those of all layers in w.

    python benchmarks/layers.py ranges                 # --layers auto against all layers, rtd and local
    python benchmarks/layers.py channels               # local's criterion in S, the space of channel styles
    python benchmarks/layers.py table                  # the tables of what has been run
    python benchmarks/layers.py ranges --quick         # seconds: one network, few latents, into a scratch folder

On `scenes` and two networks of benchmarks/networks.py; `blobs` and networks without w have no layers to choose from.
Writes into benchmarks/results/layers/, and continues where it stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from benchmarks.directions import as_markdown
from benchmarks.field import load_named
from ganwalk.directions import CHANNELS, Directions
from ganwalk.discovery import jacobian
from ganwalk.discovery.local import rotate_apart, search
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace, latent_scales
from ganwalk.discovery.view import View
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import factor_reader
from ganwalk.files import write_json
from ganwalk.generators.channels import space_dim
from ganwalk.layers import AUTO, in_words

_RESULTS = Path(__file__).resolve().parent / "results" / "layers"
_NETWORKS = ("scenes", "scenes-1", "sprites")
_SEEDS = (11, 12)
_SAMPLES = 100
_SETTINGS = DiscoverySettings(n_directions=10)
# Directions of S among which it is searched.
_SEARCHED = 64


def study_ranges(
    results: Path,
    networks: tuple[str, ...],
    seeds: tuple[int, ...],
    settings: DiscoverySettings = _SETTINGS,
    methods: tuple[str, ...] = ("local", "rtd"),
    samples: int = _SAMPLES,
) -> None:
    """Overall effect scores of both choices of layers, and the layers that were taken."""
    rows = _stored(results / "ranges.json")
    for seed in seeds:
        for name in networks:
            generator, reader = load_named(name, "cpu")
            reader = reader or factor_reader(generator)
            for method in methods:
                for label, layers in (("all layers", None), ("auto", AUTO)):
                    key = f"{method}, {label}/{name}/{seed}"
                    if key in rows:
                        continue
                    began = time.perf_counter()
                    own = replace(settings, method=method, layers=layers, seed=seed)
                    found = run_discovery(generator, own, threads=1).directions
                    overall = effect_scores(generator, found, reader, samples=samples).overall
                    taken = [in_words(found.layers_of(index)) for index in range(len(found))]
                    seconds = round(time.perf_counter() - began)
                    rows[key] = {"overall": round(overall, 5), "layers": taken, "seconds": seconds}
                    _keep(results / "ranges.json", rows, key)


def study_channels(results: Path, networks: tuple[str, ...], seeds: tuple[int, ...], samples: int = _SAMPLES) -> None:
    """Overall effect scores of local's criterion in S, with and without its last step."""
    rows = _stored(results / "channels.json")
    for seed in seeds:
        for name in networks:
            generator, reader = load_named(name, "cpu")
            reader = reader or factor_reader(generator)
            missing = [label for label in ("refined", "not refined") if f"s, {label}/{name}/{seed}" not in rows]
            if not missing:
                continue
            view = replace(_SETTINGS.resolve(generator).view(), space=CHANNELS)
            subspace = _channel_space(generator, view, seed)
            places = search.measure(generator, view, subspace, seed)
            spreads = subspace.scales(subspace.components)
            for label in missing:
                found = rotate_apart(places, spreads, _SETTINGS.n_directions, seed, refined=label == "refined")
                vectors = found @ subspace.components
                vectors = vectors / vectors.norm(dim=1, keepdim=True)
                directions = Directions(
                    vectors.float(),
                    latent_scales(generator, CHANNELS, vectors),
                    CHANNELS,
                    generator.identity,
                    method="local",
                    oblique=True,
                    channels=generator.style_channels,
                )
                overall = effect_scores(generator, directions, reader, samples=samples).overall
                rows[f"s, {label}/{name}/{seed}"] = {"overall": round(overall, 5)}
                _keep(results / "channels.json", rows, f"s, {label}/{name}/{seed}")


def _channel_space(generator: Any, view: View, seed: int) -> Subspace:
    """The directions of S that change the image most, of channels that each vary by themselves as much as they do."""
    spreads = latent_scales(generator, CHANNELS, torch.eye(space_dim(generator, CHANNELS))).double()
    components = jacobian.find_directions(generator, view, _SEARCHED, seed=seed)
    return Subspace(CHANNELS, components, spreads.square().diag(), 1.0)


def _stored(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def _keep(path: Path, rows: dict[str, Any], key: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, rows)
    print(f"{key}: {rows[key]}", flush=True)


def print_tables(results: Path) -> None:
    """What has been run, as Markdown."""
    for name in ("ranges", "channels"):
        table: dict[str, dict[str, dict[int, float]]] = {}
        for key, row in _stored(results / f"{name}.json").items():
            what, network, seed = key.split("/")
            table.setdefault(what, {}).setdefault(network, {})[int(seed)] = row["overall"]
        if table:
            print(as_markdown(table, "overall"), "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["ranges", "channels", "table"])
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.quick:
        scratch, settings = (
            Path(tempfile.mkdtemp()),
            replace(_SETTINGS, n_directions=3, batch=8, steps=2, search="direct"),
        )
        with mock.patch.multiple(search, BASIS=8, SAMPLES=2):
            if arguments.part == "ranges":
                study_ranges(scratch, ("sprites",), (11,), settings, ("pca",), samples=4)
            else:
                study_channels(scratch, ("sprites",), (11,), samples=4)
    elif arguments.part == "ranges":
        study_ranges(_RESULTS, _NETWORKS, _SEEDS)
    elif arguments.part == "channels":
        study_channels(_RESULTS, _NETWORKS, _SEEDS)
    else:
        print_tables(_RESULTS)


if __name__ == "__main__":
    main()
