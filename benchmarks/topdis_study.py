"""The study of TopDis: every objective with and without the term, on sprites and scenes, scored by every metric.

    python benchmarks/topdis_study.py --quick --work FOLDER      # minutes: runs everything small, in that folder
    python benchmarks/topdis_study.py train --jobs 2             # hours: trains what is missing, continues what stopped
    python benchmarks/topdis_study.py train --part-of faithful   # as the released code, and what was named as a cause
    python benchmarks/topdis_study.py train --part-of cheaper    # what makes a step cheaper
    python benchmarks/topdis_study.py train --part-of long       # 15,000 steps
    python benchmarks/topdis_study.py gradients                  # how long the term's gradient is, by either derivative
    python benchmarks/topdis_study.py figures                    # tables and figures of what has been run

Trainings live in --work (default vae-study/), a folder each, made by `python -m vae.train`; their scores and histories
are kept as small files in benchmarks/results/vae/. Settings were chosen with seeds that the study does not use.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path, write_json, write_text
from ganwalk.ledger import Job, Ledger, Placement, SharesMissing, Turn, run_jobs
from ganwalk.ledger.placement import parse_shard
from ganwalk.options import options_of
from ganwalk.pictures.sheets import save_picture, side_by_side
from vae.scores.tables import LABELS
from vae.settings import TopDisSettings, TrainingSettings, from_json, to_json

ROOT = Path(__file__).resolve().parents[1]
_RESULTS = Path(__file__).resolve().parent / "results" / "vae"
_WORK = ROOT / "vae-study"
_SEED = 11  # of objectives that are trained once
# What is sized for two cores: convolutions in bfloat16, a larger learning rate for fewer steps.
_BASE = TrainingSettings(resolution=32, precision="bfloat16", lr=1e-3)
# At 32 px the reconstruction loss sums a quarter of the values that it has at the paper's 64 px, where γ is 5 or 6.
_TERM = TopDisSettings(gamma=1.0)
_EXACT = replace(_TERM, shift_gradient="exact")
# The released code differentiates the shift, and not the scale.
_RELEASED = replace(_EXACT, scale_gradient="constant")

# The scores that the study reports: those that all of its stored results have.
SHARES = (
    "mig",
    "mig_sup",
    "sap",
    "dci_disentanglement",
    "dci_completeness",
    "dci_informativeness",
    "dci_es_explicitness",
    "factor_vae",
    "beta_vae",
    "modularity",
    "explicitness",
    "irs",
)


@dataclass(frozen=True)
class Kind:
    """A way to train.

    Attributes:
        label: in tables and figures.
        term: the TopDis term; None trains without.
        training: what else is changed of the base.
        against: the kind whose runs of the same seeds it is compared with.
    """

    label: str
    term: TopDisSettings | None
    training: Mapping[str, Any] = field(default_factory=dict)
    against: str = "plain"


# Where convolutions in bfloat16 are not a machine's own they take many times as long: what came later is in float32.
_LATER: Mapping[str, Any] = {"precision": "float32"}
_SLOW = {**_LATER, "lr": 1e-4}
# As DAVA's released code, where the gradient is a sum over the batch: either way every step is clipped.
_CLIPPED = {**_LATER, "clip": 1.0}
_LONG = {**_LATER, "steps": 15_000}

KINDS: Mapping[str, Kind] = {
    "plain": Kind("without", None),
    "exact": Kind("TopDis, shifts differentiated", _EXACT),
    "constant": Kind("TopDis, constant shifts", _TERM),
    "gamma5": Kind("TopDis, shifts differentiated, γ = 5", replace(_EXACT, gamma=5.0)),
    "late": Kind("TopDis from half of the steps on", replace(_TERM, delay=0.5)),
    "free": Kind("TopDis, not orthogonalised", replace(_TERM, orthogonal=False)),
    "third": Kind("TopDis every third step", replace(_TERM, every=3)),
    "plain32": Kind("without, float32", None, _LATER, "plain32"),
    "exact32": Kind("TopDis, shifts differentiated, float32", _EXACT, _LATER, "plain32"),
    "constant32": Kind("TopDis, constant shifts, float32", _TERM, _LATER, "plain32"),
    "released32": Kind("TopDis, shifts differentiated, constant scale", _RELEASED, _LATER, "plain32"),
    "scale32": Kind("TopDis, constant shifts and scale", replace(_TERM, scale_gradient="constant"), _LATER, "plain32"),
    "five32": Kind("TopDis, constant shifts, γ = 5", replace(_TERM, gamma=5.0), _LATER, "plain32"),
    "immovable32": Kind(
        "TopDis as released: also its bar ends, 50 bars",
        replace(_RELEASED, ends="immovable", card=50),
        _LATER,
        "plain32",
    ),
    "plainslow": Kind("without, learning rate 1e-4", None, _SLOW, "plainslow"),
    "exactslow": Kind("TopDis, shifts differentiated, 1e-4", _EXACT, _SLOW, "plainslow"),
    "constantslow": Kind("TopDis, constant shifts, 1e-4", _TERM, _SLOW, "plainslow"),
    "plainclip": Kind("without, clipped", None, _CLIPPED, "plainclip"),
    "exactclip": Kind("TopDis, shifts differentiated, clipped", _EXACT, _CLIPPED, "plainclip"),
    "constantclip": Kind("TopDis, constant shifts, clipped", _TERM, _CLIPPED, "plainclip"),
    "points32": Kind("TopDis of 32 points", replace(_TERM, points=32), _LATER, "plain32"),
    "same32": Kind("TopDis of the same batch", replace(_TERM, batch="same"), _LATER, "plain32"),
    "against32": Kind("TopDis against reconstruction + KL", replace(_TERM, against="loss"), _LATER, "plain32"),
    "third32": Kind("TopDis every third step, float32", replace(_TERM, every=3), _LATER, "plain32"),
    "cheap32": Kind(
        "TopDis of 32 points of the same batch, against reconstruction + KL",
        replace(_TERM, points=32, batch="same", against="loss"),
        _LATER,
        "plain32",
    ),
    "plainlong": Kind("without, 15,000 steps", None, _LONG, "plainlong"),
    "releasedlong": Kind("TopDis, shifts differentiated, constant scale, 15,000 steps", _RELEASED, _LONG, "plainlong"),
    "constantlong": Kind("TopDis, constant shifts, 15,000 steps", _TERM, _LONG, "plainlong"),
}
"""Ways to train: what is compared everywhere, what is changed of it where time allowed, and the parts below."""

PARTS: Mapping[str, Sequence[str]] = {
    "faithful": (
        *("plain32", "exact32", "constant32", "released32", "scale32", "five32", "immovable32"),
        *("plainslow", "exactslow", "constantslow", "plainclip", "exactclip", "constantclip"),
    ),
    "cheaper": ("plain32", "constant32", "points32", "same32", "against32", "third32", "cheap32"),
    "long": ("plainlong", "constantlong", "releasedlong"),
}
"""Parts of the study that `--part-of` chooses, beside the first; `Scope.parts` has their data sets and objectives."""

COMPARED = {"plain": "#b8c4d6", "exact": "#c2571a", "constant": "#1f4e9c"}
"""Kinds that figures show, and their colours."""

OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "beta": {"beta": 2.0},
    "factor": {"gamma": 10.0, "width": 256, "discriminator_lr": 5e-4},
    "beta-tc": {"beta": 4.0},
    "control": {"capacity": 12.0, "capacity_levels": 0},
    "dava": {"capacity_growth": 30.0, "discriminator_lr": 5e-4},
}


@dataclass(frozen=True)
class Scope:
    """How much is run."""

    datasets: tuple[str, ...] = ("sprites", "scenes")
    objectives: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: OBJECTIVES)
    seeds: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: {"beta": (11, 12, 13), "factor": (11, 12, 13)})
    extra: tuple[tuple[str, str, str, tuple[int, ...]], ...] = (
        ("sprites", "beta", "gamma5", (11,)),
        ("sprites", "factor", "gamma5", (11,)),
        ("scenes", "beta", "gamma5", (11,)),
        ("scenes", "beta", "late", (11,)),
        ("scenes", "beta", "free", (11,)),
        ("scenes", "beta", "third", (11,)),
        ("sprites", "beta", "late", (11,)),
        ("sprites", "beta", "free", (11,)),
        ("sprites", "beta", "third", (11,)),
    )
    parts: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = field(
        default_factory=lambda: {
            "faithful": (("sprites", "scenes"), ("beta", "factor")),
            "cheaper": (("sprites", "scenes"), ("beta",)),
            "long": (("sprites",), ("beta",)),
        }
    )
    steps: int = 4000
    metrics: str = "full"
    precision: str = _BASE.precision
    batch: int = _BASE.batch
    z_dim: int = _BASE.z_dim


_WHOLE = Scope()
_QUICK = Scope(
    ("sprites",),
    {"beta": {"beta": 2.0}},
    {"beta": (11,)},
    (("sprites", "beta", "late", (11,)),),
    {},
    4,
    "quick",
    "float32",
    8,
    3,
)


@dataclass(frozen=True)
class Training:
    """One training."""

    name: str
    settings: TrainingSettings


def trainings(scope: Scope, part: str | None = None) -> list[Training]:
    """Trainings, one data set after the other: the first seed of everything, the others, what was changed.

    Args:
        part: one of `PARTS` instead.
    """
    if part is not None:
        datasets, objectives = scope.parts[part]
        return [
            _training(scope, dataset, objective, kind, seed)
            for dataset in datasets
            for objective in objectives
            for seed in scope.seeds[objective]
            for kind in PARTS[part]
        ]
    found = []
    for dataset in scope.datasets:
        for turn in range(max(len(seeds) for seeds in scope.seeds.values())):
            for objective in scope.objectives:
                for seed in scope.seeds.get(objective, (_SEED,))[turn : turn + 1]:
                    found += [_training(scope, dataset, objective, kind, seed) for kind in COMPARED]
    for dataset, objective, kind, seeds in scope.extra:
        found += [_training(scope, dataset, objective, kind, seed) for seed in seeds]
    return found


def _training(scope: Scope, dataset: str, objective: str, kind: str, seed: int) -> Training:
    sizes = {"steps": scope.steps, "precision": scope.precision, "batch": scope.batch, "z_dim": scope.z_dim}
    changed = {**sizes, **KINDS[kind].training}
    settings = replace(
        _BASE,
        dataset=dataset,
        objective=objective,
        options=dict(scope.objectives[objective]),
        topdis=KINDS[kind].term,
        seed=seed,
        **changed,
    )
    return Training(f"{dataset}-{objective}-{kind}-{seed}", settings)


def train(chosen: Sequence[Training], work: Path, results: Path, metrics: str, where: Placement) -> None:
    """Trains, or continues, what has no result yet, and keeps scores and histories in the folder of results."""
    ledger = Ledger(work, upgrade=as_today)
    jobs = [
        Job(
            training.name,
            _facts(to_json(training.settings), metrics),
            functools.partial(run_training, training.settings, metrics),
        )
        for training in chosen
    ]
    for job in jobs:
        path = results / f"{job.name}.json"
        if path.exists():
            result = json.loads(path.read_text())
            ledger.adopt(job, _facts(result.pop("settings"), result["metrics"]), result, str(path))
    try:
        run_jobs(ledger, jobs, where=where, resume=True, on_progress=_show)
    finally:
        for job in jobs:
            _export(ledger, job, results)


def as_today(document: dict[str, Any]) -> dict[str, Any]:
    """A stored training whose settings are complete: options that came later mean what their absence meant."""
    facts = document["facts"]
    settings = from_json(facts["settings"], "what was trained", written=True)
    return {**document, "facts": {**facts, "settings": to_json(settings)}}


def _facts(settings: dict[str, Any], metrics: str) -> dict[str, Any]:
    return {"settings": settings, "metrics": metrics}


def run_training(settings: TrainingSettings, metrics: str, turn: Turn) -> dict[str, Any]:
    """The job of a training: its scores, and the seconds of a call that made all of it."""
    config = turn.folder.with_name(f"{turn.folder.name}.json")
    write_json(config, to_json(settings))
    start = ["--resume"] if (turn.folder / "checkpoint.pt").exists() else ["--config", str(config), "--overwrite"]
    looks = ["--look-every", str(max(20, settings.steps // 4))]
    command = [sys.executable, "-m", "vae.train", *start, "--out", str(turn.folder), "--metrics", metrics, *looks, "-q"]
    began = time.perf_counter()
    ran = subprocess.run(
        [*command, "--threads", "1"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if ran.returncode:
        raise GanwalkError(f"vae.train says {ran.stderr.strip()[-500:]}")
    scores = json.loads((turn.folder / "scores.json").read_text())
    return {**scores, "seconds": None if "--resume" in start else round(time.perf_counter() - began)}


def _export(ledger: Ledger, job: Job, results: Path) -> None:
    """Keeps a finished training's scores and history as small files."""
    path, stored = results / f"{job.name}.json", ledger.find(job)
    if stored is not None and not path.exists():
        result = {**stored.result}
        seconds = result.pop("seconds")
        write_json(path, {**result, "settings": job.facts["settings"], "seconds": seconds})
        write_text(path.with_suffix(".csv"), (ledger.folder(job) / "metrics.csv").read_text())
        print(f"\n{job.name}: MIG {result['scores']['mig']:.3f}, {seconds} s", flush=True)


