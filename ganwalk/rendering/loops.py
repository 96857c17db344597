"""Loops: a smooth walk along edits there and back, as GIF or MP4."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path
from ganwalk.generators.base import Generator
from ganwalk.pictures.sheets import cell_of, resize
from ganwalk.progress.callbacks import OnCount
from ganwalk.rendering.images import traverse
from ganwalk.samples import Samples
from ganwalk.video.gif import write_gif
from ganwalk.video.mp4 import write_mp4

# Of a loop, if nobody says.
FRAMES = 48
_COLUMNS = 6
_GAP = 4
# Of one frame: about an 8K picture.
_MAX_PIXELS = 2**25


def save_loop(
    path: Path | str,
    generator: Generator,
    directions: Directions,
    edits: Sequence[Sequence[Move]],
    samples: Samples,
    *,
    there_and_back: bool = True,
    frames: int = FRAMES,
    fps: int = 24,
    batch: int = 8,
    progress: OnCount | None = None,
) -> None:
    """Writes a loop of `frames` frames along edits, every edit of every sample side by side.

    Args:
        path: ends in .gif or .mp4.
        edits: what is walked, to its whole length.
        there_and_back: from 0 to the edit, to its negative and back; otherwise to the edit and back only.
        batch: images synthesised at once, and frames in memory.
        progress: called with frames done and frames in all.
    Raises:
        GanwalkError: another suffix, no encoder for it, or nothing to show.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".mp4"):
        raise GanwalkError(f"{path} must end in .gif or .mp4")
    if not edits or frames < 2 or batch < 1:
        raise GanwalkError("an animation needs at least one direction, two frames and a batch of one")
    turns = [2 * math.pi * k / frames for k in range(frames)]
    fractions = [math.sin(turn) if there_and_back else (1 - math.cos(turn)) / 2 for turn in turns]
    pictures = _frames(
        generator,
        directions,
        [(edit, sample) for edit in edits for sample in samples],
        fractions,
        batch=batch,
    )
    counted = _counted(pictures, frames, progress)
    with atomic_path(path) as partial:
        if suffix == ".gif":
            write_gif(partial, counted, fps)
        else:
            write_mp4(partial, counted, fps, path)


def _counted(frames: Iterator[np.ndarray], total: int, progress: OnCount | None) -> Iterator[np.ndarray]:
    for done, frame in enumerate(frames, start=1):
        yield frame
        if progress is not None:
            progress(done, total)


def _frames(
    generator: Generator,
    directions: Directions,
    tiles: Sequence[tuple[Sequence[Move], Samples]],
    fractions: Sequence[float],
    *,
    batch: int,
) -> Iterator[np.ndarray]:
    """Frames (h, w, 3) with even sides, as video codecs ask for; a few fractions at a time bound the memory."""
    cell_height, cell_width = cell = cell_of(generator.image_size)
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    counted = zip((rows, columns), cell, strict=True)
    height, width = (-(-(count * (side + _GAP) - _GAP) // 2) * 2 for count, side in counted)
    if height * width > _MAX_PIXELS:
        raise GanwalkError(f"an animation of {width}×{height} pixels is too large: use fewer --seeds")
    for start in range(0, len(fractions), batch):
        part = fractions[start : start + batch]
        sheets = np.full((len(part), height, width, 3), 255, np.uint8)
        for k, (edit, sample) in enumerate(tiles):
            pixels = traverse(generator, directions, edit, part, sample, batch=batch)[0]
            row, column = divmod(k, columns)
            y, x = row * (cell_height + _GAP), column * (cell_width + _GAP)
            for sheet, picture in zip(sheets, pixels, strict=True):
                sheet[y : y + cell_height, x : x + cell_width] = np.asarray(resize(picture, cell))
        yield from sheets
