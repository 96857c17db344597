"""What a discovery costs on networks as people have them: whole commands, as a user runs them, in one run.

    python benchmarks/discovery.py                         # all of it: long, on two cores
    python benchmarks/discovery.py --cases pca ganspace    # only these; what has been measured before is kept
    python benchmarks/discovery.py --device cuda           # into discovery-<card>.json
    python benchmarks/discovery.py --quick                 # a minute or two: tiny networks, into a scratch folder

StyleGAN2 with random weights, 1024 px (config-f) and 256 px (half its channels). Every case is a process, or several,
from the start of Python to its end, after one that compiles what has to be compiled. For discoveries also: seconds
until there are directions and a picture of them for the first time. The first picture of `explore` is measured from
the loaded generator on: preparations of the studio, and the first pictures that a page asks it for, as it gets them.
Memory is the peak of the largest process, of the host.

Compared in the same run (plain_discovery.py): GANSpace's principal components of w, without any picture, with ours,
alternating in one process of one thread, as NumPy's and torch's would wait for each other; and a plain loop for RTD, of
which a few steps are measured, after one that does not count, and 200 are extrapolated. Results are kept after each
case; a later run measures what is missing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ganwalk.files import write_json
from ganwalk.ledger.placement import cores

ROOT = Path(__file__).resolve().parents[1]
_RESULTS = Path(__file__).resolve().parent / "results"
_POLL = 0.05
# Steps that the plain loop is extrapolated to, and repetitions of the two kinds of components.
_LOOP_STEPS, _REPEATS = 200, 5
# What is to be reached, in seconds, on two cores of a server.
GOALS = {
    "discover-1024": 720.0,
    "pca-1024": 60.0,
    "sefa-1024": 60.0,
    "jacobian-1024": 180.0,
    "discover-256": 480.0,
    "demo": 60.0,
    "render-1024": 60.0,
    "evaluate-1024": 300.0,
    "report-1024": 300.0,
    "explore-1024": 1.0,
}
# Of a processor, those that decide how fast a network is.
_INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "bf16", "sve")


@dataclass(frozen=True)
class Scope:
    """How much is run.

    Attributes:
        networks: StyleGAN2's configuration for each size in pixels; the largest gets every command.
        directions: how many are searched for.
        shortened: options that are added to commands, by name.
    """

    networks: dict[int, dict[str, int]]
    directions: int = 20
    shortened: dict[str, tuple[str, ...]] = field(default_factory=dict)


WHOLE = Scope({1024: {}, 256: {"channel_base": 16384}})
_TINY = {"z_dim": 32, "w_dim": 32, "mapping_layers": 2, "channel_base": 256, "channel_max": 8}
QUICK = Scope(
    {64: _TINY, 32: _TINY},
    4,
    {
        "discover": ("-n", "4", "--steps", "2", "--batch", "8"),
        "render": ("--steps", "3", "--seeds", "1"),
        "evaluate": ("--samples", "4", "--no-reconstructor"),
        "report": ("--steps", "3", "--seeds", "1"),
    },
)


@dataclass(frozen=True)
class Bench:
    """Where and how commands are run: the folder of networks and directions, and the options of every command."""

    work: Path
    scope: Scope
    loop_steps: int
    device: str
    threads: int | None

    def ganwalk(self, command: str, *options: str, results: Sequence[str] = ()) -> dict[str, Any]:
        """A row for `ganwalk COMMAND OPTIONS`; `results`, in the work folder, are what makes it useful."""
        added = [*self.scope.shortened.get(command, ()), *self._common()]
        row, _ = self.run([sys.executable, "-m", "ganwalk", command, *options, *added], results)
        return row

    def part(self, name: str, threads: int | None = None, **values: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """A row for a function of `PARTS` in a process of its own, and what it found."""
        threads = threads or self.threads
        # NumPy's linear algebra is told by the environment only, before it is loaded.
        limits = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        row, printed = self.run([sys.executable, __file__, "--part", name, json.dumps(values)], limits=limits)
        return row, json.loads(printed.splitlines()[-1])

    def network(self, size: int) -> str:
        """The file of the network with this many pixels."""
        path = self.work / f"{size}.safetensors"
        if not path.exists():
            self.part("network", size=size, options=self.scope.networks[size], path=str(path))
        return path.name

    def needed(self, case: str, path: str) -> str:
        """A file that another case leaves."""
        if not (self.work / path).exists():
            sys.exit(f"{path} is not in {self.work}: run the case {case!r} first, with --fresh if it has a result")
        return path

    def run(
        self, command: Sequence[str], results: Sequence[str] = (), *, limits: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any], str]:
        """Seconds and peak MB of a process, seconds until all of `results` are there, and what it printed.

        `limits` are added to its environment.
        """
        output, errors = self.work / "output.txt", self.work / "errors.txt"
        packages = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": packages, **(limits or {})}
        row: dict[str, Any] = {"load_average_before": round(os.getloadavg()[0], 2)}
        with output.open("wb") as out, errors.open("wb") as err:
            began = time.perf_counter()
            process = subprocess.Popen(command, cwd=self.work, env=environment, stdout=out, stderr=err)
            while True:
                ended, status, usage = os.wait4(process.pid, os.WNOHANG)
                seconds = time.perf_counter() - began
                if results and "first_seconds" not in row and all((self.work / path).exists() for path in results):
                    row["first_seconds"] = round(seconds, 2)
                if ended:
                    break
                time.sleep(_POLL)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            last = errors.read_text().strip().splitlines()[-1:]
            sys.exit(f"{shlex.join(command[1:])} failed: {' '.join(last)}")
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return row | {"seconds": round(seconds, 2), "peak_mb": round(usage.ru_maxrss / unit)}, output.read_text()

    def _common(self) -> list[str]:
        device = [] if self.device == "cpu" else ["--device", self.device]
        return device + ([] if self.threads is None else ["--threads", str(self.threads)])


@dataclass(frozen=True)
class Case:
    """One row of the results.

    Attributes:
        kind: what it is chosen by.
        title: of its row.
        size: pixels of its network, None for one that is shipped.
        measure: makes the row.
        peer: whether it is what ours is compared with.
    """

    kind: str
    title: str
    size: int | None
    measure: Callable[[Bench], dict[str, Any]]
    peer: bool = False

    @property
    def name(self) -> str:
        """Key of the row."""
        return self.kind if self.size is None else f"{self.kind}-{self.size}"


def all_cases(scope: Scope) -> list[Case]:
    """In the order in which they are run: later ones use what earlier ones leave."""
    large, *others = sorted(scope.networks, reverse=True)
    n = scope.directions
    return [
        Case("discover", f"discover -n {n}", large, partial(discover, size=large)),
        *(
            Case(method, f"discover -n {n} -m {method}", large, partial(discover, size=large, method=method))
            for method in ("pca", "sefa", "jacobian")
        ),
        *(Case("discover", f"discover -n {n}", size, partial(discover, size=size)) for size in others),
        Case("demo", "make demo", None, demo),
        Case("render", "render --direction 0", large, partial(render, size=large)),
        Case("evaluate", "evaluate", large, partial(evaluate, size=large)),
        Case("report", "report, scores given", large, partial(report, size=large)),
        Case("explore", "explore, first picture", large, partial(explore, size=large)),
        Case("ganspace", "GANSpace's components", large, partial(ganspace, size=large), peer=True),
        *(Case("loop", "plain loop for RTD", size, partial(loop, size=size), peer=True) for size in (large, *others)),
    ]


def discover(bench: Bench, size: int, method: str | None = None) -> dict[str, Any]:
    """`discover` into a folder of its own, by default as it comes."""
    out = f"out/{method or 'discover'}-{size}"
    shutil.rmtree(bench.work / out, ignore_errors=True)
    options = ["-g", bench.network(size), "-n", str(bench.scope.directions), "-o", out]
    if method is not None:
        options += ["-m", method]
    return bench.ganwalk("discover", *options, results=_first_result(out))


def _first_result(out: str) -> list[str]:
    """What there must be before directions can be looked at."""
    return [f"{out}/directions.safetensors", f"{out}/preview.png"]


def demo(bench: Bench) -> dict[str, Any]:
    """The commands of `make demo`, one after the other."""
    out = "out/demo"
    shutil.rmtree(bench.work / out, ignore_errors=True)
    rows = []
    for command, *options in demo_commands(out):
        rows.append(bench.ganwalk(command, *options, results=_first_result(out) if command == "discover" else ()))
    return rows[0] | {
        "seconds": round(sum(row["seconds"] for row in rows), 2),
        "peak_mb": max(row["peak_mb"] for row in rows),
        "seconds_of_commands": [row["seconds"] for row in rows],
    }


def demo_commands(out: str) -> list[list[str]]:
    """Arguments of the commands that the Makefile's demo runs, with results in `out`."""
    recipe = re.search(r"^demo:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    return [shlex.split(line)[1:] for line in recipe[1].replace("$(OUT)", out).splitlines()]


def render(bench: Bench, size: int) -> dict[str, Any]:
    """`render` of the strongest of the directions that `discover` left."""
    return bench.ganwalk("render", "--directions", _found(bench, size), "--direction", "0")


def evaluate(bench: Bench, size: int) -> dict[str, Any]:
    """`evaluate` on the same."""
    return bench.ganwalk("evaluate", "--directions", _found(bench, size))


def report(bench: Bench, size: int) -> dict[str, Any]:
    """`report` after `evaluate`, whose scores it shows."""
    bench.needed("evaluate", f"out/discover-{size}/evaluation.json")
    return bench.ganwalk("report", "--directions", _found(bench, size))


def explore(bench: Bench, size: int) -> dict[str, Any]:
    """The first picture that a page asks for; what starting up takes before, is beside it."""
    row, found = bench.part("picture", device=bench.device, directions=_found(bench, size))
    return row | found | {"seconds": round(found["shot_seconds"], 3)}


def _found(bench: Bench, size: int) -> str:
    return bench.needed("discover", f"out/discover-{size}/directions.safetensors")


def ganspace(bench: Bench, size: int) -> dict[str, Any]:
    """GANSpace's components and ours of the same network."""
    row, found = bench.part("ganspace", threads=1, **_of_peer(bench, size))
    return row | found


def loop(bench: Bench, size: int) -> dict[str, Any]:
    """Some steps of the plain loop, and what all of them would take."""
    row, found = bench.part("loop", **_of_peer(bench, size), steps=bench.loop_steps)
    step = statistics.mean(found["seconds_of_steps"])
    return row | found | {"seconds": round(_LOOP_STEPS * step, 1), "extrapolated_from_steps": bench.loop_steps}


def _of_peer(bench: Bench, size: int) -> dict[str, Any]:
    return {"device": bench.device, "network": bench.network(size), "n": bench.scope.directions}


def part_facts(device: str) -> dict[str, Any]:
    """What torch says of the machine."""
    import torch

    card = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return {"threads": torch.get_num_threads(), "device": card}


def part_network(size: int, options: dict[str, int], path: str) -> dict[str, Any]:
    """Writes a network with random weights."""
    import torch

    from ganwalk.generators.checkpoints.native import write_native
    from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config

    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=size, **options)
    write_native(config, dict(StyleGAN2(config).eval().state_dict()), Path(path))
    return {}


