"""Several runs on one data set, side by side: their scores, and how far their codes agree."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.files import atomic_path, read_text, write_csv, write_json
from ganwalk.standings import Standing, how_sure, standing
from vae.data.base import ImageData
from vae.metrics import UDR, kl_per_dimension, udr
from vae.models import VAE
from vae.scores.centrality import Centrality, model_centrality
from vae.scores.evaluation import ModelScores, draw_rows, encode
from vae.scores.tables import COLOURS, LABELS, SHARES
from vae.settings import TrainingSettings, run_name, to_json

# Of Duan et al. (2020), who use as many images.
_ROWS = 1000


@dataclass(frozen=True)
class ScoredRun:
    """A run's folder, what it was trained with, and its scores."""

    folder: Path
    settings: TrainingSettings
    scores: ModelScores


@dataclass(frozen=True)
class Group:
    """Runs whose settings differ in nothing but the seed.

    Attributes:
        label: of tables and pictures, no two the same.
        places: of its runs among all.
        means, deviations: of the scores that all have; standard deviations only of two or more runs.
    """

    label: str
    places: tuple[int, ...]
    means: Mapping[str, float]
    deviations: Mapping[str, float]


@dataclass(frozen=True)
class Agreement:
    """Unsupervised Disentanglement Ranking of runs (Duan et al., ICLR 2020), by its two measures of similarity.

    Attributes:
        centrality: ModelCentrality (Lin et al., ICML 2020), if it was asked for.
    """

    lasso: UDR
    spearman: UDR
    centrality: Centrality | None = None


def agreement(models: Sequence[VAE], data: ImageData, *, seed: int = 0, centrality: bool = False) -> Agreement:
    """How far two or more models agree on the codes of the same images, up to order and sign.

    Args:
        centrality: also measure it, for which every model encodes what every other one paints.
    """
    codes = [encode(model, data, draw_rows(data, _ROWS, seed)) for model in models]
    means = [found.mean for found in codes]
    kls = [kl_per_dimension(found.mean, found.log_variance) for found in codes]
    central = model_centrality(models, seed=seed) if centrality else None
    return Agreement(udr(means, kls, similarity="lasso"), udr(means, kls, similarity="spearman"), central)


def udr_scores(found: UDR, groups: Sequence[Group]) -> dict[int, float]:
    """UDR of runs by their place: as in the paper, medians of comparisons with the runs of the same settings alone.

    Runs without such a partner have none.
    """
    scores = {}
    for group in groups:
        for place in group.places:
            others = [other for other in group.places if other != place]
            if others:
                scores[place] = float(np.median(found.pairwise[others, place]))
    return scores


def with_udr(runs: Sequence[ScoredRun], found: Agreement) -> list[ScoredRun]:
    """The same runs, with their centrality and, where there are other seeds, their UDR among their scores."""
    groups = grouped(runs)
    values = [dict(run.scores.values) for run in runs]
    for name, measure in (("udr_lasso", found.lasso), ("udr_spearman", found.spearman)):
        for place, score in udr_scores(measure, groups).items():
            values[place][name] = score
    if found.centrality is not None:
        for own, score in zip(values, found.centrality.scores.tolist(), strict=True):
            own["centrality"] = score
    return [replace(run, scores=replace(run.scores, values=v)) for run, v in zip(runs, values, strict=True)]


def grouped(runs: Sequence[ScoredRun]) -> list[Group]:
    """Runs by their settings without the seed, in the order of their first run."""
    places: dict[str, list[int]] = {}
    for place, run in enumerate(runs):
        settings = {name: value for name, value in to_json(run.settings).items() if name != "seed"}
        places.setdefault(json.dumps(settings, sort_keys=True), []).append(place)
    found = list(places.values())
    labels = _labels([[runs[place] for place in group] for group in found])
    return [_group(label, group, runs) for label, group in zip(labels, found, strict=True)]


def _group(label: str, places: Sequence[int], runs: Sequence[ScoredRun]) -> Group:
    return Group(label, tuple(places), *spread_of([runs[place].scores.values for place in places]))


def spread_of(runs: Sequence[Mapping[str, float]]) -> tuple[dict[str, float], dict[str, float]]:
    """Means of the scores of one run or more, by name, and their standard deviations, none of one run."""
    values = {name: np.array([scores[name] for scores in runs]) for name in runs[0]}
    means = {name: float(found.mean()) for name, found in values.items()}
    deviations = {name: float(found.std(ddof=1)) for name, found in values.items()} if len(runs) > 1 else {}
    return means, deviations


def _labels(groups: Sequence[Sequence[ScoredRun]]) -> list[str]:
    """Short labels where they tell groups apart, else whole paths."""
    short, long = [], []
    for group in groups:
        first = group[0]
        count = f", {len(group)} runs" if len(group) > 1 else ""
        name = run_name(first.settings).removesuffix(f"-seed{first.settings.seed}") if count else first.folder.name
        short.append(name + count)
        long.append(str(first.folder) + count)
    counts = Counter(short)
    return [path if counts[name] > 1 else name for name, path in zip(short, long, strict=True)]


