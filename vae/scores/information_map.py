"""A picture of mutual information: codes against factors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.files import atomic_path
from ganwalk.pictures.fonts import of_people, readable
from vae.scores.tables import INK


def draw_map(
    table: np.ndarray, row_names: Sequence[str], factor_names: Sequence[str], path: Path, *, rows: str
) -> None:
    """Draws mutual information (D, F) in nats.

    Args:
        row_names: of the D rows, from top to bottom.
        factor_names: of the F columns.
        rows: what the rows are, for the axis.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.9 + 0.75 * len(factor_names), 1.4 + 0.36 * len(table)), layout="constrained")
    axis: Any = figure.subplots()
    picture = axis.imshow(table, cmap="Blues", vmin=0, aspect="auto")
    names = [readable(name.replace("_", " ")) for name in factor_names]
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right", rotation_mode="anchor", **of_people(names))
    names = [readable(name) for name in row_names]
    axis.set_yticks(range(len(table)), names, **of_people(names))
    middle = float(table.max()) / 2
    for (row, column), value in np.ndenumerate(table):
        if value >= 0.05:
            ink = "white" if value > middle else INK
            axis.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=ink)
    axis.set_ylabel(rows, fontsize=9, color=INK)
    axis.set_title("mutual information, nats", fontsize=10, color=INK)
    axis.tick_params(labelsize=9, length=0)
    figure.colorbar(picture, ax=axis, shrink=0.8).ax.tick_params(labelsize=8)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=120)
