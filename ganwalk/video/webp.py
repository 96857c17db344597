"""Animated WebP, one frame in memory at a time.

Pillow compresses the frames, each as a file of its own; the chunks around them are those of the WebP container
specification. A frame does not refer to others: files are larger than those of an encoder that looks back.
"""

from __future__ import annotations

import io
import shutil
import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, features

from ganwalk.errors import GanwalkError

# The size of the whole is a number of 32 bits.
MOST_BYTES = 2**32 - 2**16
_TICKS = 1000
_QUALITY = 85
_ANIMATED = 0x02
# Of a frame: it replaces what is below, which stays.
_REPLACES = 0x02
_HEADER = 12
# What readers do not know, they pass over.
_MARK = b"MARK"


def write_segment(target: Path, frames: Iterable[np.ndarray], fps: float, start: int) -> None:
    """Writes frames (h, w, 3), uint8, from number `start` of an animation on, without what is around all of them.

    Raises:
        GanwalkError: this Pillow has no WebP.
    """
    if not features.check("webp"):
        raise GanwalkError(f"cannot write {target.name}: this Pillow was built without WebP; choose .mp4 or .gif")
    with target.open("wb") as file:
        for number, frame in zip(count(start), frames, strict=False):
            file.write(_frame(frame, round(_TICKS * (number + 1) / fps) - round(_TICKS * number / fps)))


def join_segments(segments: Sequence[Path], target: Path, mark: str) -> None:
    """Writes the endless animation that segments are parts of, with a mark at its end."""
    with target.open("wb") as file:
        file.write(b"RIFF\0\0\0\0WEBP")
        for number, segment in enumerate(segments):
            with segment.open("rb") as part:
                if number == 0:
                    # Its size stands in the first frame's chunk after its place.
                    size = part.read(20)[14:20]
                    part.seek(0)
                    file.write(_chunk(b"VP8X", bytes([_ANIMATED, 0, 0, 0]) + size))
                    file.write(_chunk(b"ANIM", struct.pack("<IH", 0, 0)))
                shutil.copyfileobj(part, file)
        file.write(_chunk(_MARK, mark.encode("ascii")))
        _fill_in_size(file)


def _fill_in_size(file: BinaryIO) -> None:
    size = file.tell() - 8
    file.seek(4)
    file.write(struct.pack("<I", size))


def _frame(pixels: np.ndarray, milliseconds: int) -> bytes:
    height, width = pixels.shape[:2]
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", quality=_QUALITY, method=4)
    head = bytes(6) + _three(width - 1) + _three(height - 1) + _three(milliseconds) + bytes([_REPLACES])
    # Of a still picture: its bits, and its opacity if there is one.
    kept = [chunk for name, chunk in _chunks(buffer.getvalue()) if name in (b"VP8 ", b"VP8L", b"ALPH")]
    return _chunk(b"ANMF", head + b"".join(kept))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names, and whole chunks with their padding, of a file."""
    position = _HEADER
    while position < len(data):
        size = struct.unpack_from("<I", data, position + 4)[0]
        end = position + 8 + size + size % 2
        yield data[position : position + 4], data[position:end]
        position = end


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def _three(number: int) -> bytes:
    """A number in three bytes."""
    return struct.pack("<I", number)[:3]
