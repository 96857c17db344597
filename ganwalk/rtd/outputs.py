"""What a comparison of representations leaves: a table, a heat map and barcodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from ganwalk.errors import one_line
from ganwalk.files import atomic_path, write_json
from ganwalk.rtd.barcode import Barcode, cross_barcode, lite_barcode
from ganwalk.rtd.choices import Variant
from ganwalk.rtd.distances import normalized
from ganwalk.rtd.plot import plot_barcodes, plot_matrix
from ganwalk.rtd.representations import Representation
from ganwalk.rtd.score import Batches, Scores
from ganwalk.rtd.settings import Settings

OUTPUTS = ("divergences.json", "divergences.png", "barcodes.png")
_LONGEST = 16
# Barcodes of all pairs of so many representations are drawn, of more those of neighbours.
_ALL_PAIRS = 4
_MOST_BARCODES = 24


def shortened(names: Sequence[str]) -> list[str]:
    """Names of representations as tables and pictures have room for them: their ends where beginnings are alike."""
    heads = [one_line(name, _LONGEST) for name in names]
    short = [head if heads.count(head) == 1 else _end_of(name) for head, name in zip(heads, names, strict=True)]
    return [name if short.count(name) == 1 else f"{k + 1}: {name}" for k, name in enumerate(short)]


def _end_of(name: str) -> str:
    line = one_line(name, max(1, len(name)))
    return line if len(line) <= _LONGEST else f"…{line[1 - _LONGEST :]}"


def write_outputs(
    folder: Path,
    names: Sequence[str],
    representations: Sequence[Representation],
    scores: Scores,
    variant: Variant,
    draw: Mapping[str, Any],
    title: str,
) -> list[Path]:
    """Writes the files `OUTPUTS` and returns them.

    Args:
        names: of the representations.
        variant: which divergence the scores are.
        draw: how their batches were drawn, as options of `Batches.of`; barcodes are of the first batch.
        title: of the heat map.
    """
    table, heat_map, barcodes = (folder / name for name in OUTPUTS)
    pairs = [
        {"first": names[i], "second": names[j], "mean": s.mean, "std": s.std, "half_width": s.half_width, "n": s.count}
        for i, j in combinations(range(len(names)), 2)
        for s in [scores.of(i, j)]
    ]
    write_json(table, {"variant": variant, **draw, "points": len(representations[0].points), "pairs": pairs})
    with atomic_path(heat_map) as path:
        plot_matrix(scores.mean, shortened(names), path, title=title)
    with atomic_path(barcodes) as path:
        found = _barcodes(representations, names, variant, draw)
        titles, bars = zip(*found, strict=True)
        plot_barcodes(bars, path, titles=titles, columns=min(4, 2 * len(names)))
    return [table, heat_map, barcodes]


def _barcodes(
    representations: Sequence[Representation], names: Sequence[str], variant: Variant, draw: Mapping[str, Any]
) -> list[tuple[str, Barcode]]:
    """Titles and barcodes of the first batch: of the terms of the variant."""
    batches = Batches.of([each.points for each in representations], **draw)
    distances = [normalized(matrix, 0.9) for matrix in batches.distances(batches.indices[0])]
    settings = Settings(minimax=False, variant=variant)
    pairs = list(combinations(range(len(names)), 2))
    if len(names) > _ALL_PAIRS:
        pairs = [(k, k + 1) for k in range(len(names) - 1)]
    short, found = shortened(names), []
    for i, j in pairs:
        for mode, swapped in settings.kinds:
            first, second = (j, i) if swapped else (i, j)
            arrow = "↔" if mode == "symmetric" else "→"
            make = lite_barcode if settings.lite else cross_barcode
            title = f"{short[first]} {arrow} {short[second]}"
            found.append((title, make(distances[first], distances[second], mode)))
    return found[:_MOST_BARCODES]
