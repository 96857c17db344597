"""Pictures of barcodes and of tables of divergences."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganwalk.pictures.fonts import of_people, readable
from ganwalk.rtd.barcode import Barcode

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_barcodes(
    barcodes: Sequence[Barcode], path: Path | str, *, titles: Sequence[str] | None = None, columns: int = 4
) -> None:
    """Draws one panel of horizontal bars per barcode, by birth, on common axes, and writes the picture to `path`.

    Raises:
        ValueError: there is no barcode, or the titles are not as many.
    """
    from matplotlib.figure import Figure

    if not barcodes:
        raise ValueError("there is no barcode to plot")
    titles = titles if titles is not None else [""] * len(barcodes)
    if len(titles) != len(barcodes):
        raise ValueError(f"{len(titles)} titles for {len(barcodes)} barcodes")
    columns = min(columns, len(barcodes))
    rows = -(-len(barcodes) // columns)
    figure = Figure(figsize=(3.1 * columns, 2.5 * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True)
    most = max(len(barcode) for barcode in barcodes)
    for axes in grid.flat[len(barcodes) :]:
        axes.remove()
    for axes, barcode, title in zip(grid.flat, barcodes, titles, strict=False):
        _draw(axes, barcode, title, most)
    for axes in grid.flat[max(0, len(barcodes) - columns) : len(barcodes)]:
        # Below it there is no panel whose labels would do.
        axes.tick_params(labelbottom=True)
    figure.supxlabel("distance in units of the 0.9 quantile", fontsize=9)
    figure.savefig(path, dpi=130)


def plot_barcode(barcode: Barcode, path_or_axes: Path | str | Axes, *, title: str = "") -> None:
    """Draws one barcode, and writes the picture if given a path rather than matplotlib's axes."""
    if isinstance(path_or_axes, (str, Path)):
        plot_barcodes([barcode], path_or_axes, titles=[title])
    else:
        _draw(path_or_axes, barcode, title, len(barcode))


def _draw(axes: Axes, barcode: Barcode, title: str, most: int) -> None:
    """One panel of horizontal bars by birth, with room for `most` of them."""
    order = barcode.births.argsort()
    axes.hlines(range(len(barcode)), barcode.births[order], barcode.deaths[order], color="#1f4e9c", lw=1.6)
    axes.set_ylim(-1, max(most, 1))
    axes.set_yticks([])
    title = readable(title)
    axes.set_title(title, fontsize=9, **of_people([title]))
    axes.spines[["top", "right", "left"]].set_visible(False)


def plot_matrix(values: np.ndarray, names: Sequence[str], path: Path | str, *, title: str = "") -> None:
    """Draws a table (k, k) of numbers between k things as a heat map, with each number in its cell, to `path`."""
    from matplotlib.figure import Figure

    side = max(3.0, 1.6 + 0.62 * len(names))
    figure = Figure(figsize=(side + 0.9, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(values, cmap="Blues")
    shown = [readable(name) for name in names]
    drawing: dict[str, Any] = {"fontsize": 9, **of_people(shown)}
    axes.set_xticks(range(len(names)), shown, rotation=45, ha="right", rotation_mode="anchor", **drawing)
    axes.set_yticks(range(len(names)), shown, **drawing)
    middle = (values.min() + values.max()) / 2
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > middle else "#181c24"
        axes.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour, fontsize=8)
    axes.spines[:].set_visible(False)
    axes.set_title(title, fontsize=10)
    figure.colorbar(image, shrink=0.8)
    figure.savefig(path, dpi=130)
