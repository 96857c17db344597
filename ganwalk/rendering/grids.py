"""Grids of pictures: one direction over several samples, or all directions of one sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.rendering.images import Progress, traverse
from ganwalk.sheets import Sheet


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
    if not seeds:
        raise GanwalkError("a grid needs at least one sample: give --seeds such as 1-6")
    canvas = _sheet(generator, amplitudes, [f"seed {seed}" for seed in seeds])
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
    canvas = _sheet(generator, amplitudes, [str(k) for k in range(len(directions))], _shares(directions))
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


def _sheet(
    generator: Generator, amplitudes: Sequence[float], rows: Sequence[str], shares: Sequence[float] | None = None
) -> Sheet:
    """An empty sheet with a column for each amplitude, of which zero is marked."""
    middle = [column for column, amplitude in enumerate(amplitudes) if abs(amplitude) < 1e-9]
    labels = [
        "0" if column in middle else f"{amplitude:+.2g} σ".replace("-", "−")
        for column, amplitude in enumerate(amplitudes)
    ]
    return Sheet(generator.resolution, labels, rows, shares, middle)


class _Counter:
    """Turns numbers of finished images into calls of a progress function."""

    def __init__(self, progress: Progress | None, total: int):
        self.progress, self.total, self.done = progress, total, 0

    def __call__(self, images: int) -> None:
        self.done += images
        if self.progress is not None:
            self.progress(self.done, self.total)


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
