"""Several runs on one data set, side by side: their scores, and how far their codes agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.files import atomic_path, write_json, write_text
from vae.data.base import ImageData
from vae.evaluation import ModelScores, draw_rows, encode
from vae.metrics import UDR, kl_per_dimension, udr
from vae.models import VAE
from vae.outputs import LABELS, SHARES

# Of Duan et al. (2020), who use as many images.
_ROWS = 1000
_COLOURS = ("#1f4e9c", "#c2571a", "#4a8f5c", "#8a5a9e", "#b8963a", "#5b6b80", "#a33b52", "#3a8fa3")


@dataclass(frozen=True)
class Agreement:
    """Unsupervised Disentanglement Ranking of runs (Duan et al., ICLR 2020), by its two measures of similarity."""

    lasso: UDR
    spearman: UDR


def agreement(models: Sequence[VAE], data: ImageData, *, seed: int = 0) -> Agreement:
    """How far two or more models agree on the codes of the same images, up to order and sign."""
    codes = [encode(model, data, draw_rows(data, _ROWS, seed)) for model in models]
    means = [found.mean for found in codes]
    kls = [kl_per_dimension(found.mean, found.log_variance) for found in codes]
    return Agreement(udr(means, kls, similarity="lasso"), udr(means, kls, similarity="spearman"))


def write_comparison(
    folder: Path, runs: Sequence[Path], scores: Sequence[ModelScores], found: Agreement | None
) -> list[Path]:
    """Writes comparison.csv, comparison.json and comparison.png; `found` is None where runs have different data."""
    paths = [folder / f"comparison.{suffix}" for suffix in ("csv", "json", "png")]
    rows: list[dict[str, Any]] = []
    for place, (run, score) in enumerate(zip(runs, scores, strict=True)):
        row: dict[str, Any] = {"run": str(run), **{name: round(value, 6) for name, value in score.values.items()}}
        if found is not None:
            row["udr_lasso"] = round(float(found.lasso.scores[place]), 6)
            row["udr_spearman"] = round(float(found.spearman.scores[place]), 6)
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(paths[0], text.getvalue())
    pairwise = (
        None
        if found is None
        else {
            "lasso": found.lasso.pairwise.round(6).tolist(),
            "spearman": found.spearman.pairwise.round(6).tolist(),
        }
    )
    write_json(paths[1], {"runs": rows, "udr_pairwise": pairwise})
    draw_comparison(runs, scores, paths[2])
    return paths


def draw_comparison(runs: Sequence[Path], scores: Sequence[ModelScores], path: Path) -> None:
    """Bars of every score that lies between 0 and 1, a colour for each run."""
    from matplotlib.figure import Figure

    names = [name for name in SHARES if all(name in score.values for score in scores)] or ["mse"]
    figure = Figure(figsize=(1.5 + 0.85 * len(names), 3.6), layout="constrained")
    axis: Any = figure.subplots()
    width = 0.8 / len(runs)
    for place, (run, score) in enumerate(zip(runs, scores, strict=True)):
        x = np.arange(len(names)) + width * (place - (len(runs) - 1) / 2)
        colour = _COLOURS[place % len(_COLOURS)]
        axis.bar(x, [score.values[name] for name in names], width * 0.92, color=colour, label=run.name)
    axis.set_xticks(range(len(names)), [LABELS[name].replace(" ", "\n") for name in names], fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
