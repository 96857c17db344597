"""Animations: a smooth walk there and back, as GIF or MP4."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path
from ganwalk.generators.base import Generator
from ganwalk.rendering.grids import cell_size, resize
from ganwalk.rendering.images import Progress, traverse

_COLUMNS = 6


def save_animation(
    path: Path | str,
    generator: Generator,
    directions: Directions,
    index: int | None,
    *,
    seeds: Sequence[int],
    amplitude: float = 3.0,
    frames: int = 48,
    fps: int = 24,
    truncation_psi: float = 1.0,
    layers: tuple[int, int] | None = None,
    class_index: int | None = None,
    batch: int = 8,
    progress: Progress | None = None,
) -> None:
    """Writes a loop of `frames` frames from 0 to +amplitude, to -amplitude and back, samples side by side.

    Args:
        path: ends in .gif or .mp4.
        index: which direction; None shows every direction of the first seed side by side.
    Raises:
        GanwalkError: another suffix, or no encoder for it.
    """
    import imageio.v2 as imageio

    path = Path(path)
    amplitudes = [amplitude * math.sin(2 * math.pi * k / frames) for k in range(frames)]
    tiles = [(index, seed) for seed in seeds] if index is not None else [(k, seeds[0]) for k in range(len(directions))]
    with atomic_path(path) as partial:
        options: dict[str, Any]
        if path.suffix.lower() == ".gif":
            options = {"format": "GIF", "duration": 1000 / fps, "loop": 0}
        elif path.suffix.lower() == ".mp4":
            options = {
                "format": "FFMPEG",
                "fps": fps,
                "codec": "libx264",
                "quality": 8,
                "macro_block_size": 2,
            }
        else:
            raise GanwalkError(f"{path} must end in .gif or .mp4")
        try:
            writer = imageio.get_writer(partial, **options)
        except (ImportError, ValueError, RuntimeError) as error:
            raise GanwalkError(f"cannot write {path}: install imageio-ffmpeg, or use --gif") from error
        with writer:
            for done, frame in enumerate(_frames(
                generator, directions, tiles, amplitudes, truncation_psi, layers, class_index, batch
            )):  # fmt: skip
                writer.append_data(frame)
                if progress is not None:
                    progress(done + 1, frames)


def _frames(
    generator: Generator,
    directions: Directions,
    tiles: Sequence[tuple[int, int]],
    amplitudes: Sequence[float],
    truncation_psi: float,
    layers: tuple[int, int] | None,
    class_index: int | None,
    batch: int,
) -> Iterator[np.ndarray]:
    """Frames (h, w, 3) with even sides, as video codecs ask for; a few amplitudes at a time bound the memory."""
    cell = cell_size(generator.resolution)
    columns = min(_COLUMNS, len(tiles))
    rows = -(-len(tiles) // columns)
    for start in range(0, len(amplitudes), batch):
        part = amplitudes[start : start + batch]
        sheets = np.full((len(part), rows * cell, columns * cell, 3), 255, np.uint8)
        for k, (index, seed) in enumerate(tiles):
            pixels = traverse(
                generator,
                directions,
                index,
                part,
                seeds=[seed],
                truncation_psi=truncation_psi,
                layers=layers,
                class_index=class_index,
                batch=batch,
            )[0]
            y, x = divmod(k, columns)
            for sheet, picture in zip(sheets, pixels, strict=True):
                sheet[y * cell : (y + 1) * cell, x * cell : (x + 1) * cell] = np.asarray(resize(picture, cell))
        yield from sheets[:, : rows * cell // 2 * 2, : columns * cell // 2 * 2]
