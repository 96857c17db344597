"""What a comparison writes: every run as JSON and CSV, one figure, and a report in Markdown."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ganwalk import __version__
from ganwalk.discovery.methods import METHODS
from ganwalk.errors import one_line
from ganwalk.evaluation.comparison import Comparison
from ganwalk.evaluation.meanings import OF_ALL
from ganwalk.files import atomic_path, write_csv, write_json, write_text
from ganwalk.standings import Relation, Standing, difference_in_words, how_sure, p_in_words
from ganwalk.statistics import Summary, least_effect_size

_BLUE, _GREY = "#1f4e9c", "#5b5b5b"
# Scores by which methods are ranked, the first that there is.
_RANKING = ("mean_cosine", "overall", "distinctness")
_PLOTTED = ("mean_cosine", "mcc", "overall", "disentanglement", "completeness", "gap", "coverage", "distinctness")
# Pairs below which the report says how little they can tell.
_ENOUGH = 5
# Effect sizes above which a number of few pairs means nothing.
_LARGEST = 10


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Writes report.md, comparison.png, .csv and .json into the folder `out`; returns the paths, the report last."""
    out.mkdir(parents=True, exist_ok=True)
    figure, table, facts, report = (
        out / name for name in ("comparison.png", "comparison.csv", "comparison.json", "report.md")
    )
    plot_comparison(comparison, figure)
    rows = [
        {"method": run.method, "seed": run.seed, "seconds": run.seconds}
        | {name: run.scores.get(name) for name in comparison.scores}
        for run in comparison.runs
    ]
    write_csv(table, rows)
    write_json(facts, to_json(comparison))
    write_text(report, as_markdown(comparison, figure.name))
    return [figure, table, facts, report]


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Every run, every summary and every pair of methods, as JSON can hold them."""
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
        "best_possible": {
            score: {"value": value, "limit": why or None} for score, (value, why) in comparison.best_possible().items()
        },
        "summary": summaries,
        "standings": {score: found.to_json() for score, found in _standings(comparison).items()},
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
    """The table with mean ± standard deviation over seeds, who is first by which score, and how sure that is."""
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
    best = comparison.best_possible()
    ends = [_end(best, name) for name in columns]
    lines.append("| *best possible* | " + " | ".join(ends) + " | – |")
    limits = dict.fromkeys(why for _, why in best.values() if why)
    lines += ["", *(f"What is possible is limited: {why}.\n" for why in limits)]
    lines += [f"![scores by method and seed]({figure})", ""]
    known = _standings(comparison)
    standings = {name: known[name] for name in columns if name in known}
    lines += _who_is_first(standings, seeds)
    refusals = [(method, comparison.refusal(method)) for method in order if comparison.refusal(method)]
    lines += [f"- `{method}` has no result: {one_line(why, 300)}" for method, why in refusals]
    cut = _cut_short(comparison, "`")
    lines += [f"- {what}" for what in cut]
    lines += [""] * bool(refusals or cut)
    lines += ["## What the columns say", ""]
    # A bar would end a cell in some readers.
    meanings = {name: OF_ALL[name].meaning.replace("|", "\\|") for name in columns}
    lines += [f"- *{name.replace('_', ' ')}*: {meaning}" for name, meaning in meanings.items()]
    lines += ["", "## Methods", ""]
    lines += [f"- `{method}`: {METHODS[method].summary} ({METHODS[method].source})" for method in order]
    lines += _differences(standings)
    return "\n".join(lines) + "\n"


def as_table(comparison: Comparison) -> str:
    """The plotted scores as text: mean ± standard deviation, methods by rank; the best possible; who is first."""
    scores = [name for name in _PLOTTED if name in comparison.scores]
    width = max(9, *(len(method) for method in comparison.methods))
    lines = [f"{'method':<{width}}" + "".join(f" {name.replace('_', ' '):>15}" for name in scores)]
    for method in ranked(comparison):
        refusal = comparison.refusal(method)
        cells = "".join(f" {_cell(comparison.summary(method, name)):>15}" for name in scores)
        lines.append(f"{method:<{width}}" + (f" no result: {one_line(refusal, 90)}" if refusal else cells))
    best = comparison.best_possible()
    lines.append(f"{'at best':<{width}}" + "".join(f" {_end(best, name):>15}" for name in scores))
    score = ranking_score(comparison)
    found = comparison.standing(score) if score else None
    if score and found is not None:
        lines.append(f"by {score.replace('_', ' ')}, {found.first} is first, {how_sure(found)}")
    lines += [f"note: {what}" for what in _cut_short(comparison)]
    return "\n".join(lines)


def plot_comparison(comparison: Comparison, path: Path) -> None:
    """A panel for each score: a dot for each seed, the mean with its 95 % interval, and ≈ if it may be first."""
    from matplotlib.figure import Figure

    scores = [name for name in _PLOTTED if name in comparison.scores] or comparison.scores
    methods = [method for method in ranked(comparison) if not comparison.refusal(method)]
    # Wide enough for the title.
    width, height = max(6.5, 1.4 + 1.75 * len(scores)), 1.5 + 0.38 * max(1, len(methods))
    figure = Figure(figsize=(width, height), layout="constrained")
    panels: Any = figure.subplots(1, max(1, len(scores)), sharey=True, squeeze=False)[0]
    standings = _standings(comparison)
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
            if score in standings and method in _like_the_first(standings[score]):
                panel.annotate("≈", (1.0, row), xycoords=("axes fraction", "data"), fontsize=9, va="center")
        panel.margins(x=0.08)
        panel.set_title(score.replace("_", " "), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.grid(axis="x", alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_yticks(range(len(methods)), methods, fontsize=9)
    panels[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.suptitle(
        f"{comparison.n_directions} directions of {one_line(Path(comparison.generator).name, 60)}\n"
        "dots: seeds; bars: 95 % intervals of the mean; ≈: not told apart from the first",
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
    if summary is None:
        return "–"
    return f"{summary.mean:.3f}" + (f" ± {summary.std:.3f}" if summary.count > 1 else "")


def _end(best: dict[str, tuple[float, str]], score: str) -> str:
    return f"{best[score][0]:.3f}" if score in best else "–"


def _cut_short(comparison: Comparison, quote: str = "") -> list[str]:
    """Says which methods a budget has cut short, and what continues them; nothing if none."""
    counts = Counter(run.method for run in comparison.runs)
    cut = [
        f"{quote}{method}{quote} ({comparison.cut_short(method)} of {counts[method]})"
        for method in ranked(comparison)
        if comparison.cut_short(method)
    ]
    if not cut:
        return []
    return [f"--budget cut short runs of {', '.join(cut)}: the same command without it, with --resume, continues them"]


def _standings(comparison: Comparison) -> dict[str, Standing]:
    found = {score: comparison.standing(score) for score in comparison.ranked_scores}
    return {score: standing for score, standing in found.items() if standing is not None}


def _like_the_first(found: Standing) -> list[str]:
    """Methods that share seeds with the first one, and that these do not tell from it."""
    return found.related(Relation.UNCLEAR) + found.related(Relation.LEVEL)


def _who_is_first(standings: dict[str, Standing], seeds: list[int]) -> list[str]:
    """The scores on which each method is first, with how sure that is."""
    lines = ["## Who is first", ""]
    for method in dict.fromkeys(found.first for found in standings.values()):
        own = {score: found for score, found in standings.items() if found.first == method}
        lines += [f"`{method}` is first on {len(own)} of {len(standings)} scores:", ""]
        lines += [f"- *{score.replace('_', ' ')}*, {how_sure(found, '`')}" for score, found in own.items()]
        lines.append("")
    if not standings:
        return [*lines, "No method has a value of a score.", ""]
    if not any(found.others for found in standings.values()):
        return lines
    lines.append(
        "Methods are compared by their differences with the seeds that both have: mean ± half of its 95 % interval "
        "(Student's t), and the two-sided p value of the paired t test, corrected by Holm's method over all pairs of "
        "methods within a score. What is told apart has p < 0.05. Seeds are those of discoveries: all directions are "
        "scored on one batch, so that nothing here tells how scores vary between batches."
    )
    count, comparisons = len(seeds), max(found.comparisons for found in standings.values())
    if count == 1:
        lines += ["", "One seed tells nothing of chance: use --seeds 5."]
    elif count < _ENOUGH and comparisons:
        lines += [
            "",
            f"With {count} seeds little can be known: of {comparisons} comparison{'s' * (comparisons > 1)}, none tells "
            f"methods apart unless some difference is {least_effect_size(count, comparisons):.1f} times its standard "
            "deviation over seeds: use --seeds 5 or more.",
        ]
    return [*lines, ""]


def _differences(standings: dict[str, Standing]) -> list[str]:
    """A table of the first method against every other one, by score."""
    rows = [
        f"| {score.replace('_', ' ')} | {found.first} | {other} | {_lead(found, other)} |"
        for score, found in standings.items()
        for other in found.others
    ]
    if not rows:
        return []
    head = ["score", "first", "against", "pairs", "ahead by", "p, corrected", "d_z"]
    return [
        "",
        "## Differences from the first",
        "",
        "Negative: behind on the seeds that both have, though ahead by the mean of all. d_z (Cohen): mean of the "
        "differences over their standard deviation. comparison.json has all pairs.",
        "",
        f"| {' | '.join(head)} |",
        "|---" * len(head) + "|",
        *rows,
    ]


def _lead(found: Standing, other: str) -> str:
    """Cells of a row: pairs, difference, p and effect size."""
    lead = found.lead(other)
    if lead is None:
        return "0 | – | – | –"
    ahead = -lead.mean if found.lower_is_better else lead.mean
    by = ("−" if ahead < 0 else "") + difference_in_words(lead) + (" each" if lead.constant else "")
    size = "–" if lead.effect_size is None else f"{math.copysign(lead.effect_size, ahead):.1f}"
    if lead.effect_size is not None and abs(lead.effect_size) > _LARGEST:
        size = f"above {_LARGEST}" if ahead > 0 else f"below −{_LARGEST}"
    return f"{lead.count} | {by} | {p_in_words(lead, 1).removeprefix('p ').removeprefix('= ')} | {size}"
