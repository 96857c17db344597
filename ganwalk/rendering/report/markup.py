"""Values as HTML shows them: every text that is not ours goes through `text`."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ganwalk.errors import one_line

MISSING = "–"
# Numbers from here on, which no score is, are shown with an exponent.
_LARGE = 1e6


def text(value: object, limit: int = 600) -> str:
    """A value as inert text, also within quotes of an attribute: one line, without invisible characters."""
    return html.escape(one_line(str(value), limit))


def number(value: Any, digits: int = 3) -> str:
    """A number with its decimals, or a dash where there is none."""
    if not isinstance(value, (int, float)):
        return MISSING
    shown = f"{value:.{digits}f}" if abs(value) < _LARGE else f"{value:.{digits}g}"
    return shown.replace("-", "−")


def in_sigma(amplitude: float) -> str:
    """An amplitude such as "+1.5 σ"."""
    return "0 σ" if abs(amplitude) < 1e-9 else f"{amplitude:+.3g} σ".replace("-", "−")


def file_name(reference: str) -> str:
    """The last part of a path: a report that is sent around should not tell where its author keeps files."""
    return Path(reference).name or reference


def table(
    name: str,
    caption: str,
    columns: list[str],
    rows: list[tuple[str, list[str]]],
    *,
    kind: str,
    scrolls: bool = True,
    faint: Collection[int] = (),
) -> str:
    """A table whose cells are HTML already, those of the first column as headings.

    Args:
        name: id of its caption, which no other element of the page has.
        rows: the heading and the other cells of each; a cell may bring its own td.
        kind: classes.
        scrolls: it may be wider than the page; then it can be reached with the keyboard to be scrolled.
        faint: rows that are shown as less important.
    """
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "\n".join(
        f'<tr{" class=faint" * (row in faint)}><th scope="row">{first}</th>'
        + "".join(cell if cell.startswith("<td") else f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
        for row, (first, cells) in enumerate(rows)
    )
    whole = (
        f'<table class="{kind}"><caption id="{name}">{caption}</caption><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table>"
    )
    if not scrolls:
        return whole
    return f'<div class="scroll" role="region" aria-labelledby="{name}" tabindex="0">{whole}</div>'


def attributes(values: Mapping[str, object]) -> str:
    """Attributes of an element, those that are None left out."""
    return "".join(f' {name}="{text(value)}"' for name, value in values.items() if value is not None)