def _show(what: str, share: float) -> None:
    print(f"\r{what}: {100 * share:.0f} %   ", end="", file=sys.stderr)


_CHANGED = (*SHARES, "bce")
# Of `draw_changes`.
_DRAWN = ("mig", "dci_disentanglement", "factor_vae", "irs")


def load(scope: Scope, results: Path) -> dict[str, dict[str, Any]]:
    """Results by name of their job, those that exist."""
    wanted = [training for part in (None, *scope.parts) for training in trainings(scope, part)]
    paths = {training.name: results / f"{training.name}.json" for training in wanted}
    return {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}


def series(found: Mapping[str, Any], dataset: str, objective: str, kind: str) -> dict[str, np.ndarray]:
    """The scores that all seeds of one setting have; empty if it has not been run."""
    runs = [run["scores"] for name, run in found.items() if name.startswith(f"{dataset}-{objective}-{kind}-")]
    # Of runs of different versions, the older lack the metrics that came between.
    common = [score for score in runs[0] if all(score in run for run in runs)] if runs else []
    return {score: np.array([run[score] for run in runs]) for score in common}


def table(found: Mapping[str, Any], scope: Scope) -> str:
    """Markdown: mean ± standard deviation over seeds, a row for each setting, a table for each data set."""
    names = [*SHARES, "bce", "kl", "active_units"]
    lines = []
    for dataset in scope.datasets:
        lines += [f"### {dataset}", "", f"| objective | seeds | {' | '.join(LABELS[n] for n in names)} |"]
        lines.append("|---" * (len(names) + 2) + "|")
        for objective in scope.objectives:
            for kind in KINDS:
                scores = series(found, dataset, objective, kind)
                if scores:
                    label = f"{objective}, {KINDS[kind].label}"
                    cells = " | ".join(_spread(scores[n]) for n in names)
                    lines.append(f"| {label} | {len(scores['mig'])} | {cells} |")
        lines.append("")
    return "\n".join(lines)


