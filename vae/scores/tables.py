"""Scores as people read them: what they are called, in which order, and tables in text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vae.metrics.scores import SCORES

INK = "#18202c"
"""Of the letters in pictures."""

# Colours of what a picture tells apart, the project's own first; after the last, lines of another style begin anew.
COLOURS = ("#1f4e9c", "#c2571a", "#4a8f5c", "#8a5a9e", "#b8963a", "#5b6b80", "#a33b52", "#3a8fa3")

LABELS: Mapping[str, str] = {
    **SCORES,
    "bce": "reconstruction, nats",
    "mse": "mean squared error",
    "psnr": "PSNR, dB",
    "kl": "KL divergence, nats",
    "udr_lasso": "UDR by lasso",
    "udr_spearman": "UDR by ranks",
    "centrality": "ModelCentrality",
}
"""Names of the scores of a model, and what tables and pictures call them."""

SHARES = tuple(name for name in SCORES if name not in ("active_units", "dci_es_size", "dhsic"))
"""Scores of disentanglement, which lie between 0 and 1, the best of them."""

# Decimals of what is small where it is good; of the rest three.
_DECIMALS = {"dhsic": 5}


def score_table(
    scores: Sequence[Mapping[str, float]],
    titles: Sequence[str] = ("",),
    spreads: Sequence[Mapping[str, float]] | None = None,
) -> list[str]:
    """Lines of a table: a row for each score, a column for each model, with ± what `spreads` has of it."""
    names = [name for name in LABELS if any(name in column for column in scores)]
    cells = [
        [_cell(name, column[name], spread.get(name)) if name in column else "" for name in names]
        for column, spread in zip(scores, spreads or [{}] * len(scores), strict=True)
    ]
    width = max((len(LABELS[name]) for name in names), default=0)
    rooms = [max([8, len(title), *map(len, column)]) for title, column in zip(titles, cells, strict=True)]
    head = [" " * width, *(f"{title:>{room}}" for title, room in zip(titles, rooms, strict=True))]
    lines = ["  ".join(head).rstrip()] if any(titles) else []
    for row, name in enumerate(names):
        shown = [f"{column[row]:>{room}}" for column, room in zip(cells, rooms, strict=True)]
        lines.append("  ".join([f"{LABELS[name]:<{width}}", *shown]).rstrip())
    return lines


def _cell(name: str, value: float, spread: float | None) -> str:
    if spread is not None:
        return f"{_number(name, value)} ± {_number(name, spread)}"
    return f"{value:.0f}" if name == "active_units" else _number(name, value)


def _number(name: str, value: float) -> str:
    return f"{value:.4g}" if abs(value) >= 10 else f"{value:.{_DECIMALS.get(name, 3)}f}"


def scores_with_intervals(
    scores: Mapping[str, float],
    intervals: Mapping[str, tuple[float, float]],
    deviations: Mapping[str, float],
    missing: Mapping[str, str],
) -> list[str]:
    """Lines of a table: each score, ± its deviation over folds, its interval of 95 %, or why it is missing."""
    width = max(len(label) for label in SCORES.values())
    cells = {name: _cell(name, value, deviations.get(name)) for name, value in scores.items()}
    room = max([8, *map(len, cells.values())])
    lines = [f"{'':<{width}}  {'score':>{room}}" + ("  95 % interval" if intervals else "")]
    for name, label in SCORES.items():
        if name in cells:
            ends = intervals.get(name)
            interval = "" if ends is None else f"  {_cell(name, ends[0], None)} to {_cell(name, ends[1], None)}"
            lines.append(f"{label:<{width}}  {cells[name]:>{room}}{interval}")
        elif name in missing:
            lines.append(f"{label:<{width}}  {'–':>{room}}  {missing[name]}")
    return lines
