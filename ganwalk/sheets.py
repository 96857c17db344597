"""Sheets of pictures with labels: what pictures of every room look like."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path

# Smallest and largest side of a cell in pixels: small images are enlarged, large ones reduced.
_MIN_CELL, _MAX_CELL = 96, 256
_GAP = 4
_MARGIN = 14
_MAX_PIXELS = 2**28
# Width of a full bar of effect.
_BAR = 36
_INK, _FAINT, _TRACK = (24, 28, 36), (120, 126, 138), (226, 229, 235)
_PAPER, _ACCENT = (255, 255, 255), (31, 78, 156)


class Sheet:
    """Rows and columns of square pictures with labels; only the sheet itself is ever in memory as a whole.

    Args:
        resolution: of the pictures, from which the size of a cell follows.
        column_labels, row_labels: one for each column and row.
        shares: lengths from 0 to 1 of a bar below each row's label.
        marked: columns with a frame and a label in the accent colour.
    Raises:
        GanwalkError: there is no row, or the sheet would be too large.
    """

    def __init__(
        self,
        resolution: int,
        column_labels: Sequence[str],
        row_labels: Sequence[str],
        shares: Sequence[float] | None = None,
        marked: Sequence[int] = (),
    ):
        if not row_labels:
            raise GanwalkError("a sheet of pictures needs at least one row")
        self.cell = cell_size(resolution)
        self.column_labels, self.row_labels, self.shares, self.marked = column_labels, row_labels, shares, marked
        self.font = load_font(max(12, self.cell // 9))
        self.title_font = load_font(max(14, self.cell // 8))
        labels = int(max(self.font.getlength(label) for label in row_labels))
        self.left = _MARGIN + max(labels, _BAR if shares else 0) + 10
        self.top = _MARGIN + int(self.font.size) + 8
        pitch = self.cell + _GAP
        width = self.left + pitch * len(column_labels) - _GAP + _MARGIN
        height = self.top + pitch * len(row_labels) + int(self.title_font.size) + 2 * _MARGIN
        _check_size(width, height, "fewer rows or columns")
        self.image = Image.new("RGB", (width, height), _PAPER)

    def paste(self, row: int, cells: np.ndarray) -> None:
        """Pictures (columns, h, w, 3) or grey ones (columns, h, w), uint8, of a row."""
        for column, pixels in enumerate(cells):
            self.image.paste(resize(pixels, self.cell), self._corner(row, column))

    def finish(self, caption: str) -> Image.Image:
        """The sheet with its labels and a caption below."""
        draw = ImageDraw.Draw(self.image)
        for column, label in enumerate(self.column_labels):
            x, _ = self._corner(0, column)
            ink = _ACCENT if column in self.marked else _FAINT
            draw.text((x + self.cell / 2, self.top - 6), label, ink, self.font, anchor="ms")
        for row, label in enumerate(self.row_labels):
            _, y = self._corner(row, 0)
            draw.text((self.left - 8, y + self.cell / 2), label, _FAINT, self.font, anchor="rm")
            if self.shares is not None:
                left, top = self.left - 8 - _BAR, y + self.cell // 2 + int(self.font.size * 0.8)
                draw.rectangle((left, top, left + _BAR - 1, top + 3), _TRACK)
                length = round(self.shares[row] * _BAR)
                if length:
                    draw.rectangle((left, top, left + length - 1, top + 3), _ACCENT)
        for column in self.marked:
            x, y = self._corner(0, column)
            bottom = self._corner(len(self.row_labels) - 1, 0)[1] + self.cell
            draw.rectangle((x - 2, y - 2, x + self.cell + 1, bottom + 1), outline=_ACCENT, width=2)
        room = self.image.width - 2 * _MARGIN
        font: Any = self.title_font
        while font.getlength(caption) > room and font.size > 8:
            font = load_font(int(font.size) - 1)
        draw.text((_MARGIN, self.image.height - _MARGIN), caption, _INK, font, anchor="ls")
        return self.image

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        return self.left + column * (self.cell + _GAP), self.top + row * (self.cell + _GAP)


def side_by_side(pictures: Sequence[Image.Image], columns: int) -> Image.Image:
    """Pictures on white in so many columns, each row as high as its highest.

    Raises:
        GanwalkError: the whole would be too large.
    """
    rows = [pictures[start : start + columns] for start in range(0, len(pictures), columns)]
    width = max(sum(picture.width for picture in row) for row in rows)
    heights = [max(picture.height for picture in row) for row in rows]
    _check_size(width, sum(heights), "fewer pictures")
    whole = Image.new("RGB", (width, sum(heights)), _PAPER)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        left = 0
        for picture in row:
            whole.paste(picture, (left, top))
            left += picture.width
        top += height
    return whole


def save_picture(picture: Image.Image, path: Path | str, mark: str = "") -> None:
    """Writes a PNG atomically, with a mark among its texts that tells what it is of (`ganwalk.rendering.naming`)."""
    texts = PngInfo()
    if mark:
        texts.add_text("Source", mark)
    with atomic_path(path) as partial:
        picture.save(partial, optimize=True, pnginfo=texts)


def _check_size(width: int, height: int, remedy: str) -> None:
    if width * height > _MAX_PIXELS:
        raise GanwalkError(f"a picture of {width}×{height} pixels is too large: show {remedy}")


def cell_size(resolution: int) -> int:
    """Side of a cell: a whole multiple of small images, a bounded size for large ones."""
    if resolution >= _MIN_CELL:
        return min(resolution, _MAX_CELL)
    return resolution * -(-_MIN_CELL // resolution)


def resize(pixels: np.ndarray, size: int) -> Image.Image:
    """One picture (h, w, 3), or a grey one (h, w), as a square cell."""
    picture = Image.fromarray(pixels)
    return picture if picture.width == size else picture.resize((size, size), Image.Resampling.LANCZOS)


def load_font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib ships: Pillow's own default font lacks σ."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)
