"""Directions in words: a line, a table for terminals, a table for notebooks."""

from __future__ import annotations

import html
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganwalk.directions.labels import Label
from ganwalk.errors import one_line
from ganwalk.layers import in_words, numbers_of
from ganwalk.tables import table_lines

if TYPE_CHECKING:
    from ganwalk.directions.artifact import Directions

# Rows of a table; more are counted.
_ROWS = 30


def describe(directions: Directions) -> str:
    """What directions are, in a few words."""
    generator = one_line(Path(directions.generator.reference).name, 60)
    when = f", {one_line(directions.created[:16].replace('T', ' '))} UTC" if directions.created else ""
    named = sum(label.name != "" for label in directions.labels)
    marked = sum(replace(label, name="") != Label() for label in directions.labels)
    names = f", {named} with a name" * (named > 0) + f", {marked} with a note or mark" * (marked > 0)
    return f"{len(directions)} directions of {generator} ({one_line(directions.method, 40)}{when}{names})"


def as_text(directions: Directions) -> str:
    """A short table."""
    return "\n".join([_title(directions), *table_lines(_table(directions), left=0), *_rest(directions)])


def as_html(directions: Directions) -> str:
    """The same table for a notebook."""
    head, *rows = ([html.escape(cell) for cell in row] for row in _table(directions))
    header = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    rest = "".join(f"<p>{html.escape(line)}</p>" for line in _rest(directions))
    return f"<p>{html.escape(_title(directions))}</p><table><tr>{header}</tr>{body}</table>{rest}"


def _title(directions: Directions) -> str:
    if directions.space == "w+":
        layers = f"for each of {directions.vectors.shape[1]} layers"
    elif directions.space == "s":
        layers = f"channels of {len(directions.channels)} affine layers"
    else:
        layers = "layers of their own" if directions.own_layers else in_words(directions.layers)
    where = f"in {directions.space} of {directions.vectors.shape[-1]} dimensions, {layers}"
    return f"{describe(directions)}, {where}"


def _table(directions: Directions) -> list[list[str]]:
    own = _each_its_own(directions)
    effects, reach = directions.effects, directions.reach
    rows = [["direction", "image change", "scale", *["layers"] * own, *["reach"] * (reach is not None), "name"]]
    for index, label in enumerate(directions.labels[:_ROWS]):
        effect = "" if effects is None else f"{float(effects[index]):.4g}"
        marks = " *" * label.starred + " (hidden)" * label.hidden
        layers = [numbers_of(directions.layers_of(index))] * own
        scale = f"{float(directions.scales[index]):.4g}"
        far = [] if reach is None else [reach.words(index)]
        rows.append([str(index), effect, scale, *layers, *far, f"{label.name}{marks}".strip()])
    return rows


def _each_its_own(directions: Directions) -> bool:
    return directions.space in ("w+", "s") or len(directions.own_layers) > 0


def _rest(directions: Directions) -> list[str]:
    left = len(directions) - _ROWS
    return [f"and {left} more"] if left > 0 else []
