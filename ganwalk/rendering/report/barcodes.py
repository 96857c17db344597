"""Barcodes as SVG, drawn by ourselves: a line per bar, on axes that all directions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Of the drawing, in its own units.
_WIDTH, _HEIGHT, _LEFT, _TOP = 260, 110, 4, 4
_FOOT = 16
# Bars that are drawn: beyond, they would be thinner than a line.
_MOST = 300


@dataclass(frozen=True)
class BarcodeAxes:
    """What the barcodes of one report have in common.

    Attributes:
        end: largest death, the right end of the axis.
        bars: rows that there is room for.
    """

    end: float
    bars: int

    @staticmethod
    def of(barcodes: Sequence[dict[str, Any]]) -> BarcodeAxes:
        """Axes on which all of these barcodes can be drawn."""
        end = max((death for barcode in barcodes for death in barcode["deaths"]), default=0.0)
        bars = max((len(barcode["births"]) for barcode in barcodes), default=0)
        return BarcodeAxes(end if end > 0 else 1.0, min(_MOST, max(1, bars)))


def draw_barcode(barcode: dict[str, Any], axes: BarcodeAxes, name: str, title: str) -> str:
    """The SVG of bars by birth.

    Args:
        barcode: lists "births" and "deaths", in units of the 0.9 quantile of distances.
        name: prefix of the ids of its title and description, which no other drawing of the page has.
        title: HTML already.
    """
    bars = sorted(zip(barcode["births"], barcode["deaths"], strict=True), key=lambda bar: bar[0] - bar[1])
    longest = bars[0] if bars else None
    shown = sorted(bars[: axes.bars])
    room = _WIDTH - 2 * _LEFT
    pitch = (_HEIGHT - _TOP - _FOOT) / axes.bars
    path = "".join(
        f"M{_LEFT + room * max(0.0, birth) / axes.end:.1f} {_HEIGHT - _FOOT - pitch * (row + 0.5):.1f}"
        f"H{_LEFT + room * max(0.0, death) / axes.end:.1f}"
        for row, (birth, death) in enumerate(shown)
    )
    words = f"{len(bars)} bar{'s' * (len(bars) != 1)}"
    if longest is not None:
        total = sum(death - birth for birth, death in bars)
        words += f", the longest from {longest[0]:.2f} to {longest[1]:.2f}, in all {total:.2f} long"
    if len(shown) < len(bars):
        words += f"; the {len(shown)} longest are drawn"
    line = _HEIGHT - _FOOT
    return (
        f'<figure class="barcode"><svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-labelledby="{name}-title {name}-words"><title id="{name}-title">{title}</title>'
        f'<desc id="{name}-words">{words}.</desc>'
        f'<path class="axis" d="M{_LEFT} {line}H{_WIDTH - _LEFT}"/>'
        f'<path class="bars" stroke-width="{min(3.0, 0.7 * pitch):.2f}" d="{path}"/>'
        f'<text x="{_LEFT}" y="{_HEIGHT - 3}">0</text>'
        f'<text x="{_WIDTH - _LEFT}" y="{_HEIGHT - 3}" text-anchor="end">{axes.end:.2f}</text></svg>'
        f"<figcaption>Barcode: {words}.</figcaption></figure>"
    )
