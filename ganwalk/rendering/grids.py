"""Grids of pictures: one direction over several samples, or all directions of one sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.layers import Layers, in_words
from ganwalk.pictures.sheets import Sheet
from ganwalk.progress.callbacks import OnCount, counter
from ganwalk.rendering.images import is_zero, traverse, unmoved_pictures
from ganwalk.rendering.saliency import heat_picture, reduced, saliency_map
from ganwalk.samples import Samples, describe_truncation

# Pixels on a side beyond which an image takes a second or more, and a grid shows fewer samples if nobody says how many.
_LARGE = 512
# Image change, as a share of the strongest direction's, below which a row of an overview is pale.
_HARDLY = 0.05
# Directions on one sheet: more make a strip that no screen shows at a size to look at.
SHEET_ROWS = 25
# Above heat maps.
_WHERE = "where"


def default_seeds(generator: Generator) -> tuple[int, ...]:
    """The samples of a grid about one direction, if nobody names them."""
    return tuple(range(1, 7)) if generator.resolution <= _LARGE else (1, 2, 3)


def traversal_grid(
    generator: Generator,
    directions: Directions,
    index: int,
    samples: Samples,
    *,
    amplitude: float | None = 3.0,
    steps: int = 7,
    layers: Layers | None = None,
    saliency: bool = False,
    batch: int = 8,
    progress: OnCount | None = None,
) -> Image.Image:
    """Rows: samples; columns: amplitudes from -amplitude to +amplitude standard deviations.

    Args:
        index: which direction.
        amplitude: None walks to the direction's own reach on either side, at an even pace.
        layers: layers to shift; None takes the direction's own.
        saliency: add a column with heat maps of where the pictures of each row change.
        batch: images synthesised at once.
        progress: called with images done and images in all.
    Raises:
        GanwalkError: the direction does not exist or does not fit the generator, or its reach was not measured.
    """
    directions.step(index)
    amplitudes = _amplitudes(directions, index, amplitude, steps)
    far = f"±{amplitude:g} σ" if amplitude is not None else "up to the reach, at an even pace"
    return _samples_grid(
        generator,
        directions,
        [Move(index, 1.0, layers)],
        amplitudes,
        _amplitude_labels(amplitudes),
        _caption(
            f"direction {directions.title(index)}",
            directions,
            far,
            samples,
            layers or directions.layers_of(index),
        ),
        samples,
        saliency=saliency,
        batch=batch,
        progress=progress,
    )


def combination_grid(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    samples: Samples,
    *,
    steps: int = 7,
    saliency: bool = False,
    batch: int = 8,
    progress: OnCount | None = None,
) -> Image.Image:
    """Rows: samples; columns: from the sample itself to the whole of an edit; otherwise as `traversal_grid`."""
    fractions = _spread(0.0, 1.0, steps)
    limits = [move.layers or directions.layers_of(move.index) for move in edit]
    # Said once of moves that share them.
    shared = len(set(limits)) == 1
    words = [f" in {in_words(layers)}" * (not shared) for layers in limits]
    title = " and ".join(
        f"{directions.title(move.index)} {move.amplitude:+g} σ".replace("-", "−") + where
        for move, where in zip(edit, words, strict=True)
    )
    return _samples_grid(
        generator,
        directions,
        edit,
        fractions,
        [f"{100 * fraction:.0f} %" for fraction in fractions],
        _caption(title, directions, "", samples, limits[0] if shared else None),
        samples,
        saliency=saliency,
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
    samples: Samples,
    *,
    saliency: bool,
    batch: int,
    progress: OnCount | None,
) -> Image.Image:
    """A row per sample, a column per multiple of the edit."""
    count = counter(len(samples) * len(fractions), progress)
    canvas = _sheet(generator, fractions, [*labels, *[_WHERE] * saliency], samples.labels)
    for row, sample in enumerate(samples):
        cells = traverse(generator, directions, edit, fractions, sample, batch=batch, on_images=count)
        canvas.paste(row, _with_heat(cells[0], fractions) if saliency else cells[0])
    return canvas.finish(caption)


def overview_grid(
    generator: Generator,
    directions: Directions,
    sample: Samples,
    *,
    amplitude: float = 3.0,
    steps: int = 7,
    layers: Layers | None = None,
    batch: int = 8,
    most: int | None = None,
    note: str = "",
    progress: OnCount | None = None,
) -> Image.Image:
    """One row per direction, for one sample; otherwise as `traversal_grid`.

    Hidden directions are left out. A bar below each index shows the direction's effect as a share of the strongest
    one's, where it was measured; where that is next to nothing, the row is pale.

    Args:
        most: show only so many directions, the first ones.
        note: what else the caption says.

    Raises:
        GanwalkError: also if there are several samples.
    """
    parts = [directions.visible()[:most]]
    reach: dict[str, Any] = {"amplitude": amplitude, "steps": steps, "layers": layers, "batch": batch}
    return next(_overviews(generator, directions, sample, parts, note=note, saliency=False, progress=progress, **reach))


def overview_sheets(
    generator: Generator,
    directions: Directions,
    sample: Samples,
    *,
    amplitude: float | None = 3.0,
    steps: int = 7,
    layers: Layers | None = None,
    saliency: bool = False,
    batch: int = 8,
    progress: OnCount | None = None,
) -> Iterator[Image.Image]:
    """The overview in as many sheets as `overview_parts` has parts, each made when it is asked for."""
    reach: dict[str, Any] = {"amplitude": amplitude, "steps": steps, "layers": layers, "batch": batch}
    parts = overview_parts(directions)
    return _overviews(generator, directions, sample, parts, note="", saliency=saliency, progress=progress, **reach)


def overview_parts(directions: Directions) -> list[list[int]]:
    """The directions that are not hidden, in parts of nearly equal length that fit a sheet to be looked at."""
    visible = directions.visible()
    count = -(-len(visible) // SHEET_ROWS)
    return [part.tolist() for part in np.array_split(visible, count)]


def _overviews(
    generator: Generator,
    directions: Directions,
    sample: Samples,
    parts: Sequence[Sequence[int]],
    *,
    amplitude: float | None,
    steps: int,
    layers: Layers | None,
    batch: int,
    note: str,
    saliency: bool,
    progress: OnCount | None,
) -> Iterator[Image.Image]:
    """A sheet for each part of the directions; the unshifted picture is made once for all."""
    if len(sample) != 1:
        raise GanwalkError(f"an overview is of one sample, not of {len(sample)}")
    walks = {index: _amplitudes(directions, index, amplitude, steps) for part in parts for index in part}
    positions = _spread(-1.0, 1.0, steps)
    visible = directions.visible()
    zeros = sum(map(is_zero, positions))
    count = counter(sum(map(len, parts)) * (steps - zeros) + zeros, progress)
    shares = _shares(directions)
    making: dict[str, Any] = {"batch": batch, "on_images": count}
    unmoved = unmoved_pictures(generator, directions, positions, sample, **making)
    far = f"±{amplitude:g} σ" if amplitude is not None else "each up to its reach, at an even pace"
    hidden = len(directions) - len(visible)
    for shown in parts:
        canvas = _sheet(
            generator,
            positions,
            [*_column_labels(positions, amplitude), *[_WHERE] * saliency],
            [_row_label(directions, index, amplitude) for index in shown],
            None if shares is None else [shares[index] for index in shown],
        )
        for row, index in enumerate(shown):
            moves = [Move(index, 1.0, layers)]
            cells = traverse(generator, directions, moves, walks[index], sample, unmoved=unmoved, **making)[0]
            cells = _with_heat(cells, walks[index]) if saliency else cells
            pale = shares is not None and shares[index] < _HARDLY
            canvas.paste(row, _paled(cells) if pale else cells)
        whole = len(shown) == len(visible)
        rows = f"{len(visible)} directions" if whole else f"directions {shown[0]} to {shown[-1]} of {len(visible)}"
        limits = layers or directions.layers
        title = f"{rows}{f' ({hidden} hidden)' if hidden else ''}, {sample.labels[0]}"
        caption = " · ".join(filter(None, (_caption(title, directions, far, sample, limits), note)))
        if shares is not None:
            caption += " · bars: image change"
            caption += " · pale: hardly any" * any(shares[index] < _HARDLY for index in shown)
        yield canvas.finish(caption)


def _with_heat(cells: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Pictures (columns, h, w, 3) of a walk with one more: a heat map of where they change, on the one nearest to 0."""
    # A direction without reach goes nowhere.
    way = max(fractions[-1] - fractions[0], 1e-9)
    saliency = saliency_map([reduced(cells)]) * (len(fractions) - 1) / way
    middle = min(range(len(fractions)), key=lambda column: abs(fractions[column]))
    return np.concatenate([cells, heat_picture(saliency, cells[middle])[None]])


