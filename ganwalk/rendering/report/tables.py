"""Tables of a report: settings, scores with what they say, and matrices as heat maps with their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ganwalk.directions import Directions
from ganwalk.evaluation.meanings import MEANINGS
from ganwalk.rendering.report.markup import MISSING, number, table, text

# Scores of single directions that are numbers, by the words for them.
SCORES = {
    "cosine": "|cosine|",
    "rtd": "RTD",
    "displacement": "image change",
    "straightness": "straightness",
    "interaction": "interaction",
    "distinctness": "distinctness",
    "recall": "recall",
}
# What a direction is about, if anything.
SUBJECTS = {"axis": "true axis", "factor": "factor"}
_LEVELS = 10
_LONGEST_NAME = 40


def settings_table(name: str, caption: str, settings: dict[str, Any]) -> str:
    """Every setting as JSON."""
    rows = [
        (text(key, 80), [f"<code>{text(json.dumps(value, ensure_ascii=False), 300)}</code>"])
        for key, value in settings.items()
    ]
    return table(name, caption, ["setting", "value"], rows, kind="plain")


def summary_table(summary: dict[str, Any]) -> str:
    """One row for each score of all directions together, with what it says."""
    rows = [
        (text(SCORES.get(name) or name.replace("_", " "), 60), [number(value), text(MEANINGS.get(name, ""))])
        for name, value in summary.items()
    ]
    return table(
        "scores-of-all", "Scores of all directions together", ["score", "value", "what it says"], rows, kind="summary"
    )


def score_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The numeric scores that these rows have."""
    return [name for name in SCORES if any(isinstance(row.get(name), (int, float)) for row in rows)]


def direction_table(directions: Directions, shown: Sequence[int], rows: Sequence[dict[str, Any]]) -> str:
    """One row of scores for each direction shown; each leads to its pictures."""
    names = score_names(rows)
    subjects = [name for name in SUBJECTS if any(row.get(name) for row in rows)]
    body = [
        (
            link(directions, index),
            [f'<td class="word">{text(rows[index].get(name) or MISSING, _LONGEST_NAME)}</td>' for name in subjects]
            + [number(rows[index].get(name)) for name in names],
        )
        for index in shown
    ]
    columns = ["direction", *(SUBJECTS[name] for name in subjects), *(SCORES[name] for name in names)]
    return table("scores-of-each", "Scores of each direction", columns, body, kind="numbers")


def heat_map(
    name: str,
    caption: str,
    directions: Directions,
    shown: Sequence[int],
    columns: Sequence[str],
    matrix: Sequence[Sequence[float]],
) -> str:
    """A matrix with a row per direction, its numbers on a ground that is the darker the larger they are.

    The scale begins at 0 and ends at 1, or at the largest entry if that is above.
    """
    top = max([1.0, *(value for row in matrix for value in row)])
    body = [
        (
            link(directions, index),
            [
                f'<td class="heat-{round(_LEVELS * min(1.0, max(0.0, value) / top))}">{number(value, 2)}</td>'
                for value in matrix[index]
            ],
        )
        for index in shown
    ]
    headings = ["direction", *(text(column, _LONGEST_NAME) for column in columns)]
    return table(name, caption, headings, body, kind="heat numbers")


def effect_table(
    name: str, caption: str, factors: Sequence[str], values: Sequence[float], top: float, most: int = 8
) -> str:
    """The largest effects on factors, each with a bar as long as its share of `top`."""
    order = sorted(range(len(factors)), key=lambda k: -values[k])[:most]
    body = []
    for k in order:
        share = min(1.0, max(0.0, values[k]) / top)
        bar = (
            '<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
            f'<rect class="track" width="100" height="8"/><rect width="{100 * share:.1f}" height="8"/></svg>'
        )
        body.append((text(factors[k], _LONGEST_NAME), [number(values[k], 2), bar]))
    if len(order) < len(factors):
        caption += f", the largest {len(order)} of {len(factors)}"
    return table(
        name, caption, ["factor", "effect", '<span class="unseen">bar</span>'], body, kind="small", scrolls=False
    )


def link(directions: Directions, index: int) -> str:
    """The title of a direction as a link to its pictures."""
    star = ' <span class="star" role="img" aria-label="starred">★</span>' * directions.labels[index].starred
    return f'<a href="#direction-{index}">{text(directions.title(index))}</a>{star}'
