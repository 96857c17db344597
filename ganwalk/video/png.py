"""Folders of frames as PNG: frame-000000.png and so on, as video editors and ffmpeg (frame-%06d.png) take them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ganwalk.errors import GanwalkError

_PATTERN = "frame-*.png"


def frame_name(number: int) -> str:
    """What the file of a frame is called."""
    return f"frame-{number:06d}.png"


def write_segment(folder: Path, frames: Iterable[np.ndarray], start: int, mark: str) -> None:
    """Writes frames (h, w, 3), uint8, from number `start` on, each with a mark among its texts."""
    texts = PngInfo()
    texts.add_text("Source", mark)
    for number, frame in zip(count(start), frames, strict=False):
        Image.fromarray(frame).save(folder / frame_name(number), pnginfo=texts)


def join_segments(segments: Sequence[Path], folder: Path) -> None:
    """Moves the frames of segments into a folder; those that were moved before stay there."""
    folder.mkdir(exist_ok=True)
    for segment in segments:
        for frame in segment.glob(_PATTERN):
            os.replace(frame, folder / frame.name)


def check_only_frames(folder: Path) -> None:
    """Raises GanwalkError if a folder that is to be replaced holds anything but frames."""
    if any(not place.match(_PATTERN) for place in folder.iterdir()):
        raise GanwalkError(f"{folder} holds other things than frames: choose another name")


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """A temporary folder beside `folder`, which must not exist; renamed to it on success, removed on any failure."""
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name[:40]}-", dir=folder.parent))
    try:
        yield partial
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
