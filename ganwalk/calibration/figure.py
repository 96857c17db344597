"""One picture of what was measured: for each direction its curves, and pictures at an even pace up to its reach."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.calibration.curves import Curves
from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.directions.reach import Reach
from ganwalk.files import atomic_path
from ganwalk.generators.base import Generator
from ganwalk.pictures.fonts import of_people, readable
from ganwalk.pictures.sheets import cell_of, resize
from ganwalk.rendering.images import is_zero, traverse, unmoved_pictures
from ganwalk.samples import Samples

_BLUE, _ORANGE, _GREY, _INK = "#1f4e9c", "#c2571a", "#9aa0ac", "#181c24"
_DPI = 100
_ROW = 1.25
# Between the name of a direction, which may be its number alone, and the numbers of its axis.
_PAD = 12


def walk_pictures(
    generator: Generator,
    directions: Directions,
    reach: Reach,
    shown: Sequence[int],
    samples: Samples,
    *,
    columns: int,
    batch: int,
) -> list[np.ndarray]:
    """Pictures (columns, h, w, 3) of one sample along each shown direction, from end to end at an even pace.

    Args:
        generator: of whole images, or of previews of them.
    """
    positions = np.linspace(-1, 1, columns).tolist()
    unmoved = unmoved_pictures(generator, directions, positions, samples, batch=batch)
    rows = []
    for index in shown:
        # 0 is given as such, so that the sample itself is not made again.
        amplitudes = [0.0 if is_zero(at) else reach.amplitude(index, at) for at in positions]
        made = traverse(generator, directions, [Move(index)], amplitudes, samples, unmoved=unmoved, batch=batch)
        rows.append(made[0])
    return rows


def save_figure(
    path: Path,
    directions: Directions,
    curves: Curves,
    reach: Reach,
    shown: Sequence[int],
    pictures: Sequence[np.ndarray],
    *,
    caption: str,
    mark: str,
) -> None:
    """Writes a PNG with a row for each shown direction.

    Args:
        pictures: of `walk_pictures`.
        mark: what tells that it is of these directions (`ganwalk.rendering.naming`).
    """
    from matplotlib.figure import Figure

    columns = len(pictures[0])
    figure = Figure(figsize=(6.5 + _ROW * columns, 1.1 + _ROW * len(shown)), dpi=_DPI, layout="constrained")
    grid = figure.add_gridspec(len(shown), 2, width_ratios=[5.5, _ROW * columns])
    amplitudes = curves.amplitudes.numpy()
    highest = max(1e-12, float(curves.change[list(shown)].max()))
    for row, (index, cells) in enumerate(zip(shown, pictures, strict=True)):
        axes: Any = figure.add_subplot(grid[row, 0])
        _draw_curves(axes, curves, reach, index, amplitudes, highest)
        title = _wrapped(readable(directions.title(index)))
        axes.set_ylabel(title, rotation=0, ha="right", va="center", fontsize=9, labelpad=_PAD, **of_people([title]))
        axes.tick_params(labelsize=7, labelbottom=row == len(shown) - 1)
        strip: Any = figure.add_subplot(grid[row, 1])
        _draw_strip(strip, reach, index, cells)
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside upper left", ncol=3)
    figure.supxlabel(caption, fontsize=9, color=_INK)
    with atomic_path(path) as partial:
        figure.savefig(partial, format="png", metadata={"Source": mark})


def _draw_curves(axes: Any, curves: Curves, reach: Reach, index: int, amplitudes: np.ndarray, highest: float) -> None:
    """Shares of samples and the change per σ against the amplitude, backwards to the left."""
    both = np.concatenate([-amplitudes[:0:-1], amplitudes])
    low, high = reach.ends_of(index)
    axes.axvspan(low, high, color=_BLUE, alpha=0.1, lw=0, label="the reach")
    axes.plot(both, _both_ways(curves.ended[index].numpy()), color=_BLUE, lw=1.6, label="samples that have ended")
    if curves.saturated is not None:
        values = _both_ways(curves.saturated[index].numpy())
        axes.plot(both, values, color=_ORANGE, lw=1, label="samples with clamped pixels")
    middles = (amplitudes[1:] + amplitudes[:-1]) / 2
    change = (curves.change[index] / highest).numpy()
    axes.plot(
        np.concatenate([-middles[::-1], middles]),
        np.concatenate([change[0, ::-1], change[1]]),
        color=_GREY,
        lw=1,
        ls="--",
        label="change per σ (of the largest)",
    )
    axes.axhline(reach.share, color=_GREY, lw=0.6, ls=":", label=f"{100 * reach.share:g} % of samples, where it ends")
    axes.set_ylim(0, 1.03)
    axes.set_xlim(both[0], both[-1])
    axes.set_yticks([0, 0.5, 1])
    axes.spines[["top", "right"]].set_visible(False)


def _draw_strip(axes: Any, reach: Reach, index: int, cells: np.ndarray) -> None:
    """The pictures side by side, and the amplitude of each below."""
    height, width = cell_of((cells.shape[1], cells.shape[2]))
    axes.imshow(np.concatenate([np.asarray(resize(cell, (height, width))) for cell in cells], axis=1))
    positions = np.linspace(-1, 1, len(cells)).tolist()
    words = ["0" if is_zero(at) else f"{reach.amplitude(index, at):+.1f}".replace("-", "−") for at in positions]
    axes.set_xticks([(k + 0.5) * width for k in range(len(cells))], words, fontsize=7)
    axes.tick_params(length=0, pad=1)
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _both_ways(values: np.ndarray) -> np.ndarray:
    """Values (2, m + 1), backwards first, in the order of the amplitudes."""
    return np.concatenate([values[0, :0:-1], values[1]])


def _wrapped(title: str) -> str:
    return "\n".join(textwrap.wrap(title, 16)[:4])
