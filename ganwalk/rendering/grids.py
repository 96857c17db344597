"""Grids of pictures: one direction over several samples, or all directions of one sample."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.edits import Move
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
    amplitudes = _spread(-amplitude, amplitude, steps)
    return _samples_grid(
        generator,
        directions,
        [Move(index, 1.0, layers)],
        amplitudes,
        _amplitude_labels(amplitudes),
        _caption(f"direction {directions.title(index)}", directions, f"±{amplitude:g} σ", truncation_psi, layers),
        seeds=seeds,
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        batch=batch,
        progress=progress,
    )


def combination_grid(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    *,
    seeds: Sequence[int],
    steps: int = 7,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> Image.Image:
    """Rows: samples; columns: from the sample itself to the whole of an edit; otherwise as `traversal_grid`."""
    fractions = _spread(0.0, 1.0, steps)
    title = " and ".join(f"{directions.title(move.index)} {move.amplitude:+g} σ".replace("-", "−") for move in edit)
    # Moves name their layers one by one, if at all.
    shared = edit[0].layers if edit and all(move.layers == edit[0].layers for move in edit) else None
    return _samples_grid(
        generator,
        directions,
        edit,
        fractions,
        [f"{100 * fraction:.0f} %" for fraction in fractions],
        _caption(title, directions, "", truncation_psi, shared),
        seeds=seeds,
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        batch=batch,
        progress=progress,
    )


def _samples_grid(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    fractions: Sequence[float],
    labels: Sequence[str],
    caption: str,
    *,
    seeds: Sequence[int],
    truncation_psi: float,
    truncation_cutoff: int | None,
    class_index: int | None,
    batch: int,
    progress: Progress | None,
) -> Image.Image:
    """A row per sample, a column per multiple of the edit."""
    if not seeds:
        raise GanwalkError("a grid needs at least one sample: give --seeds such as 1-6")
    counter = _Counter(progress, len(seeds) * len(fractions))
    canvas = _sheet(generator, fractions, labels, [f"seed {seed}" for seed in seeds])
    for row, seed in enumerate(seeds):
        cells = traverse(
            generator,
            directions,
            edit,
            fractions,
            seeds=[seed],
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            class_index=class_index,
            batch=batch,
            on_images=counter,
        )
        canvas.paste(row, cells[0])
    return canvas.finish(caption)


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

    Hidden directions are left out. A bar below each index shows the direction's effect as a share of the strongest
    one's, where it was measured.
    """
    amplitudes = _spread(-amplitude, amplitude, steps)
    shown = directions.visible()
    counter = _Counter(progress, len(shown) * steps)
    shares = _shares(directions)
    canvas = _sheet(
        generator,
        amplitudes,
        _amplitude_labels(amplitudes),
        [directions.title(index) for index in shown],
        None if shares is None else [shares[index] for index in shown],
    )
    for row, index in enumerate(shown):
        cells = traverse(
            generator,
            directions,
            [Move(index, 1.0, layers)],
            amplitudes,
            seeds=[seed],
            truncation_psi=truncation_psi,
            truncation_cutoff=truncation_cutoff,
            class_index=class_index,
            batch=batch,
            on_images=counter,
        )
        canvas.paste(row, cells[0])
    hidden = len(directions) - len(shown)
    title = f"{len(shown)} directions{f' ({hidden} hidden)' if hidden else ''}, seed {seed}"
    caption = _caption(title, directions, f"±{amplitude:g} σ", truncation_psi, layers)
    return canvas.finish(caption if shares is None else f"{caption} · bars: image change")


def _sheet(
    generator: Generator,
    fractions: Sequence[float],
    labels: Sequence[str],
    rows: Sequence[str],
    shares: Sequence[float] | None = None,
) -> Sheet:
    """An empty sheet with a column for each multiple of an edit, of which zero is marked."""
    middle = [column for column, fraction in enumerate(fractions) if abs(fraction) < 1e-9]
    return Sheet(generator.resolution, labels, rows, shares, middle)


def _amplitude_labels(amplitudes: Sequence[float]) -> list[str]:
    return ["0" if abs(a) < 1e-9 else f"{a:+.2g} σ".replace("-", "−") for a in amplitudes]


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


def _spread(first: float, last: float, steps: int) -> list[float]:
    if steps < 2:
        raise GanwalkError(f"steps must be at least 2, not {steps}")
    return [float(a) for a in np.linspace(first, last, steps)]


def _caption(title: str, directions: Directions, reach: str, psi: float, layers: tuple[int, int] | None) -> str:
    layers = layers or directions.layers
    parts = [
        title,
        Path(directions.generator.reference).name,
        directions.method,
        directions.space + (f", layers {layers[0]}-{layers[1]}" if layers else ""),
        *([reach] if reach else []),
    ]
    if psi != 1:
        parts.append(f"ψ {psi:g}")
    return " · ".join(parts)
