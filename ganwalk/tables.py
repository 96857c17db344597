"""Tables of text, for terminals."""

from __future__ import annotations

from collections.abc import Sequence


def table_lines(rows: Sequence[Sequence[str]], *, left: int = 1) -> list[str]:
    """A line for each row of as many cells, each column as wide as its longest cell.

    Args:
        left: number of columns, the first ones, whose cells begin at the left; those of the others end at the right.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
