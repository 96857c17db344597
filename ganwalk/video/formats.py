"""Formats by the suffix of a file's name. A video is made of segments, written one after another and joined at the end.

Segments depend on nothing but their own frames: what was interrupted goes on after the last that is whole, and no more
than one frame is in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path, check_free, check_writable
from ganwalk.video import gif, mp4, png, webp

Frames = Iterable[np.ndarray]


@dataclass(frozen=True)
class VideoFormat:
    """How the videos of a suffix are written.

    Attributes:
        suffix: of their names; empty for folders of frames.
        write: (segment, frames (h, w, 3) uint8, frames a second, number of the first frame, mark): writes a segment,
            whole or not at all.
        join: (segments, target, mark): makes the video of all its segments, whole or not at all.
        even: sides must be even numbers of pixels.
        most_fps: frames a second that players heed.
        most_bytes: that a file may have.
    """

    suffix: str
    write: Callable[[Path, Frames, float, int, str], None]
    join: Callable[[Sequence[Path], Path, str], None]
    even: bool = False
    most_fps: int | None = None
    most_bytes: int | None = None

    @property
    def is_folder(self) -> bool:
        """Whether a video is a folder."""
        return not self.suffix


def format_of(path: Path) -> VideoFormat:
    """The format that a name stands for; GanwalkError if it is none."""
    if not path.name:
        raise GanwalkError(f"{path} is a folder that exists: give a name in it, such as {path / 'walk.mp4'}")
    try:
        return _FORMATS[path.suffix.lower()]
    except KeyError:
        raise GanwalkError(f"{path} must end in .mp4, .gif or .webp, or in nothing for a folder of frames") from None


def check_replaceable_frames(folder: Path, mark: str, force: bool) -> None:
    """Refuses, before anything slow is done, a folder that nobody asked to replace or that holds other things."""
    if not folder.exists():
        check_writable(folder)
    elif not folder.is_dir():
        raise GanwalkError(f"{folder} is a file, not a folder for frames: choose another name, such as {folder}.mp4")
    elif any(folder.iterdir()):
        first = folder / png.frame_name(0)
        if not (first.is_file() and mark.encode() in first.read_bytes()):
            check_free(folder, force)
        png.check_only_frames(folder)


def _by_frames(suffix: str, writer: Any, **limits: Any) -> VideoFormat:
    """A format whose segments are frames of our own container: `writer` is the module that writes and joins them."""

    def write(segment: Path, frames: Frames, fps: float, start: int, mark: str) -> None:
        with atomic_path(segment) as partial:
            writer.write_segment(partial, frames, fps, start)

    def join(segments: Sequence[Path], target: Path, mark: str) -> None:
        with atomic_path(target) as partial:
            writer.join_segments(segments, partial, mark)

    return VideoFormat(suffix, write, join, **limits)


def _write_mp4(segment: Path, frames: Frames, fps: float, start: int, mark: str) -> None:
    with atomic_path(segment) as partial:
        mp4.write_mp4(partial, frames, fps, segment)


def _join_mp4(segments: Sequence[Path], target: Path, mark: str) -> None:
    with atomic_path(target) as partial:
        mp4.join_mp4(segments, partial, mark, target)


def _write_png(segment: Path, frames: Frames, fps: float, start: int, mark: str) -> None:
    with png.atomic_folder(segment) as partial:
        png.write_segment(partial, frames, start, mark)


def _join_png(segments: Sequence[Path], target: Path, mark: str) -> None:
    whole = segments[0].parent / "whole"
    png.join_segments(segments, whole)
    if not any(whole.iterdir()):
        # They are in the target already: what was interrupted came as far as that.
        return
    if target.exists():
        png.check_only_frames(target)
        shutil.rmtree(target)
    whole.replace(target)


_FORMATS = {
    one.suffix: one
    for one in (
        VideoFormat(".mp4", _write_mp4, _join_mp4, even=True),
        _by_frames(".gif", gif, most_fps=gif.MOST_FPS),
        _by_frames(".webp", webp, most_bytes=webp.MOST_BYTES),
        VideoFormat("", _write_png, _join_png),
    )
}
