"""MP4 by ffmpeg, which imageio-ffmpeg brings along: frames go through a pipe to it."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError


def write_mp4(target: Path, frames: Iterable[np.ndarray], fps: float, name: Path) -> None:
    """H.264 in yuv420p, which every player knows, of frames (h, w, 3), uint8, with even sides.

    Args:
        name: of the file, for messages.
    Raises:
        GanwalkError: there is no encoder, or it stopped.
    """
    ffmpeg = _ffmpeg(name)
    import imageio.v2 as imageio

    writer = imageio.get_writer(
        target, format="FFMPEG", fps=fps, codec="libx264", pixelformat="yuv420p", quality=8, macro_block_size=2
    )
    failure = _failure(name)
    total = 0
    with writer:
        for frame in frames:
            try:
                writer.append_data(frame)
            except OSError as error:
                raise failure from error
            total += 1
    # The encoder is another program, and nobody reports how it ended: the file tells.
    try:
        written, _ = ffmpeg.count_frames_and_secs(str(target))
    except RuntimeError as error:
        raise failure from error
    if written != total:
        raise failure


def join_mp4(segments: Sequence[Path], target: Path, mark: str, name: Path) -> None:
    """Writes the video that segments of equal settings are parts of, without coding it again, with a comment.

    Args:
        name: of the file, for messages.
    Raises:
        GanwalkError: there is no ffmpeg, or it failed.
    """
    ffmpeg = _ffmpeg(name).get_ffmpeg_exe()
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder) / "segments.txt"
        # Between quotes, only a quote needs care.
        lines = ["file '{}'".format(str(path.absolute()).replace("'", r"'\''")) for path in segments]
        listing.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [ffmpeg, "-v", "error", "-nostdin", "-y", "-f", "concat", "-safe", "0", "-i", str(listing)]
        command += ["-c", "copy", "-metadata", f"comment={mark}", str(target)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if done.returncode != 0:
        raise _failure(name)


def _ffmpeg(name: Path) -> Any:
    """The package that brings ffmpeg."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError) as error:
        raise GanwalkError(f"cannot write {name}: install imageio-ffmpeg, or write a GIF") from error
    return imageio_ffmpeg


def _failure(name: Path) -> GanwalkError:
    return GanwalkError(f"cannot write {name}: the encoder stopped; free some space, or write a GIF")