def part_ganspace(device: str, network: str, n: int) -> dict[str, Any]:
    """Median seconds of GANSpace's components and of ours, and the share of ours' variance that theirs explain."""
    from plain_discovery import SAMPLES, ganspace_pca

    from ganwalk.discovery import pca
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.discovery.subspace import latent_subspace
    from ganwalk.generators.loading import load_generator

    generator = load_generator(network, device)
    view = DiscoverySettings(n_directions=n, method="pca").resolve(generator).view()
    spent: dict[str, list[float]] = {"ours": [], "theirs": []}
    for repeat in range(_REPEATS + 1):
        began = time.perf_counter()
        ours = pca.find_directions(generator, view, n, seed=0).cpu().numpy()
        between = time.perf_counter()
        theirs = ganspace_pca(generator, n).components_
        # The first ones find cold caches.
        if repeat:
            spent["ours"].append(between - began)
            spent["theirs"].append(time.perf_counter() - between)
    covariance = latent_subspace(generator, "w", n, seed=1).covariance.numpy()
    explained = [((rows @ covariance) * rows).sum() for rows in (theirs, ours)]
    return {
        "samples": SAMPLES,
        "seconds": round(statistics.median(spent["theirs"]), 4),
        "ganwalk_seconds": round(statistics.median(spent["ours"]), 4),
        "variance_theirs_of_ours": round(float(explained[0] / explained[1]), 4),
    }


