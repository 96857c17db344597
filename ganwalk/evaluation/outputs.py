"""What an evaluation writes: everything as JSON, a row for each direction as CSV, and one figure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ganwalk.errors import one_line
from ganwalk.evaluation.representation.encoder import ENCODER_FILE
from ganwalk.evaluation.result import Evaluation
from ganwalk.files import atomic_path, write_csv, write_json
from ganwalk.pictures.fonts import of_people, readable

EVALUATION_FILE = "evaluation.json"
_BLUE, _ORANGE, _GREY = "#1f4e9c", "#c2571a", "#5b5b5b"
# Cells of a heat map, up to which each shows its number.
_NUMBERED = 240


def write_outputs(evaluation: Evaluation, out: Path) -> list[Path]:
    """Writes evaluation.png, evaluation.csv and evaluation.json into the folder `out` and returns the paths.

    An encoder that was trained is written, too, before the scores of its codes.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / "evaluation.png", out / "evaluation.csv", out / EVALUATION_FILE]
    figure, table, facts = paths
    if evaluation.representation is not None:
        encoder = out / ENCODER_FILE
        evaluation.representation.encoder.save(encoder)
        paths.insert(0, encoder)
    plot_evaluation(evaluation, figure)
    write_csv(table, evaluation.rows())
    write_json(facts, evaluation.to_json())
    return paths


def plot_evaluation(evaluation: Evaluation, path: Path) -> None:
    """Heat maps of effects and |cosine|, where there are any, beside bars of what each direction does."""
    from matplotlib.figure import Figure

    n = evaluation.directions
    maps: list[tuple[str, Tensor, tuple[str, ...], str]] = []
    if evaluation.effects is not None:
        scores = evaluation.effects
        title = (
            f"effect on factors (σ per σ), overall {scores.overall:.2f}\ndisentanglement {scores.disentanglement:.2f}"
        )
        title += f", completeness {scores.completeness:.2f}"
        maps.append((title, scores.matrix, scores.factors, "Blues"))
    if evaluation.axes is not None:
        title = f"|cosine| with true axes\nmean {evaluation.axes.mean_cosine:.2f}, MCC {evaluation.axes.mcc:.2f}"
        maps.append((title, evaluation.axes.cosines, evaluation.axes.axes, "Oranges"))
    bars: list[tuple[str, Tensor, str]] = [
        ("RTD", evaluation.topology.rtd, _BLUE),
        ("image change", evaluation.topology.displacement, _GREY),
        ("distinctness", evaluation.changes.distinctness, _GREY),
    ]
    if evaluation.reconstruction is not None:
        bars.append(("recall of the\nreconstructor", evaluation.reconstruction.recall, _ORANGE))
    if evaluation.representation is not None:
        bars.append(("fit of the\nencoder (R²)", evaluation.representation.encoder.fit, _ORANGE))
    widths = [min(24.0, max(3.0, 0.62 * len(names))) for _, _, names, _ in maps] + [1.5] * len(bars)
    height = 1.9 + max(1.6, 0.3 * n)
    figure = Figure(figsize=(sum(widths) + 1.0, min(height, 60.0)), layout="constrained")
    panels: Any = figure.subplots(1, len(widths), width_ratios=widths, sharey=True, squeeze=False)[0]
    for panel, (title, matrix, names, colours) in zip(panels, maps, strict=False):
        _heat_map(panel, matrix.numpy(), names, colours)
        panel.set_title(title, fontsize=9)
    for panel, (title, values, colour) in zip(panels[len(maps) :], bars, strict=True):
        _draw_bars(panel, values.numpy(), colour)
        panel.set_title(title, fontsize=9)
        if title not in ("RTD", "image change"):
            panel.set_xlim(0, 1)
            panel.set_xticks([0, 0.5, 1])
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8)
    panels[0].set_ylabel("direction")
    step = -(-n // 40)
    panels[0].set_yticks(range(0, n, step))
    panels[0].set_ylim(n - 0.5, -0.5)
    title = readable(
        f"{one_line(evaluation.method, 40)} directions of {one_line(Path(evaluation.generator).name, 60)}, "
        f"shifts of {evaluation.settings.amplitude:g} σ"
    )
    if evaluation.latents:
        title += f"\naround {readable(one_line(evaluation.latents, 90))}"
    figure.suptitle(title, fontsize=10, **of_people([title]))
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=130)


def _draw_bars(panel: Any, values: np.ndarray, colour: str) -> None:
    """A bar for each direction; what has no value, and what is below zero, where there is no room, say so in words."""
    panel.barh(range(len(values)), np.nan_to_num(values), 0.7, color=colour)
    for place, value in enumerate(values):
        words = "no value" if np.isnan(value) else f"{value:.2f}".replace("-", "−") if value < 0 else ""
        ink = _GREY if np.isnan(value) else colour
        # Beside the axis, whatever is left of it.
        move = {"xytext": (3, 0), "textcoords": "offset points"}
        if words:
            panel.annotate(words, (0, place), va="center", fontsize=7, color=ink, **move)


def _heat_map(panel: Any, matrix: np.ndarray, names: tuple[str, ...], colours: str) -> None:
    """A matrix (n, columns) from white for zero, with its numbers where there is room for them."""
    top = max(1.0, float(matrix.max()))
    panel.imshow(matrix, cmap=colours, vmin=0, vmax=top, aspect="auto", interpolation="nearest")
    shown = [readable(one_line(name, 24)) for name in names]
    panel.set_xticks(range(len(names)), shown, rotation=40, ha="right", fontsize=8, **of_people(shown))
    for label in panel.get_xticklabels():
        label.set_rotation_mode("anchor")
    panel.tick_params(length=0, labelsize=8)
    if matrix.size > _NUMBERED:
        return
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if value > 0.6 * top else "black"
        panel.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=7, color=colour)