def changes(found: Mapping[str, Any], kind: str, of: str = "") -> dict[str, np.ndarray]:
    """What a kind changes of every score, (pairs,): each run against the one of the same seed without the term.

    Args:
        of: how the names of the runs begin.
    """
    against = KINDS[kind].against
    runs = {name: run for name, run in found.items() if f"-{kind}-" in name and name.startswith(of) and kind != against}
    pairs = [(run, found.get(name.replace(f"-{kind}-", f"-{against}-"))) for name, run in runs.items()]
    known = [(run["scores"], plain["scores"]) for run, plain in pairs if plain is not None]
    return {name: np.array([run[name] - plain[name] for run, plain in known]) for name in _CHANGED} if known else {}


def all_changes(found: Mapping[str, Any]) -> list[tuple[str, dict[str, np.ndarray]]]:
    """`changes` of every kind, by its label; of those in `PARTS`, which not everything has, apart by what has them."""
    rows = []
    for kind, about in KINDS.items():
        apart = any(kind in kinds for kinds in PARTS.values())
        groups = [(d, o) for d in _WHOLE.datasets for o in _WHOLE.objectives] if apart else [("", "")]
        for dataset, objective in groups:
            by_score = changes(found, kind, f"{dataset}-{objective}-{kind}-" if apart else "")
            if by_score:
                rows.append((f"{about.label}, {dataset} {objective}" if apart else about.label, by_score))
    return rows