def part_loop(device: str, network: str, n: int, steps: int) -> dict[str, Any]:
    """Seconds of each step after the first one."""
    import torch
    from plain_discovery import plain_search

    from ganwalk.generators.loading import load_generator

    generator = load_generator(network, device)
    _, *spent = plain_search(generator, n, steps + 1, threads=torch.get_num_threads()).seconds
    return {"seconds_of_steps": [round(value, 3) for value in spent]}


def part_picture(device: str, directions: str) -> dict[str, Any]:
    """Seconds of the studio's preparations, and of the pictures that a page asks it for first."""
    from ganwalk.explore.shots import take_shot
    from ganwalk.explore.sides import choose_sides
    from ganwalk.explore.state import State
    from ganwalk.explore.studio import Studio

    generator, sides = choose_sides(directions, None, None, device)
    began = time.perf_counter()
    studio = Studio(generator, sides)
    ready = time.perf_counter()
    shot = take_shot(studio, State(), small=studio.preview is not None)
    return {
        "studio_seconds": round(ready - began, 3),
        "shot_seconds": round(time.perf_counter() - ready, 3),
        "preview": shot.small,
    }


PARTS: dict[str, Callable[..., dict[str, Any]]] = {
    "facts": part_facts,
    "network": part_network,
    "ganspace": part_ganspace,
    "loop": part_loop,
    "picture": part_picture,
}


