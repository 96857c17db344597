"""Sheets of pictures with labels: what pictures of every room look like."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path
from ganwalk.pictures.fonts import load_font, runs

# Smallest and largest side of a cell in pixels: small images are enlarged, large ones reduced.
_MIN_CELL, _MAX_CELL = 96, 256
_GAP = 4
_MARGIN = 14
_MAX_PIXELS = 2**28
# Width of a full bar of effect.
_BAR = 36
_INK, _FAINT, _TRACK = (24, 28, 36), (120, 126, 138), (226, 229, 235)
_PAPER, _ACCENT = (255, 255, 255), (31, 78, 156)
# Of captions, between parts.
_BETWEEN = " · "
# Width of a row's label at most, in heights of its letters: names may be long, and pictures matter more.
_LABEL = 20


class Sheet:
    """Rows and columns of pictures with labels; only the sheet itself is ever in memory as a whole.

    Args:
        size: height and width of the pictures, from which those of a cell follow.
        column_labels, row_labels: one for each column and row; long ones of rows go on in further lines.
        shares: lengths from 0 to 1 of a bar below each row's label.
        marked: columns with a frame and a label in the accent colour.
    Raises:
        GanwalkError: there is no row, or the sheet would be too large.
    """

    def __init__(
        self,
        size: tuple[int, int],
        column_labels: Sequence[str],
        row_labels: Sequence[str],
        shares: Sequence[float] | None = None,
        marked: Sequence[int] = (),
    ):
        if not row_labels:
            raise GanwalkError("a sheet of pictures needs at least one row")
        self.cell = cell_of(size)
        self.column_labels, self.shares, self.marked = column_labels, shares, marked
        self.font = load_font(max(12, max(self.cell) // 9))
        self.title_font = load_font(max(14, max(self.cell) // 8))
        small = int(self.font.size)
        most = max(1, self.cell[0] // _line_height(small) - bool(shares))
        self.labels = [_shortened(wrapped(label, small, _LABEL * small), most) for label in row_labels]
        widest = int(max(_length(line, small) for lines in self.labels for line in lines))
        self.left = _MARGIN + max(widest, _BAR if shares else 0) + 10
        self.top = _MARGIN + small + 8
        rows, columns = (side + _GAP for side in self.cell)
        width = self.left + columns * len(column_labels) - _GAP + _MARGIN
        height = self.top + rows * len(row_labels) + int(self.title_font.size) + 2 * _MARGIN
        _check_size(width, height, "fewer rows or columns")
        self.image = Image.new("RGB", (width, height), _PAPER)

    def paste(self, row: int, cells: np.ndarray) -> None:
        """Pictures (columns, h, w, 3) or grey ones (columns, h, w), uint8, of a row."""
        for column, pixels in enumerate(cells):
            self.image.paste(resize(pixels, self.cell), self._corner(row, column))

    def finish(self, caption: str) -> Image.Image:
        """The sheet with its labels and a caption below, on as many lines as it needs."""
        size = int(self.title_font.size)
        lines = wrapped(caption, size, self.image.width - 2 * _MARGIN)
        more = (len(lines) - 1) * _line_height(size)
        image = self.image
        if more:
            image = Image.new("RGB", (image.width, image.height + more), _PAPER)
            image.paste(self.image)
        self.image = image
        draw = ImageDraw.Draw(image)
        small = int(self.font.size)
        cell_height, cell_width = self.cell
        for column, label in enumerate(self.column_labels):
            x, _ = self._corner(0, column)
            ink = _ACCENT if column in self.marked else _FAINT
            _draw_text(draw, (x + cell_width / 2, self.top - 6), label, ink, small, "ms")
        for row, parts in enumerate(self.labels):
            _, y = self._corner(row, 0)
            above = (len(parts) - 1) * _line_height(small) / 2
            for line, words in enumerate(parts):
                place = (self.left - 8, y + cell_height / 2 - above + line * _line_height(small))
                _draw_text(draw, place, words, _FAINT, small, "rm")
            if self.shares is not None:
                left, top = self.left - 8 - _BAR, y + cell_height // 2 + int(above) + int(self.font.size * 0.8)
                draw.rectangle((left, top, left + _BAR - 1, top + 3), _TRACK)
                length = round(self.shares[row] * _BAR)
                if length:
                    draw.rectangle((left, top, left + length - 1, top + 3), _ACCENT)
        for column in self.marked:
            x, y = self._corner(0, column)
            bottom = self._corner(len(self.labels) - 1, 0)[1] + cell_height
            draw.rectangle((x - 2, y - 2, x + cell_width + 1, bottom + 1), outline=_ACCENT, width=2)
        for line, words in enumerate(reversed(lines)):
            place = (_MARGIN, image.height - _MARGIN - line * _line_height(size))
            _draw_text(draw, place, words, _INK, size, "ls")
        return image

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        height, width = self.cell
        return self.left + column * (width + _GAP), self.top + row * (height + _GAP)


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
    """Larger side of a cell: a whole multiple of small images, a bounded size for large ones."""
    if resolution >= _MIN_CELL:
        return min(resolution, _MAX_CELL)
    return resolution * -(-_MIN_CELL // resolution)


def cell_of(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a cell for pictures of a height and width."""
    return fitted(size, cell_size(max(size)))


