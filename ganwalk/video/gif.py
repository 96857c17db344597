"""Animated GIFs, one frame in memory at a time.

Pillow compresses the frames, each as a file of its own; the blocks around them are those of the GIF89a specification
(CompuServe, 1990).
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Iterable, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image

# Delays are whole hundredths of a second, and browsers take those below 2 for 10.
MOST_FPS = 50
_TICKS = 100
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, b"\x3b"
# Of the byte in which a block says that it has a table of colours, and how large it is.
_HAS_TABLE, _TABLE_SIZE = 0x80, 0x07
# Of a frame: it stays below the next one.
_KEEP = 1 << 2
_HEADER = 13
_BLOCK = 255


def write_gif(target: Path, frames: Iterable[np.ndarray], fps: float) -> None:
    """Writes an endless animation of frames (h, w, 3), uint8.

    A palette of its own for every frame: closer than a shared one, and smaller files than dithering makes.
    """
    frames = iter(frames)
    first = next(frames)
    with target.open("wb") as file:
        file.write(_head(first.shape[1], first.shape[0], ""))
        file.write(_frame(first, _delay(0, fps)))
        for number, frame in enumerate(frames, start=1):
            file.write(_frame(frame, _delay(number, fps)))
        file.write(_TRAILER)


def write_segment(target: Path, frames: Iterable[np.ndarray], fps: float, start: int) -> None:
    """Writes frames (h, w, 3), uint8, from number `start` of an animation on, without what is around all of them."""
    with target.open("wb") as file:
        for number, frame in zip(count(start), frames, strict=False):
            file.write(_frame(frame, _delay(number, fps)))


def join_segments(segments: Sequence[Path], target: Path, mark: str) -> None:
    """Writes the animation that segments are parts of, with a comment."""
    with target.open("wb") as file:
        for number, segment in enumerate(segments):
            with segment.open("rb") as part:
                if number == 0:
                    file.write(_head(*_size(part.read(_FIRST_SIZE)), mark))
                    part.seek(0)
                shutil.copyfileobj(part, file)
        file.write(_TRAILER)


def _delay(number: int, fps: float) -> int:
    """Hundredths of a second that a frame is shown, so that rounding does not add up."""
    return round(_TICKS * (number + 1) / fps) - round(_TICKS * number / fps)


def _head(width: int, height: int, comment: str) -> bytes:
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0)
    endless = bytes([_EXTENSION, 0xFF, 11]) + b"NETSCAPE2.0" + struct.pack("<BBHB", 3, 1, 0, 0)
    text = comment.encode("ascii")[:_BLOCK]
    return screen + endless + (bytes([_EXTENSION, 0xFE, len(text)]) + text + b"\0" if text else b"")


def _frame(pixels: np.ndarray, delay: int) -> bytes:
    """The blocks of one frame: how long it is shown, its place, its colours, its compressed pixels."""
    still = _still(pixels)
    table_bits = still[10] & _TABLE_SIZE
    table_end = _HEADER + 3 * 2 ** (table_bits + 1)
    position = table_end
    while still[position] == _EXTENSION:
        position = _after_blocks(still, position + 2)
    left, top, width, height, packed = struct.unpack_from("<HHHHB", still, position + 1)
    shown = struct.pack("<BBBBHBB", _EXTENSION, 0xF9, 4, _KEEP, delay, 0, 0)
    place = struct.pack("<BHHHHB", _IMAGE, left, top, width, height, packed | _HAS_TABLE | table_bits)
    # After the description of the place: the size of codes, and blocks of them.
    data = position + 10
    return shown + place + still[_HEADER:table_end] + still[data : _after_blocks(still, data + 1)]


# Of a segment: the first frame's time, and its place with the size.
_FIRST_SIZE = 8 + 9


def _size(head: bytes) -> tuple[int, int]:
    return struct.unpack_from("<HH", head, 8 + 5)  # type: ignore[return-value]


def _after_blocks(data: bytes, position: int) -> int:
    """Where a chain of blocks that begins at `position` has ended."""
    while data[position]:
        position += 1 + data[position]
    return position + 1


def _still(pixels: np.ndarray) -> bytes:
    """One frame as a GIF, whose colours are in the table of the whole file."""
    picture = Image.fromarray(pixels)
    # A quarter of the pixels gives nearly the same palette in a quarter of the time.
    sample = picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)), Image.Resampling.NEAREST)
    palette = sample.quantize(256, method=Image.Quantize.MEDIANCUT, kmeans=2)
    buffer = io.BytesIO()
    picture.quantize(palette=palette, dither=Image.Dither.NONE).save(buffer, "GIF")
    return buffer.getvalue()