def differences(found: Mapping[str, Any]) -> str:
    """Markdown: what the term changes against the run of the same seed without it, over all pairs there are."""
    lines = ["### With the term against without, same seed", ""]
    lines += [f"| | pairs | {' | '.join(LABELS[n] for n in _CHANGED)} |", "|---" * (len(_CHANGED) + 2) + "|"]
    for label, by_score in all_changes(found):
        cells = [f"{values.mean():+.3f}, up in {(values > 0).sum()}" for values in by_score.values()]
        lines.append(f"| {label} | {len(by_score['mig'])} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _spread(values: np.ndarray) -> str:
    digits = 1 if np.abs(values).max() >= 10 else 3
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {values.std(ddof=1):.{digits}f}"


def draw_scores(found: Mapping[str, Any], scope: Scope, path: Path) -> None:
    """Bars of every score, with and without the term, and a dot for each seed."""
    rows = [(d, o) for d in scope.datasets for o in scope.objectives if series(found, d, o, "plain")]
    figure = Figure(figsize=(11, 2.3 * len(rows)), layout="constrained")
    axes: Any = figure.subplots(len(rows), 1, squeeze=False).ravel()
    for axis, (dataset, objective) in zip(axes, rows, strict=True):
        for place, (kind, colour) in enumerate(COMPARED.items()):
            scores = series(found, dataset, objective, kind)
            if not scores:
                continue
            x = np.arange(len(SHARES)) + 0.27 * (place - 1)
            label = KINDS[kind].label
            axis.bar(x, [scores[n].mean() for n in SHARES], 0.24, color=colour, label=label)
            for position, name in zip(x, SHARES, strict=True):
                axis.plot([position] * len(scores[name]), scores[name], ".", color="#18202c", ms=4)
        axis.set_title(f"{dataset}, {objective}", fontsize=10, loc="left")
        axis.set_ylim(0, 1)
        axis.set_xticks(range(len(SHARES)), [LABELS[n].replace(" ", "\n") for n in SHARES], fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False, fontsize=8, ncols=2)
    _save(figure, path)


def draw_changes(found: Mapping[str, Any], path: Path) -> None:
    """What every kind of term changes of some scores: a dot for each pair of runs of one seed, a bar for their mean."""
    rows = all_changes(found)
    if not rows:
        return
    figure = Figure(figsize=(11, 0.9 + 0.32 * len(rows)), layout="constrained")
    axes: Any = figure.subplots(1, len(_DRAWN), sharey=True)
    for axis, name in zip(axes, _DRAWN, strict=True):
        for place, (_, by_score) in enumerate(rows):
            values = by_score[name]
            axis.plot(values, [place] * len(values), ".", color="#1f4e9c", alpha=0.55, ms=6, mec="none")
            axis.plot([values.mean()] * 2, [place - 0.35, place + 0.35], color="#c2571a", lw=2)
        axis.axvline(0, color="#18202c", lw=0.8)
        axis.set_title(f"change of\n{LABELS[name]}", fontsize=9)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=7)
        axis.grid(axis="y", color="#e4e8ee", lw=0.6)
        axis.set_axisbelow(True)
    axes[0].set_yticks(range(len(rows)), [f"{label} ({len(b['mig'])})" for label, b in rows], fontsize=7)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    _save(figure, path)


