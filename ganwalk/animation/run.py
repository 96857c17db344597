"""Writing an animation: in segments that outlive an interruption, which are joined at the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from ganwalk.animation.frames import Animation, Plan
from ganwalk.errors import GanwalkError
from ganwalk.files import check_writable, lock_owner, made_folder, read_text, try_locked, write_text
from ganwalk.progress.callbacks import OnCount, counter
from ganwalk.rendering.naming import carries, check_replaceable, mark_of
from ganwalk.resuming.agreement import check_fingerprint
from ganwalk.video.formats import VideoFormat, check_replaceable_frames, format_of
from ganwalk.video.png import frame_name

_RUN = "run.json"
# Frames of a segment at least, which an interruption may cost; of large images, which take seconds, fewer. Videos of
# short segments are larger, since each begins with a whole picture.
_SEGMENT, _SEGMENT_OF_LARGE = 48, 24
_LARGE = 512
_MAX_RUN = 2**20


def partial_folder(target: Path) -> Path:
    """Where the segments of an animation are until it is finished."""
    return target.with_name(target.name + ".partial")


def check_target(animation: Animation, target: Path, *, resume: bool, force: bool) -> bool:
    """Refuses, before anything slow is done, what is in the way; tells whether the animation is there already.

    Args:
        resume: continue what is unfinished, and keep what is finished.
        force: replace what is there.
    Raises:
        GanwalkError: with the remedy.
    """
    found = format_of(target)
    settings = animation.settings
    if found.even and settings.size is not None and settings.size % 2:
        raise GanwalkError(f"--size {settings.size} is odd, which {found.suffix} cannot be: give {settings.size + 1}")
    if found.most_fps is not None and settings.fps > found.most_fps:
        raise GanwalkError(f"{found.suffix} plays at most {found.most_fps} frames a second: lower --fps, or use .mp4")
    partial = partial_folder(target)
    if partial.exists() and not (partial / _RUN).is_file():
        raise GanwalkError(f"{partial} is in the way, and no unfinished animation: choose another name")
    if partial.exists() and not resume and not force:
        raise GanwalkError(
            f"{partial} is an animation that was not finished: continue it with --resume, or start anew with --force"
        )
    mark = _mark(animation, found)
    if resume and not partial.exists() and _is_finished(target, found, mark):
        return True
    if resume and partial.exists():
        check_writable(target)
    elif found.is_folder:
        check_replaceable_frames(target, mark, force)
    else:
        check_replaceable(target, mark, force)
    return False


def write_animation(
    animation: Animation, target: Path, *, resume: bool = False, progress: OnCount | None = None
) -> None:
    """Writes the video of an animation, in the format that its name stands for.

    Memory is bounded by a batch, however long the video is; segments in a folder beside it take the space of the
    video once more, until it is finished. An interruption leaves them.

    Args:
        target: ends in .mp4, .gif, .webp, or in nothing for a folder of frames. `check_target` has allowed it.
        resume: continue from the segments that are there.
    Raises:
        GanwalkError: another process writes it, segments are of other settings, or the video cannot be written.
    """
    found = format_of(target)
    partial = partial_folder(target)
    run = animation.fingerprint(found.suffix)
    with made_folder(target.parent), try_locked(target) as held:
        if not held:
            raise GanwalkError(
                f"another process writes {target}{lock_owner(target)}: wait for it, or choose another --out"
            )
        if resume and partial.exists():
            check_fingerprint(partial, _read_run(partial / _RUN), run)
        else:
            shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir(exist_ok=True)
            write_text(partial / _RUN, run)
            _write(animation, target, found, partial, progress)
        finally:
            if not any(partial.glob("segment-*")):
                shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(partial)


def _write(animation: Animation, target: Path, found: VideoFormat, partial: Path, progress: OnCount | None) -> None:
    on_images = counter(animation.images, progress)
    plan = animation.plan(on_images)
    mark = _mark(animation, found)
    segments = []
    size = 0
    for start, stop in _parts(len(plan), animation):
        segment = partial / f"segment-{start:06d}{found.suffix}"
        if segment.exists():
            on_images(stop - start)
        else:
            frames = _watched(plan, start, stop, on_images)
            found.write(segment, frames, animation.settings.fps, start, mark)
        segments.append(segment)
        size += segment.stat().st_size
        if found.most_bytes is not None and size > found.most_bytes:
            raise GanwalkError(f"{target} would be larger than {found.suffix} can be (4 GiB): write an .mp4")
    found.join(segments, target, mark)


def _parts(frames: int, animation: Animation) -> list[tuple[int, int]]:
    """First and last frame (exclusive) of each segment, all of whole batches.

    What is left over goes to the last: encoders treat very short videos otherwise, and their times would not be even.
    """
    least = _SEGMENT_OF_LARGE if animation.generator.resolution > _LARGE else _SEGMENT
    length = -(-least // animation.batch) * animation.batch
    starts = list(range(0, max(1, frames - length + 1), length))
    return list(zip(starts, [*starts[1:], frames], strict=True))


def _watched(plan: Plan, start: int, stop: int, on_images: Callable[[int], None]) -> Iterator[np.ndarray]:
    for frame in plan.frames(start, stop):
        yield frame
        on_images(1)


def _mark(animation: Animation, found: VideoFormat) -> str:
    facts = json.loads(animation.fingerprint(found.suffix))
    return mark_of(None, {key: value for key, value in facts.items() if key != "batch"})


def _is_finished(target: Path, found: VideoFormat, mark: str) -> bool:
    sample = target / frame_name(0) if found.is_folder else target
    return sample.is_file() and carries(sample, mark)


def _read_run(path: Path) -> str:
    """The fingerprint of an unfinished animation."""
    try:
        text = read_text(path, _MAX_RUN)
        if not isinstance(json.loads(text), dict):
            raise ValueError("no description")
    except (OSError, ValueError, RecursionError) as error:
        raise GanwalkError(f"{path} is no mark of an unfinished animation: start anew with --force") from error
    return text
