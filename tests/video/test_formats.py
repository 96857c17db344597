"""Videos are read again as they were written, whatever segments they are made of, and no frame stays in memory."""

import weakref
from pathlib import Path

import imageio.v2 as imageio
import imageio_ffmpeg
import numpy as np
import pytest
from PIL import Image, ImageSequence

from ganwalk.errors import GanwalkError
from ganwalk.rendering.naming import carries
from ganwalk.video import gif, mp4, webp
from ganwalk.video.formats import check_replaceable_frames, format_of

FPS, MARK = 24, "ganwalk-mark-0123"
SUFFIXES = (".gif", ".mp4", ".webp", "")


def pictures(count, height=32, width=48):
    y, x = np.mgrid[:height, :width]
    return [np.stack([x * 5, y * 7, np.full_like(x, (20 * k) % 256)], axis=-1).astype(np.uint8) for k in range(count)]


def written(path, frames, splits):
    found = format_of(path)
    segments = []
    for start, stop in zip([0, *splits], [*splits, len(frames)], strict=True):
        segments.append(path.parent / f"segment-{start:06d}{found.suffix}")
        found.write(segments[-1], iter(frames[start:stop]), FPS, start, MARK)
    found.join(segments, path, MARK)
    return path


def read(path):
    """Frames of a video, and its seconds."""
    if path.is_dir():
        files = sorted(path.iterdir())
        return [np.asarray(Image.open(file)) for file in files], len(files) / FPS
    if path.suffix == ".mp4":
        return [np.asarray(frame) for frame in imageio.get_reader(path)], imageio_ffmpeg.count_frames_and_secs(path)[1]
    frames, milliseconds = [], 0
    with Image.open(path) as video:
        assert video.info["loop"] == 0
        for frame in ImageSequence.Iterator(video):
            frames.append(np.asarray(frame.convert("RGB")))
            milliseconds += frame.info["duration"]
    return frames, milliseconds / 1000


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_joined_segments_are_the_video(tmp_path, suffix):
    frames = pictures(12)
    path = written(tmp_path / f"video{suffix}", frames, [5])
    shown, seconds = read(path)
    assert len(shown) == 12 and shown[0].shape == (32, 48, 3)
    assert seconds == pytest.approx(12 / FPS, abs=0.01)
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(shown, frames, strict=True)) < 6
    assert carries(path / "frame-000000.png" if path.is_dir() else path, MARK)


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_segments_leave_no_trace(tmp_path, suffix):
    frames = pictures(7)
    (tmp_path / "other").mkdir()
    one = written(tmp_path / f"one{suffix}", frames, [])
    other = written(tmp_path / "other" / f"other{suffix}", frames, [2, 3])
    assert one.read_bytes() == other.read_bytes()


def test_the_times_of_a_joined_mp4_are_even(tmp_path):
    path = written(tmp_path / "video.mp4", pictures(40), [10, 20])
    assert imageio.get_reader(path).get_meta_data()["fps"] == FPS
    # A reader that heeds times would show a frame twice where one is missing.
    assert len(read(path)[0]) == 40


def test_delays_do_not_add_up_rounding_errors(tmp_path):
    path = tmp_path / "video.gif"
    gif.write_gif(path, pictures(48), FPS)
    assert read(path)[1] == pytest.approx(2.0)


@pytest.mark.parametrize("colours", [1, 2, 16])
def test_a_gif_keeps_few_colours_exactly(tmp_path, colours):
    """Whatever the size of the table of colours is."""
    squares = (15 * (np.arange(64) % colours)).astype(np.uint8).reshape(8, 8)
    frame = np.repeat(np.kron(squares, np.ones((4, 4), np.uint8))[..., None], 3, axis=2)
    gif.write_gif(tmp_path / "video.gif", [frame, frame[::-1]], FPS)
    shown, _ = read(tmp_path / "video.gif")
    assert np.array_equal(shown[0], frame) and np.array_equal(shown[1], frame[::-1])


@pytest.mark.parametrize("write", [gif.write_gif, gif.write_segment, webp.write_segment, mp4.write_mp4])
def test_frames_do_not_stay_in_memory(tmp_path, write):
    alive, most = 0, 0

    def gone():
        nonlocal alive
        alive -= 1

    def frames():
        nonlocal alive, most
        for frame in map(np.copy, pictures(1) * 20):
            weakref.finalize(frame, gone)
            alive += 1
            most = max(most, alive)
            yield frame

    path = tmp_path / f"video{'.mp4' if write is mp4.write_mp4 else '.part'}"
    more = {gif.write_gif: (), mp4.write_mp4: (path,)}.get(write, (0,))
    write(path, frames(), FPS, *more)
    assert path.stat().st_size > 0 and most <= 4


def test_other_names_are_refused():
    assert format_of(Path("a/B.MP4")).suffix == ".mp4" and format_of(Path("a/frames")).is_folder
    with pytest.raises(GanwalkError, match=r"must end in \.mp4, \.gif or \.webp"):
        format_of(Path("video.avi"))


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    folder = written(tmp_path / "frames", pictures(2), [])
    check_replaceable_frames(folder, MARK, force=False)
    with pytest.raises(GanwalkError, match="exists: choose another name, or replace it with --force"):
        check_replaceable_frames(folder, "another mark", force=False)
    check_replaceable_frames(folder, "another mark", force=True)
    (folder / "diary.txt").touch()
    with pytest.raises(GanwalkError, match="holds other things than frames"):
        check_replaceable_frames(folder, MARK, force=True)
    with pytest.raises(GanwalkError, match="is a file, not a folder for frames"):
        check_replaceable_frames(folder / "diary.txt", MARK, force=True)


def test_frames_that_were_moved_are_not_lost(tmp_path):
    """Joining again, after an interruption when all was done, leaves the folder as it is."""
    folder = written(tmp_path / "frames", pictures(3), [1])
    format_of(folder).join(sorted(tmp_path.glob("segment-*")), folder, MARK)
    assert len(read(folder)[0]) == 3


def test_an_ffmpeg_that_fails_is_one_line(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"nothing")
    with pytest.raises(GanwalkError, match=r"cannot write video\.mp4: the encoder stopped"):
        mp4.join_mp4([tmp_path / "a.mp4"], tmp_path / "b.mp4", MARK, Path("video.mp4"))


def test_a_pillow_without_webp_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.features.check", lambda name: False)
    with pytest.raises(GanwalkError, match="without WebP"):
        webp.write_segment(tmp_path / "a.webp", pictures(1), FPS, 0)
