"""What a report begins with: a few directions at a glance, each a link to its pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ganwalk.directions import Directions
from ganwalk.rendering.report.markup import in_sigma, text
from ganwalk.rendering.report.strips import Strip, encode_strip
from ganwalk.samples import Samples

# Directions, and pictures of each.
_ROWS, _COLUMNS = 4, 7
# Side of a picture in pixels, and of a row as text: a small part of what a direction's own strips may take.
_CELL, _ROW_BYTES = 96, 50_000


def lead_directions(directions: Directions, shown: Sequence[int]) -> list[int]:
    """The directions that stand for all that are shown: the starred ones, then the strongest, in the file's order."""
    starred_first = sorted(shown, key=lambda index: not directions.labels[index].starred)
    return sorted(starred_first[:_ROWS])


def lead_strip(pictures: np.ndarray) -> Strip:
    """A small strip of some of the pictures (steps, h, w, 3) of a direction, both ends among them."""
    return encode_strip(pictures[_chosen(len(pictures))], _ROW_BYTES, _CELL)


def lead_figure(directions: Directions, sample: Samples, strips: Mapping[int, Strip], ends: Sequence[float]) -> str:
    """One sample along the directions of `strips`, from the first to the last amplitude of `ends`."""
    rows = "".join(
        f'<a href="#direction-{index}"><span>{text(directions.title(index))}</span>'
        f'<img src="{strip.uri}" width="{strip.cell * strip.steps}" height="{strip.height}" alt=""></a>'
        for index, strip in strips.items()
    )
    caption = f"{text(sample.titles[0])} along directions, from {in_sigma(ends[0])} to {in_sigma(ends[-1])}"
    return f'<figure class="lead">{rows}<figcaption>{caption}</figcaption></figure>'


def _chosen(steps: int) -> list[int]:
    """Of so many pictures, those at nearly equal steps."""
    return sorted({round(float(k)) for k in np.linspace(0, steps - 1, min(steps, _COLUMNS))})