def draw_curves(results: Path, found: Mapping[str, Any], scope: Scope, path: Path) -> None:
    """Reconstruction, KL divergence and quick MIG over the steps: thin lines are seeds."""
    columns = (("reconstruction", "reconstruction, nats"), ("kl", "KL divergence, nats"), ("quick_mig", "quick MIG"))
    rows = [(d, o) for d in scope.datasets for o in scope.objectives if series(found, d, o, "plain")]
    figure = Figure(figsize=(11, 2.4 * len(rows)), layout="constrained")
    axes: Any = figure.subplots(len(rows), len(columns), squeeze=False)
    for line, (dataset, objective) in zip(axes, rows, strict=True):
        for axis, (column, label) in zip(line, columns, strict=True):
            for kind, colour in COMPARED.items():
                for name in [n for n in found if n.startswith(f"{dataset}-{objective}-{kind}-")]:
                    history = np.genfromtxt(results / f"{name}.csv", delimiter=",", names=True)
                    known = ~np.isnan(history[column])
                    line_of = {"color": colour, "lw": 1, "label": KINDS[kind].label}
                    axis.plot(history["step"][known], history[column][known], **line_of)
            axis.set_title(f"{dataset}, {objective}: {label}", fontsize=9)
            axis.spines[["top", "right"]].set_visible(False)
            axis.tick_params(labelsize=7)
            if column == "reconstruction":
                axis.set_yscale("log")
    handles, labels = axes[0][0].get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes[0][0].legend(unique.values(), unique, frameon=False, fontsize=8)
    _save(figure, path)


