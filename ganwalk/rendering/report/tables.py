"""Tables of a report: settings, scores with what they say, and matrices as heat maps with their numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ganwalk.directions import Directions
from ganwalk.evaluation.meanings import (
    NO_EFFECT,
    OF_ALL,
    OF_DIRECTIONS,
    SCORES,
    SUBJECTS,
    best_possible,
    has_no_effect,
)
from ganwalk.rendering.report.markup import MISSING, number, table, text

_LEVELS = 10
_LONGEST_NAME = 40
# Characters of headings side by side that fit a printed page.
_PAPER = 70


def settings_table(name: str, caption: str, settings: dict[str, Any]) -> str:
    """Every setting as JSON."""
    rows = [
        (text(key, 80), [f"<code>{text(json.dumps(value, ensure_ascii=False), 300)}</code>"])
        for key, value in settings.items()
    ]
    return table(name, caption, ["setting", "value"], rows, kind="plain")


def summary_table(facts: dict[str, Any]) -> str:
    """One row for each score of all directions together, with what it says, and the best that it could be here."""
    axes, effects = facts.get("axes"), facts.get("effects")
    names = [len(part["names"]) if part else 0 for part in (axes, effects)]
    best = best_possible(len(facts["directions"]), *names)
    rows = []
    for name, value in facts["summary"].items():
        meaning = OF_ALL[name].meaning if name in OF_ALL else ""
        if name in best:
            meaning += f"; here at most {number(best[name][0])}: {best[name][1]}"
        words = OF_ALL[name].words if name in OF_ALL else name.replace("_", " ")
        rows.append((text(words, 60), [number(value), text(meaning)]))
    return table(
        "scores-of-all", "Scores of all directions together", ["score", "value", "what it says"], rows, kind="summary"
    )


def score_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The numeric scores that these rows have."""
    return [name for name in OF_DIRECTIONS if any(isinstance(row.get(name), (int, float)) for row in rows)]


def subject_names(rows: Sequence[dict[str, Any]]) -> list[str]:
    """What these rows say that directions are about."""
    return [name for name in SUBJECTS if any(row.get(name) for row in rows)]


def direction_table(directions: Directions, shown: Sequence[int], rows: Sequence[dict[str, Any]]) -> str:
    """One row of scores for each direction shown; each leads to its pictures. Those without an effect are faint."""
    subjects, names = subject_names(rows), score_names(rows)
    body = [
        (
            link(directions, index),
            [_subject(rows[index], name) for name in subjects] + [number(rows[index].get(name)) for name in names],
        )
        for index in shown
    ]
    columns = ["direction", *map(term, (*subjects, *names))]
    faint = [row for row, index in enumerate(shown) if has_no_effect(rows[index])]
    of_each = table("scores-of-each", "Scores of each direction", columns, body, kind="numbers", faint=faint)
    return of_each + legend((*subjects, *names))


def score_list(row: dict[str, Any]) -> str:
    """The scores of one direction as a list of terms, each with what it says for those who hover."""
    entries = [(name, _subject(row, name)) for name in SUBJECTS if row.get(name) or name == "factor" in row]
    entries += [(name, number(row[name])) for name in score_names([row])]
    return f"<dl>{''.join(f'<div><dt>{term(name)}</dt><dd>{value}</dd></div>' for name, value in entries)}</dl>"


def legend(names: Sequence[str]) -> str:
    """What scores say, to be unfolded: a tooltip is not for everybody."""
    entries = "".join(
        f"<div><dt>{text(SCORES[name].words)}</dt><dd>{text(SCORES[name].meaning)}</dd></div>" for name in names
    )
    return f'<details class="legend"><summary>What these scores say</summary><dl>{entries}</dl></details>'


def term(name: str) -> str:
    """What a score is called, with what it says as a tooltip."""
    return f'<span class="term" title="{text(SCORES[name].meaning)}">{text(SCORES[name].words)}</span>'


def _subject(row: dict[str, Any], name: str) -> str:
    missing = NO_EFFECT if name == "factor" and has_no_effect(row) else MISSING
    return text(row.get(name) or missing, _LONGEST_NAME)


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
    headings = ["direction", *(f"<span>{text(column, _LONGEST_NAME)}</span>" for column in columns)]
    # Wider than paper: there, headings stand upright.
    wide = sum(min(_LONGEST_NAME, max(5, len(column))) for column in columns) > _PAPER
    return table(name, caption, headings, body, kind="heat numbers" + " wide" * wide)


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