def _paled(cells: np.ndarray) -> np.ndarray:
    """Pictures, uint8, that step back behind others."""
    return (255 - (255 - cells.astype(np.uint16)) * 2 // 5).astype(np.uint8)


def _sheet(
    generator: Generator,
    fractions: Sequence[float],
    labels: Sequence[str],
    rows: Sequence[str],
    shares: Sequence[float] | None = None,
) -> Sheet:
    """An empty sheet with a column for each multiple of an edit, of which zero is marked."""
    middle = [column for column, fraction in enumerate(fractions) if is_zero(fraction)]
    return Sheet(generator.image_size, labels, rows, shares, middle)


def _amplitudes(directions: Directions, index: int, amplitude: float | None, steps: int) -> list[float]:
    """Of the columns: evenly spread, or at an even pace to the direction's own reach."""
    if amplitude is not None:
        return _spread(-amplitude, amplitude, steps)
    if directions.reach is None:
        raise GanwalkError("the reach of these directions was not measured: run ganwalk reach first")
    reach = directions.reach
    return [0.0 if is_zero(at) else reach.amplitude(index, at) for at in _spread(-1.0, 1.0, steps)]


def _column_labels(positions: Sequence[float], amplitude: float | None) -> list[str]:
    """Of an overview: amplitudes, or shares of the way to reaches that differ."""
    if amplitude is not None:
        return _amplitude_labels([at * amplitude for at in positions])
    return ["0" if is_zero(at) else f"{100 * at:+.0f} %".replace("-", "−") for at in positions]


def _row_label(directions: Directions, index: int, amplitude: float | None) -> str:
    """Of an overview: the direction, and where its ends are if others have other ones."""
    if amplitude is not None or directions.reach is None:
        return directions.title(index)
    return f"{directions.title(index)}: {directions.reach.words(index)}"


def _amplitude_labels(amplitudes: Sequence[float]) -> list[str]:
    return ["0" if is_zero(a) else f"{a:+.2g} σ".replace("-", "−") for a in amplitudes]


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


def _caption(title: str, directions: Directions, reach: str, samples: Samples, layers: Layers | None) -> str:
    parts = [
        title,
        Path(directions.generator.reference).name,
        directions.method,
        directions.space + (f", {in_words(layers)}" if layers else ""),
        reach,
    ]
    return " · ".join(filter(None, [*parts, describe_truncation(samples), samples.origin]))