def draw_traversals(work: Path, scope: Scope, path: Path) -> None:
    """Traversals of the first seed side by side: without the term on the left, with it on the right."""
    pictures = []
    for dataset in scope.datasets:
        for objective, seeds in scope.seeds.items():
            seed = seeds[0]
            pair = [work / f"{dataset}-{objective}-{kind}-{seed}" / "traversals.png" for kind in ("plain", "constant")]
            if all(picture.exists() for picture in pair):
                sheets = [Image.open(picture).convert("RGB") for picture in pair]
                # The upper rows: dimensions that carry something come first.
                pictures += [sheet.crop((0, 0, sheet.width, sheet.height // 2)) for sheet in sheets]
    if not pictures:
        return
    sheet = side_by_side(pictures, 2)
    smaller = sheet.resize((2 * sheet.width // 5, 2 * sheet.height // 5), Image.Resampling.LANCZOS)
    save_picture(smaller, path)


def measure_gradients(scope: Scope, work: Path, results: Path, batches: int = 150) -> None:
    """Norms of the gradients of the reconstruction and of the term, by both derivatives of the shift.

    Of models that were trained without the term, on the first seed; percentiles over batches of 64 images.
    """
    import torch

    from vae.data import load_dataset
    from vae.models import sample
    from vae.runs.folder import load_model
    from vae.topdis import TopDis
    from vae.training.step import draw_step, load_images, reconstruction_loss

    found = {}
    for dataset in scope.datasets:
        run = work / f"{dataset}-beta-plain-{_SEED}"
        if not (run / "model.safetensors").exists():
            continue
        model = load_model(run).requires_grad_(True)
        data = load_dataset(dataset, resolution=model.config.resolution)
        parameters = list(model.parameters())
        norms: dict[str, list[float]] = {
            "reconstruction": [],
            **{name: [] for name in options_of(TopDisSettings)["shift_gradient"].choices},
        }
        for batch in range(batches):
            draw = draw_step(data, 64, seed=_SEED, step=batch)
            images = load_images(data, draw.first, "cpu")
            mean, log_variance = model.encode(images)
            z = sample(mean, log_variance, torch.randn(mean.shape, generator=draw.rng))
            seed = int(draw.rng.initial_seed())
            losses = {"reconstruction": reconstruction_loss(model.decode(z), images)}
            for name in options_of(TopDisSettings)["shift_gradient"].choices:
                term, rng = TopDis(shift_gradient=name, threads=1), torch.Generator().manual_seed(seed)
                losses[name] = term(model.decode, z, probabilities=model.latent_weights.norm(dim=0), rng=rng)
            for name, loss in losses.items():
                if loss.requires_grad:
                    gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
                    squares = [g.square().sum() for g in gradients if g is not None]
                    norms[name].append(float(torch.stack(squares).sum().sqrt()))
        found[dataset] = {
            name: {str(q): round(float(np.percentile(values, q)), 1) for q in (50, 90, 99, 100)}
            for name, values in norms.items()
        }
        print(dataset, found[dataset], flush=True)
    write_json(results / "gradients.json", found)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=110)


def draw(scope: Scope, work: Path, results: Path, pictures: Path) -> None:
    """Prints the tables, keeps them, and draws the figures."""
    found = load(scope, results)
    if not found:
        sys.exit(f"no results in {results}: run this with train first")
    text = f"{table(found, scope)}\n{differences(found)}"
    print(text)
    write_text(results / "report.md", text)
    pictures.mkdir(parents=True, exist_ok=True)
    draw_scores(found, scope, pictures / "study-vae-scores.png")
    draw_changes(found, pictures / "study-vae-changes.png")
    draw_curves(results, found, scope, pictures / "study-vae-curves.png")
    draw_traversals(work, scope, pictures / "study-vae-traversals.png")


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", nargs="?", choices=["train", "gradients", "figures"], help="default: all")
    parser.add_argument("--quick", action="store_true", help="a small version, to see that everything runs")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at once, one thread each")
    parser.add_argument("--shard", metavar="I/N", help="only each N-th training, from the I-th on")
    parser.add_argument("--part-of", choices=list(PARTS), help="train this part instead of the first one")
    parser.add_argument("--only", default="", help="only trainings whose name contains this")
    parser.add_argument("--work", type=Path, default=_WORK, help="where the trainings are")
    arguments = parser.parse_args()
    scope, results, pictures = _WHOLE, _RESULTS, ROOT / "docs"
    if arguments.quick:
        scope, results, pictures = _QUICK, arguments.work / "results", arguments.work / "results"
    results.mkdir(parents=True, exist_ok=True)
    if arguments.part in (None, "train"):
        chosen = [training for training in trainings(scope, arguments.part_of) if arguments.only in training.name]
        try:
            shard = None if arguments.shard is None else parse_shard(arguments.shard)
            where = Placement(processes=arguments.jobs, shard=shard)
            train(chosen, arguments.work, results, scope.metrics, where)
        except SharesMissing as missing:
            print(f"\n{missing}")
        except GanwalkError as error:
            sys.exit(f"\n{error}")
    if arguments.part in (None, "gradients"):
        measure_gradients(scope, arguments.work, results, 1 if arguments.quick else 150)
    if arguments.part in (None, "figures"):
        draw(scope, arguments.work, results, pictures)


if __name__ == "__main__":
    main()