def run_part(name: str, text: str) -> None:
    """Runs one of `PARTS` in this process, and prints what it found."""
    print(json.dumps(PARTS[name](**json.loads(text))))


def run_facts(bench: Bench) -> dict[str, Any]:
    """What decides how long things take: the machine, the packages, the networks."""
    processor, instructions = platform.processor(), ""
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", information.read_text(), re.MULTILINE))
        processor = lines.get("model name", processor)
        instructions = lines.get("flags", lines.get("Features", ""))
    return {
        "machine": platform.machine(),
        "processor": processor,
        "instructions": [name for name in _INSTRUCTIONS if name in instructions.split()],
        "cores": cores(),
        **bench.part("facts", device=bench.device)[1],
        "networks": {str(size): options for size, options in bench.scope.networks.items()},
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "scikit-learn")},
    }


def ratios(rows: dict[str, dict[str, Any]], scope: Scope) -> list[dict[str, Any]]:
    """Ours against the peers, where both have been measured."""
    large = max(scope.networks)
    compared = []

    def add(what: str, ours: float | None, peer: str) -> None:
        if ours is not None and peer in rows:
            theirs = rows[peer]["seconds"]
            values = {"what": what, "ganwalk": ours, "peer": theirs, "ganwalk / peer": float(f"{ours / theirs:.3g}")}
            steps = rows[peer].get("extrapolated_from_steps")
            compared.append(values if steps is None else values | {"peer_extrapolated_from_steps": steps})

    peer = f"ganspace-{large}"
    add(
        f"components of w alone, {large} px, against GANSpace's, one thread each",
        rows[peer]["ganwalk_seconds"] if peer in rows else None,
        peer,
    )
    add(
        f"whole command discover -m pca, {large} px, against GANSpace's components alone, one thread",
        rows.get(f"pca-{large}", {}).get("seconds"),
        peer,
    )
    for size in scope.networks:
        ours = rows.get(f"discover-{size}", {}).get("seconds")
        add(f"whole command discover, {size} px, against a plain loop's steps alone", ours, f"loop-{size}")
    return compared