def standings(runs: Sequence[ScoredRun], groups: Sequence[Group]) -> dict[str, Standing]:
    """Groups by each score of disentanglement, and what their differences with the same seeds tell.

    Several runs of a group with one seed count as their mean. Of one group, and of different data, there are none.
    """
    found: dict[str, Standing] = {}
    if len(groups) < 2 or len({(run.settings.dataset, run.settings.resolution) for run in runs}) > 1:
        return found
    for name in SHARES:
        values = {group.label: _by_seed([runs[place] for place in group.places], name) for group in groups}
        ranked = standing(values)
        if ranked is not None:
            found[name] = ranked
    return found


def _by_seed(runs: Sequence[ScoredRun], name: str) -> dict[int, float]:
    values: dict[int, list[float]] = {}
    for run in runs:
        if math.isfinite(run.scores.values.get(name, math.nan)):
            values.setdefault(run.settings.seed, []).append(run.scores.values[name])
    return {seed: float(np.mean(own)) for seed, own in values.items()}


def standing_lines(runs: Sequence[ScoredRun], groups: Sequence[Group]) -> list[str]:
    """A line for each score whose groups share two seeds or more: who is first, and how sure that is."""
    return [
        f"by {LABELS[name]}, {found.first} is first, {how_sure(found)}"
        for name, found in standings(runs, groups).items()
        if found.comparisons
    ]


def write_comparison(
    folder: Path, runs: Sequence[ScoredRun], groups: Sequence[Group], found: Agreement | None
) -> list[Path]:
    """Writes comparison.csv, comparison.json and comparison.png; `found` is None where runs have different data.

    The JSON file has UDR of all pairs of runs, and the differences of all pairs of groups on the same data; UDR of each
    run is among its scores, see `with_udr`.
    """
    paths = [folder / f"comparison.{suffix}" for suffix in ("csv", "json", "png")]
    rows: list[dict[str, Any]] = [{"run": str(run.folder), **_rounded(run.scores.values)} for run in runs]
    write_csv(paths[0], rows)
    settings = [
        {
            "label": group.label,
            "runs": [str(runs[place].folder) for place in group.places],
            "mean": _rounded(group.means),
            "std": _rounded(group.deviations),
        }
        for group in groups
    ]
    pairwise = (
        None
        if found is None
        else {
            "lasso": found.lasso.pairwise.round(6).tolist(),
            "spearman": found.spearman.pairwise.round(6).tolist(),
        }
    )
    central = None if found is None or found.centrality is None else found.centrality.pairwise.round(6).tolist()
    ranked = {name: found.to_json() for name, found in standings(runs, groups).items()}
    facts = {"runs": rows, "settings": settings, "standings": ranked, "udr_pairwise": pairwise}
    write_json(paths[1], facts if central is None else {**facts, "centrality_pairwise": central})
    draw_comparison(runs, groups, paths[2])
    return paths


def holds_other_comparison(folder: Path, runs: Sequence[Path]) -> bool:
    """Whether a folder holds a comparison of runs that are not all among these."""
    try:
        rows = json.loads(read_text(folder / "comparison.json"))["runs"]
        return not {row["run"] for row in rows} <= {str(run) for run in runs}
    except FileNotFoundError:
        return False
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # Of somebody else.
        return True


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 6) for name, value in values.items()}


def draw_comparison(runs: Sequence[ScoredRun], groups: Sequence[Group], path: Path) -> None:
    """Bars of every score that lies between 0 and 1; of several seeds means, their deviations, and a dot for each."""
    from matplotlib.figure import Figure

    names = [name for name in SHARES if all(name in group.means for group in groups)] or ["mse"]
    figure = Figure(figsize=(3.5 + 0.85 * len(names), 3.6), layout="constrained")
    axis: Any = figure.subplots()
    width = 0.8 / len(groups)
    for turn, group in enumerate(groups):
        x = np.arange(len(names)) + width * (turn - (len(groups) - 1) / 2)
        colour = COLOURS[turn % len(COLOURS)]
        axis.bar(x, [group.means[name] for name in names], width * 0.92, color=colour, label=group.label)
        if not group.deviations:
            continue
        heights, lengths = ([part[name] for name in names] for part in (group.means, group.deviations))
        axis.errorbar(x, heights, lengths, fmt="none", ecolor="#18202c", elinewidth=1, capsize=2)
        for place in group.places:
            values = [runs[place].scores.values[name] for name in names]
            axis.plot(x, values, "o", ms=2.5, color="white", mec="#18202c", mew=0.5)
    axis.set_xticks(range(len(names)), [LABELS[name].replace(" ", "\n") for name in names], fontsize=8)
    axis.set_ylim(bottom=0)
    axis.spines[["top", "right"]].set_visible(False)
    for text in axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1)).get_texts():
        # Groups are called after folders: a $ in them begins no formula.
        text.set_parse_math(False)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
