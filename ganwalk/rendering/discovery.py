"""What a discovery writes: the directions, the numbers, and pictures of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwalk.directions import DIRECTIONS_FILE
from ganwalk.directions.files import replace_directions
from ganwalk.discovery.results import Basis, DiscoveryResult
from ganwalk.files import atomic_path, write_json
from ganwalk.generators.base import Generator
from ganwalk.generators.preview import FAITHFUL, fit_preview
from ganwalk.pictures.sheets import save_picture
from ganwalk.rendering.grids import SHEET_ROWS, overview_grid
from ganwalk.rtd import plot_barcodes
from ganwalk.samples import DrawnSamples

# Barcodes drawn: more panels than this are too small to read.
_BARCODES = 12
# Pixels on a side up to which the sheet is made of whole images, and directions shown where each takes a second.
_WHOLE_PICTURES = 128
_FEW_ROWS = 4
# Whole images that previews are fitted to.
_FITTED = 3
# Of the found basis, and colours and lines of those that it is compared with.
_FOUND = "#1f4e9c"
_STYLES: dict[str, Any] = {
    "pca": ("#c2571a", "--"),
    "random": ("#5b5b5b", ":"),
    "sefa": ("#2e7d4f", "-."),
    "jacobian": ("#7a4fa3", (0, (1, 1))),
    "local": ("#9c8420", (0, (5, 1, 1, 1))),
    "rtd": ("#1f4e9c", ":"),
    "all layers": ("#7a3b3b", "--"),
}


@dataclass(frozen=True)
class Sheet:
    """How the sheet of a discovery is drawn.

    Attributes:
        generator: what draws it: the generator, or a preview of it.
        columns: amplitudes.
        rows: directions at most.
        note: for the caption.
    """

    generator: Any
    columns: int
    rows: int = SHEET_ROWS
    note: str = ""


def sheet_of(generator: Generator) -> Sheet:
    """The sheet that takes seconds: whole images, previews where images take long, or few images where these fail."""
    if generator.resolution <= _WHOLE_PICTURES:
        return Sheet(generator, 7)
    preview = fit_preview(generator, samples=_FITTED)
    if preview is not None and preview.fit >= FAITHFUL:
        return Sheet(preview, 5, note=f"previews of {preview.resolution} px")
    return Sheet(generator, 3, _FEW_ROWS)


def sheet_seconds(generator: Generator) -> float:
    """Roughly what the pictures of a discovery take."""
    return 3.0 if generator.resolution <= _WHOLE_PICTURES else 20.0


def write_outputs(result: DiscoveryResult, generator: Generator, out: Path, sheet: Sheet | None = None) -> list[Path]:
    """Writes everything into the folder `out` and returns the paths, the directions last.

    The pictures come first: directions that exist are directions whose pictures are theirs. Names that people gave to
    directions in their place pass to the same ones, or are kept in a file beside.

    Args:
        sheet: how pictures are drawn, from `sheet_of`; None makes it.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in ("loss.png", "barcodes.png", "preview.png", "metrics.json", DIRECTIONS_FILE)]
    loss, barcodes, preview, metrics, directions = paths
    if result.history:
        plot_history(result, loss)
    else:
        # A closed form has no history; a picture of an earlier run would not be its own.
        loss.unlink(missing_ok=True)
        paths.remove(loss)
    found = result.bases[0]
    bars = found.scores.barcodes[:_BARCODES]
    titles = [f"direction {k}" for k in range(len(bars))]
    with atomic_path(barcodes) as partial:
        plot_barcodes(bars, partial, titles=titles)
    sheet = sheet or sheet_of(generator)
    picture = overview_grid(
        sheet.generator,
        result.directions,
        DrawnSamples((result.settings.seed,), class_index=result.settings.class_index),
        amplitude=result.settings.amplitude,
        steps=sheet.columns,
        most=sheet.rows,
        note=sheet.note,
        batch=result.settings.view().chunk,
    )
    save_picture(picture, preview)
    write_json(metrics, result.metrics())
    kept = replace_directions(directions, result.directions)
    return paths if kept is None else [kept, *paths]


def plot_history(result: DiscoveryResult, path: Path) -> None:
    """The loss of every step and on the held batch; for RTD also the other bases' levels.

    The levels are the generator's: beside the curve of a search on a student they are a panel of their own.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    topological = result.settings.method in ("rtd", "auto")
    bases = result.bases if topological and not result.early else ()
    apart = result.student is not None and len(bases) > 1
    figure = Figure(figsize=(12, 4) if apart else (9, 4), layout="constrained")
    panels: Any = figure.subplots(1, 2 if apart else 1, squeeze=False, width_ratios=[2, 1] if apart else None)[0]
    axes = panels[0]
    steps = [row for row in result.history if "loss" in row]
    held = [row for row in result.history if "held" in row]
    if steps:
        x = [row["step"] for row in steps]
        axes.plot(x, [row["loss"] for row in steps], color="#b8c4d6", lw=0.7, label="loss of each step")
    axes.plot(
        [row["step"] for row in held],
        [row["held"] for row in held],
        color=_FOUND,
        lw=2,
        marker="o",
        ms=3,
        label="held batch, all directions",
    )
    if apart:
        _plot_levels(panels[1], bases)
    else:
        for basis in bases[1:]:
            colour, line = _STYLES[basis.name]
            axes.axhline(basis.scores.mean_rtd, color=colour, ls=line, lw=1.5, label=f"{_called(basis)} basis")
    axes.set_xlabel("step" if result.student is None else "step on the student")
    axes.set_ylabel("RTD (lower keeps the shape better)" if topological else f"loss of {result.settings.method}")
    # Steps are whole, also where there are few.
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    # Beside the curves, which may be anywhere.
    figure.legend(loc="outside right upper", frameon=False, fontsize=9)
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=130)


def _plot_levels(axes: Any, bases: Sequence[Basis]) -> None:
    """What bases score on the generator: a bar for each, the found one first."""
    levels = [basis.scores.mean_rtd for basis in bases]
    colours = [_FOUND, *(_STYLES[basis.name][0] for basis in bases[1:])]
    bars = axes.barh(range(len(bases)), levels, color=colours, height=0.6)
    axes.bar_label(bars, fmt="{:.3g}", padding=3, fontsize=9)
    axes.margins(x=0.2)
    axes.set_yticks(range(len(bases)), ["found", *map(_called, bases[1:])])
    axes.invert_yaxis()
    axes.set_xlabel("RTD on the generator, mean of all directions")


def _called(basis: Basis) -> str:
    return "PCA" if basis.name == "pca" else basis.name