def as_document(rows: dict[str, dict[str, Any]], facts: dict[str, Any], scope: Scope) -> dict[str, Any]:
    """What the results hold, rows in the order of the cases."""
    ordered = {case.name: rows[case.name] for case in all_cases(scope) if case.name in rows}
    head = {"command": "python benchmarks/discovery.py", "facts": facts}
    return head | {"goals": GOALS, "rows": ordered, "ratios": ratios(rows, scope)}


def markdown(document: dict[str, Any], cases: Sequence[Case]) -> str:
    """The rows and the ratios as two tables."""
    rows = document["rows"]
    lines = ["| | seconds | first result | goal | peak memory |", "|---|--:|--:|--:|--:|"]
    for case in cases:
        if case.name not in rows:
            continue
        row = rows[case.name]
        first, goal, steps = (row.get("first_seconds"), GOALS.get(case.name), row.get("extrapolated_from_steps"))
        seconds = f"{row['seconds']:,.3g}" if row["seconds"] < 100 else f"{row['seconds']:,.0f}"
        cells = (
            shown_title(case),
            seconds if steps is None else f"{seconds} (extrapolated from {steps} steps)",
            "" if first is None else f"{first:,.1f}",
            "" if goal is None else f"{goal:,.0f}",
            f"{row['peak_mb'] / 1024:.1f} GB",
        )
        lines.append(f"| {' | '.join(cells)} |")
    if document["ratios"]:
        lines += ["", "| ganwalk / peer | ratio |", "|---|--:|"]
    for entry in document["ratios"]:
        steps = entry.get("peer_extrapolated_from_steps")
        note = "" if steps is None else f" (extrapolated from {steps} steps)"
        lines.append(f"| {entry['what']}{note} | {entry['ganwalk / peer']:g} |")
    return "\n".join(lines)


def shown_title(case: Case) -> str:
    """A case in words."""
    return case.title if case.size is None else f"{case.title}, {case.size} px"


