"""What a comparison writes: every run as JSON and CSV, one figure, and a report in Markdown."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganwalk import __version__
from ganwalk.discovery.methods import METHODS
from ganwalk.errors import one_line
from ganwalk.evaluation.comparison import Comparison, Summary
from ganwalk.evaluation.meanings import OF_ALL
from ganwalk.files import atomic_path, write_json, write_text

_BLUE, _GREY = "#1f4e9c", "#5b5b5b"
# Scores by which methods are ranked, the first that there is.
_RANKING = ("mean_cosine", "overall", "distinctness")
_PLOTTED = ("mean_cosine", "mcc", "overall", "disentanglement", "completeness", "gap", "coverage", "distinctness")


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Writes report.md, comparison.png, .csv and .json into the folder `out`; returns the paths, the report last."""
    out.mkdir(parents=True, exist_ok=True)
    figure, table, facts, report = (
        out / name for name in ("comparison.png", "comparison.csv", "comparison.json", "report.md")
    )
    plot_comparison(comparison, figure)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "seed", "seconds", *comparison.scores])
    for run in comparison.runs:
        writer.writerow([run.method, run.seed, run.seconds, *(run.scores.get(name) for name in comparison.scores)])
    write_text(table, text.getvalue())
    write_json(facts, to_json(comparison))
    write_text(report, as_markdown(comparison, figure.name))
    return [figure, table, facts, report]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Every run and every summary, as JSON can hold them."""
    summaries: dict[str, dict[str, Any]] = {}
    for method in comparison.methods:
        summaries[method] = {}
        for score in comparison.scores:
            found = comparison.summary(method, score)
            if found is not None:
                rounded = {key: round(value, 6) for key, value in asdict(found).items() if math.isfinite(value)}
                summaries[method][score] = rounded
    return {
        "generator": comparison.generator,
        "n_directions": comparison.n_directions,
        "factors": comparison.factors,
        "command": comparison.command,
        "version": __version__,
        "summary": summaries,
        "runs": [asdict(run) for run in comparison.runs],
    }


def ranking_score(comparison: Comparison) -> str | None:
    """The score that methods are ranked by: known axes first, then factors, then what needs neither."""
    return next((name for name in _RANKING if name in comparison.scores), None)


def ranked(comparison: Comparison) -> list[str]:
    """Methods, the best first; those without scores last."""
    score = ranking_score(comparison)

    def rank(method: str) -> float:
        found = comparison.summary(method, score) if score else None
        return math.inf if found is None else -found.mean

    return sorted(comparison.methods, key=rank)


def as_markdown(comparison: Comparison, figure: str) -> str:
    """The table with mean ± standard deviation over seeds, and what it says."""
    seeds = sorted({run.seed for run in comparison.runs})
    score = ranking_score(comparison)
    order = ranked(comparison)
    columns = [name for name in comparison.scores if name in OF_ALL]
    lines = [
        f"# Directions of {one_line(comparison.generator)}: methods compared",
        "",
        f"{comparison.n_directions} directions per method, {len(seeds)} seed{'s' * (len(seeds) > 1)} "
        f"({', '.join(map(str, seeds))}), scored on one batch that all share. Mean ± standard deviation over seeds; "
        "methods are sorted by the first column.",
        "",
    ]
    if comparison.command:
        lines += ["    " + comparison.command, ""]
    columns.sort(key=lambda name: name != score)
    lines.append("| method | " + " | ".join(name.replace("_", " ") for name in columns) + " | seconds |")
    lines.append("|---" * (len(columns) + 2) + "|")
    for method in order:
        if comparison.refusal(method):
            lines.append(f"| {method} |" + " – |" * (len(columns) + 1))
            continue
        cells = [_cell(comparison.summary(method, name)) for name in columns]
        count = sum(run.method == method for run in comparison.runs)
        label = method if count == len(seeds) else f"{method} ({count} seed{'s' * (count > 1)})"
        seconds = [run.seconds for run in comparison.runs if run.method == method]
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {sum(seconds) / len(seconds):.1f} |")
    lines += ["", f"![scores by method and seed]({figure})", ""]
    if score is not None:
        lines += [_verdict(comparison, order, score), ""]
    refusals = [(method, comparison.refusal(method)) for method in order if comparison.refusal(method)]
    lines += [f"- `{method}` has no result: {one_line(why, 300)}" for method, why in refusals]
    lines += [""] * bool(refusals)
    lines += ["## What the columns say", ""]
    # A bar would end a cell in some readers.
    meanings = {name: OF_ALL[name].meaning.replace("|", "\\|") for name in columns}
    lines += [f"- *{name.replace('_', ' ')}*: {meaning}" for name, meaning in meanings.items()]
    lines += ["", "## Methods", ""]
    lines += [f"- `{method}`: {METHODS[method].summary} ({METHODS[method].source})" for method in order]
    return "\n".join(lines) + "\n"


def as_table(comparison: Comparison) -> str:
    """The plotted scores as text: mean ± standard deviation, methods by rank."""
    scores = [name for name in _PLOTTED if name in comparison.scores]
    width = max(9, *(len(method) for method in comparison.methods))
    lines = [f"{'method':<{width}}" + "".join(f" {name.replace('_', ' '):>15}" for name in scores)]
    for method in ranked(comparison):
        refusal = comparison.refusal(method)
        cells = "".join(f" {_cell(comparison.summary(method, name)):>15}" for name in scores)
        lines.append(f"{method:<{width}}" + (f" no result: {one_line(refusal, 90)}" if refusal else cells))
    return "\n".join(lines)


def plot_comparison(comparison: Comparison, path: Path) -> None:
    """A panel for each score: a dot for each seed, and the mean with its 95 % interval."""
    from matplotlib.figure import Figure

    scores = [name for name in _PLOTTED if name in comparison.scores] or comparison.scores
    methods = [method for method in ranked(comparison) if not comparison.refusal(method)]
    figure = Figure(figsize=(1.4 + 1.75 * max(1, len(scores)), 1.3 + 0.38 * max(1, len(methods))), layout="constrained")
    panels: Any = figure.subplots(1, max(1, len(scores)), sharey=True, squeeze=False)[0]
    for panel, score in zip(panels, scores, strict=False):
        for row, method in enumerate(methods):
            values = comparison.values(method, score)
            found = comparison.summary(method, score)
            if found is None:
                continue
            colour = _BLUE if method == "rtd" else _GREY
            if math.isfinite(found.half_width):
                panel.plot(_interval(found, score), [row, row], color=colour, lw=3, alpha=0.35, solid_capstyle="butt")
            panel.plot(values, [row] * len(values), "o", ms=3.5, color=colour, alpha=0.8)
            panel.plot([found.mean] * 2, [row - 0.25, row + 0.25], color=colour, lw=1.5)
        panel.margins(x=0.08)
        panel.set_title(score.replace("_", " "), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(methods)), methods, fontsize=9)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.suptitle(
        f"{comparison.n_directions} directions of {one_line(Path(comparison.generator).name, 60)}: "
        "dots are seeds, bars 95 % intervals of the mean",
        fontsize=10,
    )
    with atomic_path(path) as partial:
        figure.savefig(partial, dpi=130)


def _interval(summary: Summary, score: str) -> tuple[float, float]:
    """The 95 % interval of the mean, cut off where the score ends."""
    if score in _PLOTTED:
        return max(0.0, summary.low), min(1.0, summary.high)
    return summary.low, summary.high


def _cell(summary: Summary | None) -> str:
    return "–" if summary is None else f"{summary.mean:.3f} ± {summary.std:.3f}"


def _verdict(comparison: Comparison, order: list[str], score: str) -> str:
    """Which method is first by the ranking score, and whether the intervals of the next ones overlap its own."""
    name = score.replace("_", " ")
    first = comparison.summary(order[0], score)
    others = [(method, comparison.summary(method, score)) for method in order[1:]]
    if first is None:
        return f"No method has a value of {name}."
    if not math.isfinite(first.half_width):
        return f"By {name}, `{order[0]}` is first; one seed gives no interval: use --seeds 5."
    clear = [method for method, found in others if found is not None and found.high < first.low]
    single = [method for method, found in others if found is not None and not math.isfinite(found.half_width)]
    unclear = [method for method, found in others if found is not None and first.low <= found.high < math.inf]
    low, high = _interval(first, score)
    text = f"By {name}, `{order[0]}` is first ({low:.3f} to {high:.3f} with 95 % confidence)."
    if clear:
        text += f" Its interval lies above those of {_list(clear)}."
    if unclear:
        text += f" It overlaps with {_list(unclear)}: from these the difference is not clear."
    if single:
        text += f" One seed gives no interval: {_list(single)}."
    return text


def _list(methods: list[str]) -> str:
    return ", ".join(f"`{method}`" for method in methods)
