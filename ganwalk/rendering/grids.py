"""Grids of pictures: one direction over several samples, or all directions of one sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path
from ganwalk.generators.base import Generator
from ganwalk.rendering.images import Progress, traverse

# Smallest and largest side of a cell in pixels: small images are enlarged, large ones reduced.
_MIN_CELL, _MAX_CELL = 96, 256
_GAP = 4
_MARGIN = 14
_MAX_PIXELS = 2**28
# Width of a full bar of effect.
_BAR = 36
_INK, _FAINT, _TRACK = (24, 28, 36), (120, 126, 138), (226, 229, 235)
_PAPER, _ACCENT = (255, 255, 255), (31, 78, 156)


def traversal_grid(
    generator: Generator,
    directions: Directions,
    index: int,
    *,
    seeds: Sequence[int],
    amplitude: float = 3.0,
    steps: int = 7,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    layers: tuple[int, int] | None = None,
    class_index: int | None = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> Image.Image:
    """Rows: samples; columns: amplitudes from -amplitude to +amplitude standard deviations.

    Args:
        index: which direction.
        seeds: one sample each.
        layers: layers to shift; None takes the directions' own range.
        batch: images synthesised at once.
        progress: called with images done and images in all.
    Raises:
        GanwalkError: the direction does not exist or does not fit the generator.
    """
    amplitudes = _amplitudes(amplitude, steps)
    counter = _Counter(progress, len(seeds) * steps)
    canvas = _Canvas(generator.resolution, amplitudes, [f"seed {seed}" for seed in seeds])
    for row, seed in enumerate(seeds):
        cells = traverse(
            generator,
            directions,
            index,
            amplitudes,
            seeds=[seed],
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            layers=layers,
            class_index=class_index,
            batch=batch,
            on_images=counter,
        )
        canvas.paste(row, cells[0])
    return canvas.finish(_caption(f"direction {index}", directions, amplitude, truncation_psi, layers))


def overview_grid(
    generator: Generator,
    directions: Directions,
    *,
    seed: int = 0,
    amplitude: float = 3.0,
    steps: int = 7,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    layers: tuple[int, int] | None = None,
    class_index: int | None = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> Image.Image:
    """One row per direction, for one sample; otherwise as `traversal_grid`.

    A bar below each index shows the direction's effect as a share of the strongest one's, where it was measured.
    """
    amplitudes = _amplitudes(amplitude, steps)
    counter = _Counter(progress, len(directions) * steps)
    canvas = _Canvas(generator.resolution, amplitudes, [str(k) for k in range(len(directions))], _shares(directions))
    for row in range(len(directions)):
        cells = traverse(
            generator,
            directions,
            row,
            amplitudes,
            seeds=[seed],
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            layers=layers,
            class_index=class_index,
            batch=batch,
            on_images=counter,
        )
        canvas.paste(row, cells[0])
    title = f"{len(directions)} directions, seed {seed}"
    caption = _caption(title, directions, amplitude, truncation_psi, layers)
    return canvas.finish(caption if directions.effects is None else f"{caption} · bars: image change")


def save_picture(picture: Image.Image, path: Path | str) -> None:
    """Writes a PNG atomically."""
    with atomic_path(path) as partial:
        picture.save(partial, optimize=True)


def cell_size(resolution: int) -> int:
    """Side of a cell: a whole multiple of small images, a bounded size for large ones."""
    if resolution >= _MIN_CELL:
        return min(resolution, _MAX_CELL)
    return resolution * -(-_MIN_CELL // resolution)


def resize(pixels: np.ndarray, size: int) -> Image.Image:
    """One picture (h, w, 3) as a square cell."""
    picture = Image.fromarray(pixels)
    return picture if picture.width == size else picture.resize((size, size), Image.Resampling.LANCZOS)


class _Counter:
    """Turns numbers of finished images into calls of a progress function."""

    def __init__(self, progress: Progress | None, total: int):
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, images: int) -> None:
        self.done += images
        if self.progress is not None:
            self.progress(self.done, self.total)


class _Canvas:
    """The sheet that cells are pasted on: only it is ever in memory as a whole."""

    def __init__(
        self,
        resolution: int,
        amplitudes: Sequence[float],
        row_labels: Sequence[str],
        shares: Sequence[float] | None = None,
    ):
        if not row_labels:
            raise GanwalkError("a grid needs at least one sample: give --seeds such as 1-6")
        self.cell = cell_size(resolution)
        self.amplitudes, self.row_labels, self.shares = amplitudes, row_labels, shares
        self.font = _font(max(12, self.cell // 9))
        self.title_font = _font(max(14, self.cell // 8))
        labels = int(max(self.font.getlength(label) for label in row_labels))
        self.left = _MARGIN + max(labels, _BAR if shares else 0) + 10
        self.top = _MARGIN + int(self.font.size) + 8
        pitch = self.cell + _GAP
        width = self.left + pitch * len(amplitudes) - _GAP + _MARGIN
        height = self.top + pitch * len(row_labels) + int(self.title_font.size) + 2 * _MARGIN
        if width * height > _MAX_PIXELS:
            raise GanwalkError(f"a picture of {width}×{height} pixels is too large: use fewer --seeds or --steps")
        self.image = Image.new("RGB", (width, height), _PAPER)

    def paste(self, row: int, cells: np.ndarray) -> None:
        for column, pixels in enumerate(cells):
            self.image.paste(resize(pixels, self.cell), self._corner(row, column))

    def finish(self, caption: str) -> Image.Image:
        draw = ImageDraw.Draw(self.image)
        for column, amplitude in enumerate(self.amplitudes):
            x, _ = self._corner(0, column)
            label = "0" if abs(amplitude) < 1e-9 else f"{amplitude:+.2g} σ".replace("-", "−")
            ink = _ACCENT if label == "0" else _FAINT
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
        middle = [column for column, amplitude in enumerate(self.amplitudes) if abs(amplitude) < 1e-9]
        for column in middle:
            x, y = self._corner(0, column)
            bottom = self._corner(len(self.row_labels) - 1, 0)[1] + self.cell
            draw.rectangle((x - 2, y - 2, x + self.cell + 1, bottom + 1), outline=_ACCENT, width=2)
        room = self.image.width - 2 * _MARGIN
        font: Any = self.title_font
        while font.getlength(caption) > room and font.size > 8:
            font = _font(int(font.size) - 1)
        draw.text((_MARGIN, self.image.height - _MARGIN), caption, _INK, font, anchor="ls")
        return self.image

    def _corner(self, row: int, column: int) -> tuple[int, int]:
        return self.left + column * (self.cell + _GAP), self.top + row * (self.cell + _GAP)


def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib ships: Pillow's own default font lacks σ."""
    import matplotlib

    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def _shares(directions: Directions) -> list[float] | None:
    """Effects as shares of the largest one, or None where they were not measured."""
    if directions.effects is None:
        return None
    effects = directions.effects.clamp(min=0)
    return (effects / effects.max().clamp(min=1e-12)).tolist()


def _amplitudes(amplitude: float, steps: int) -> list[float]:
    if steps < 2:
        raise GanwalkError(f"steps must be at least 2, not {steps}")
    return [float(a) for a in np.linspace(-amplitude, amplitude, steps)]


def _caption(title: str, directions: Directions, amplitude: float, psi: float, layers: tuple[int, int] | None) -> str:
    layers = layers or directions.layers
    parts = [
        title,
        Path(directions.generator.reference).name,
        directions.method,
        directions.space + (f", layers {layers[0]}-{layers[1]}" if layers else ""),
        f"±{amplitude:g} σ",
    ]
    if psi != 1:
        parts.append(f"ψ {psi:g}")
    return " · ".join(parts)