def plot(document: dict[str, Any], cases: Sequence[Case], path: Path) -> None:
    """Bars of seconds on a logarithmic axis, with what is to be reached and when there is a first result."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    rows = document["rows"]
    shown = [case for case in cases if case.name in rows]
    figure = Figure(figsize=(9, 1.3 + 0.36 * len(shown)), layout="constrained")
    axes = figure.subplots()
    seconds = [rows[case.name]["seconds"] for case in shown]
    goals = [GOALS[case.name] for case in shown if case.name in GOALS]
    axes.set_xscale("log")
    axes.set_xlim(min(seconds + goals) / 2, max(seconds + goals) * 100)
    axes.xaxis.set_major_formatter("{x:,g}")
    blue, grey, orange = "#1f4e9c", "#8a8f99", "#c2571a"
    for at, (case, spent) in enumerate(zip(shown, seconds, strict=True)):
        row = rows[case.name]
        extrapolated = "extrapolated_from_steps" in row
        hatch = "///" if extrapolated else None
        axes.barh(at, spent, 0.62, color=grey if case.peer else blue, hatch=hatch, edgecolor="white", linewidth=0)
        label = f"{spent:,.2g} s" if spent < 10 else f"{spent:,.0f} s"
        axes.annotate(
            f"{label}, extrapolated" if extrapolated else label,
            (max(spent, GOALS.get(case.name, 0)), at),
            (6, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
        if case.name in GOALS:
            axes.plot([GOALS[case.name]] * 2, [at - 0.42, at + 0.42], color=orange, lw=2.5, solid_capstyle="butt")
        if "first_seconds" in row:
            axes.plot(row["first_seconds"], at, "o", ms=6, color="white", mec="black", mew=1)
    axes.set_yticks(range(len(shown)), [shown_title(case) for case in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlabel("seconds")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x", alpha=0.2)
    axes.set_axisbelow(True)
    figure.legend(
        handles=[
            Line2D([], [], color=blue, lw=7, label="ganwalk"),
            Line2D([], [], color=grey, lw=7, label="peer"),
            Line2D([], [], color=orange, lw=2.5, label="goal"),
            Line2D([], [], ls="", marker="o", ms=6, color="white", mec="black", label="first result"),
        ],
        loc="outside upper center",
        ncols=4,
        frameon=False,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)


def results_name(device: str) -> str:
    """Name of the results, without an ending, of a device as `part_facts` calls it."""
    return "discovery" if device == "cpu" else f"discovery-{re.sub(r'[^a-z0-9]+', '-', device.lower()).strip('-')}"


def kept_rows(path: Path, facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Rows of an earlier run under the same conditions."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    others = sorted(name for name, value in facts.items() if document["facts"].get(name) != value)
    if others:
        sys.exit(f"{path} was measured with other {', '.join(others)}: remove it to measure everything anew")
    return document["rows"]


def main() -> None:
    """Measures what has no row yet, prints tables, and writes results/discovery.json and .png."""
    kinds = list(dict.fromkeys(case.kind for case in all_cases(WHOLE)))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=kinds, default=kinds, metavar="CASE", help=", ".join(kinds))
    parser.add_argument("--sizes", type=int, nargs="+", help="of the networks, in pixels [default: 1024 256]")
    parser.add_argument("--fresh", action="store_true", help="measure the chosen cases again")
    parser.add_argument("--loop-steps", type=int, default=2, help="of the plain loop that are measured [default: 2]")
    parser.add_argument("--device", default="cpu", help="torch device of every command, such as cuda")
    parser.add_argument("--threads", type=int, help="of every command [default: what commands take by themselves]")
    parser.add_argument("--quick", action="store_true", help="tiny networks, few steps, into a scratch folder")
    parser.add_argument("--work", type=Path, default=Path("runs/discovery"), help="folder of networks and directions")
    parser.add_argument("--results", type=Path, help="folder of the results")
    parser.add_argument("--part", nargs=2, metavar=("NAME", "VALUES"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.part:
        return run_part(*arguments.part)
    scope = QUICK if arguments.quick else WHOLE
    sizes = set(arguments.sizes or scope.networks)
    if not sizes <= set(scope.networks):
        parser.error(f"--sizes are {' and '.join(map(str, scope.networks))}")
    if arguments.loop_steps < 1:
        parser.error("--loop-steps must be at least 1")
    work = (arguments.work / "quick" if arguments.quick else arguments.work).resolve()
    work.mkdir(parents=True, exist_ok=True)
    bench = Bench(work, scope, arguments.loop_steps, arguments.device, arguments.threads)
    facts = run_facts(bench)
    stem = (arguments.results or (work if arguments.quick else _RESULTS)) / results_name(facts["device"])
    stem.parent.mkdir(parents=True, exist_ok=True)
    cases = all_cases(scope)
    rows = kept_rows(stem.with_suffix(".json"), facts)
    chosen = [case for case in cases if case.kind in arguments.cases and (case.size is None or case.size in sizes)]
    missing = [case for case in chosen if arguments.fresh or case.name not in rows]
    # What is quick is no measurement.
    if missing and not arguments.quick:
        bench.ganwalk("discover", "-g", "blobs", "-n", "2", "--steps", "1", "-o", "out/warm-up", "--force")
    for case in missing:
        print(f"{case.name} …", file=sys.stderr, flush=True)
        rows[case.name] = case.measure(bench)
        write_json(stem.with_suffix(".json"), as_document(rows, facts, scope))
    document = as_document(rows, facts, scope)
    print(markdown(document, cases))
    plot(document, cases, stem.with_suffix(".png"))
    return None


if __name__ == "__main__":
    main()