def fitted(size: tuple[int, int], side: int) -> tuple[int, int]:
    """A height and width in the same proportions whose larger side is `side` pixels."""
    height, width = (max(1, round(length * side / max(size))) for length in size)
    return height, width


def resize(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """One picture (h, w, 3), or a grey one (h, w), as a cell of a height and width."""
    picture = Image.fromarray(pixels)
    height, width = size
    return picture if picture.size == (width, height) else picture.resize((width, height), Image.Resampling.LANCZOS)


def wrapped(text: str, size: int, room: int) -> list[str]:
    """A caption in lines that fit: parted between its parts, within one at spaces, and within a word where it must."""
    lines: list[str] = []
    for part in text.split(_BETWEEN):
        if lines and _length(joined := lines[-1] + _BETWEEN + part, size) <= room:
            lines[-1] = joined
        else:
            lines += _broken(part, size, room)
    return lines


def _shortened(lines: list[str], most: int) -> list[str]:
    """At most so many lines; what is left out is told by the end of the last."""
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1] + "…"]


def _broken(text: str, size: int, room: int) -> list[str]:
    """Text in lines that fit, at spaces; words that are too long for a line go on in the next."""
    lines = [""]
    # A word with the space before it, which a line does not begin with.
    for word in re.findall(r"\s*\S+", text):
        if _length(lines[-1] + word, size) <= room:
            lines[-1] += word
            continue
        rest = word.strip() if lines[-1] else word
        lines += [""] * bool(lines[-1])
        for character in rest:
            if lines[-1] and _length(lines[-1] + character, size) > room:
                lines.append("")
            lines[-1] += character
    return lines


def _line_height(size: int) -> int:
    return size * 4 // 3


def _length(text: str, size: int) -> float:
    return sum(font.getlength(part) for part, font in runs(text, size))


def _draw_text(
    draw: ImageDraw.ImageDraw, place: tuple[float, float], text: str, ink: tuple[int, int, int], size: int, anchor: str
) -> None:
    """Text at an anchor of Pillow's, with another font for what the usual one lacks."""
    parts = runs(text, size)
    if len(parts) == 1:
        draw.text(place, parts[0][0], ink, parts[0][1], anchor=anchor)
        return
    x, y = place
    x -= {"l": 0, "m": 0.5, "r": 1}[anchor[0]] * _length(text, size)
    if anchor[1] == "m":
        # Fonts share a line, not the middle between their highest and their lowest.
        ascent, descent = load_font(size).getmetrics()
        y += (ascent - descent) / 2
    for part, font in parts:
        draw.text((x, y), part, ink, font, anchor="ls")
        x += font.getlength(part)
