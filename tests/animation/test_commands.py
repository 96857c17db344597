"""`ganwalk animate`: what it writes where, how it goes on after an interruption, what it refuses."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from ganwalk.directions import Directions
from ganwalk.directions.labels import Label
from ganwalk.files import try_locked
from ganwalk.generators.loading import load_generator

ROOT = Path(__file__).parents[2]
QUICK = ("animate", "--seconds", "0.5", "--fps", "8", "--size", "32", "--threads", "1", "-q")
BLOBS = (*QUICK, "-g", "blobs")
# An animation of three segments.
LONG = (*BLOBS, "--seeds", "1-4", "--batch", "2")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr("ganwalk.animation.run._SEGMENT", 3)


@pytest.fixture
def directions():
    generator = load_generator("blobs")
    Path("found").mkdir()
    path = Path("found", "directions.safetensors")
    found = Directions(torch.eye(generator.z_dim)[:2], torch.ones(2), "z", generator.identity)
    found.labelled(1, Label("smile")).save(path)
    return path


@pytest.fixture
def refused(run):
    def call(*arguments):
        code, out, err = run(*arguments)
        assert code == 2 and out == "" and err.count("\n") == 1, (code, out, err)
        return err

    return call


def contents(path):
    """Bytes of a file, or of all files in a folder."""
    path = Path(path)
    return {file.name: file.read_bytes() for file in path.iterdir()} if path.is_dir() else path.read_bytes()


def test_a_generator_alone_is_enough(run):
    code, out, err = run(*BLOBS, "--seeds", "1,5,9", "--loop")
    name = "animation-seeds-1,5,9-loop-seconds-0.5-fps-8-size-32.mp4"
    assert code == 0 and err == ""
    assert out == f"wrote {name}: 12 frames of 32 px, 1.5 s\nnext: ganwalk discover --generator blobs\n"
    assert os.listdir() == [name]
    # The same video replaces itself.
    before = contents(name)
    assert run(*BLOBS, "--seeds", "1,5,9", "--loop")[0] == 0 and contents(name) == before


def test_directions_bring_their_generator_and_are_walked(run, directions):
    walk = (*QUICK, "--directions", directions, "-d", "smile", "--size", "32")
    code, out, err = run(*walk)
    written = Path("found", "animation-direction-1-seconds-0.5-fps-8-size-32.mp4")
    assert code == 0 and f"wrote {written}: 4 frames of 32 px, 0.5 s" in out, err
    assert "next: ganwalk render --directions found/directions.safetensors --direction all" in out
    # The newest are found, and named where something is said at all.
    talkative = [word for word in QUICK if word != "-q"]
    code, out, _ = run(*talkative, "--combine", "smile=2,0=-1", "--seeds", "1,2", "-o", "two.gif")
    assert code == 0 and out.startswith("using found/directions.safetensors") and "13 frames" in out
    with Image.open("two.gif") as video:
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in ImageSequence.Iterator(video)]
    # There, and on from where it came back to.
    assert np.abs(frames[2] - frames[0]).max() > 30 and np.abs(frames[8] - frames[12]).mean() < 4
    code, out, _ = run(*QUICK, "--directions", directions, "--seeds", "1,2", "-o", "plain.webp")
    assert code == 0 and "next: ganwalk animate --directions found/directions.safetensors --direction 0" in out


def test_latents_are_keyframes(run, refused):
    scenes = load_generator("scenes")
    np.savez("photo.npz", w=np.zeros((2, scenes.num_layers, scenes.w_dim), np.float32))
    options = (*QUICK, "-g", "scenes")
    code, out, err = run(*options, "--latents", "photo.npz", "--seeds", "3")
    assert code == 0 and "wrote animation-seeds-3-latents-photo-seconds-0.5" in out and "9 frames" in out, err
    code, out, _ = run(*options, "--latents", "photo.npz", "--latents", "photo.npz", "-o", "a.gif")
    assert code == 0 and "13 frames" in out
    assert "slerp goes through codes z" in refused(*options, "--latents", "photo.npz", "--interpolation", "slerp")
    assert "--seed-style is of --seeds" in refused(*options, "--latents", "photo.npz", "--seed-style", "nvidia")
    assert "not class-conditional" in refused(*options, "--latents", "photo.npz", "--seeds", "1", "--class", "1")
    code, out, err = run(*options, "--seeds", "1,2", "--seed-style", "nvidia", "--truncation", "0.5..1", "-o", "b.gif")
    assert code == 0 and "5 frames" in out, err


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".webp", ""])
def test_an_interrupted_video_is_continued_to_the_same_bytes(run, refused, monkeypatch, short_segments, suffix):
    from ganwalk.animation import frames

    whole, target, partial = Path(f"whole{suffix}"), Path(f"video{suffix}"), Path(f"video{suffix}.partial")
    assert run(*LONG, "-o", whole)[0] == 0
    made, to_bytes = [], frames.to_bytes

    def interrupted(images):
        made.append(len(images))
        if sum(made) > 6:
            raise KeyboardInterrupt
        return to_bytes(images)

    monkeypatch.setattr(frames, "to_bytes", interrupted)
    code, out, err = run(*LONG, "-o", target)
    assert code == 130 and out == "" and "to continue: the same command with --resume" in err
    assert not target.exists() and len(list(partial.glob("segment-*"))) == 1
    message = refused(*LONG, "-o", target)
    assert "was not finished: continue it with --resume, or start anew with --force" in message
    message = refused(*LONG, "-o", target, "--resume", "--fps", "9")
    assert f"{partial} belongs to a run with another fps: resume with its options" in message
    monkeypatch.setattr(frames, "to_bytes", lambda images: made.append(len(images)) or to_bytes(images))
    made.clear()
    assert run(*LONG, "-o", target, "--resume")[0] == 0
    # Thirteen frames, of which four were there.
    assert sum(made) == 9 and not partial.exists() and contents(target) == contents(whole)
    made.clear()
    code, out, _ = run(*LONG, "-o", target, "--resume")
    assert code == 0 and out == f"kept {target}: it is finished\n" and made == []


def test_an_unfinished_video_gives_way_to_force(run, refused, monkeypatch, short_segments):
    from ganwalk.animation import run as running

    def full(*arguments):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(running, "_parts", lambda frames, animation: [(0, 4), (4, frames)])
        patched.setattr("ganwalk.video.gif.join_segments", full)
        assert "No space left on device" in refused(*LONG, "-o", "video.gif")
    assert len(list(Path("video.gif.partial").glob("segment-*"))) == 2
    assert run(*LONG, "-o", "video.gif", "--force", "--fps", "9")[0] == 0
    assert os.listdir() == ["video.gif"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_killed_and_resumed_it_is_as_if_it_had_not_been(run):
    options = ["-g", "scenes", "--seeds", "1-3", "--size", "64", "--threads", "1", "-q", "--loop", "--pace", "even"]
    command = [sys.executable, "-m", "ganwalk", "animate", *options, "-o", "video.mp4"]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=os.getcwd()
    )
    deadline = time.monotonic() + 120
    while not list(Path().glob("video.mp4.partial/segment-*")) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not Path("video.mp4").exists()
    assert run("animate", *options, "-o", "video.mp4", "--resume")[0] == 0
    assert run("animate", *options, "-o", "whole.mp4")[0] == 0
    assert contents("video.mp4") == contents("whole.mp4")


def test_what_cannot_be_is_refused_and_leaves_nothing(refused, directions):
    Path("other.gif").write_bytes(b"of somebody")
    Path("held.mp4.partial").mkdir()
    before = sorted(os.listdir())
    for arguments, message in (
        ((*BLOBS, "-o", "video.avi"), "must end in .mp4, .gif or .webp"),
        ((*BLOBS, "-o", "."), "give a name in it, such as walk.mp4"),
        ((*BLOBS, "--amplitude", "2"), "--amplitude is how far a direction goes: give --direction"),
        ((*BLOBS, "--directions", directions, "--combine", "0=1", "--amplitude", "2"), "is how far a direction goes"),
        ((*BLOBS, "-o", "other.gif"), "exists: choose another name, or replace it with --force"),
        ((*BLOBS, "-o", "held.mp4"), "is in the way, and no unfinished animation"),
        ((*BLOBS, "-o", "found"), "found exists: choose another name"),
        ((*BLOBS, "-o", "found", "--force"), "found holds other things than frames"),
        ((*BLOBS, "--size", "33"), "--size 33 is odd, which .mp4 cannot be: give 34"),
        ((*BLOBS, "--fps", "60", "-o", "a.gif"), "plays at most 50 frames a second"),
        ((*BLOBS, "--seeds", "1"), "nothing moves with one keyframe"),
        ((*BLOBS, "--truncation", "half"), "neither a number such as 0.7 nor a sweep"),
        ((*BLOBS, "--truncation-cutoff", "1", "--truncation", "0.5"), "no styles of layers"),
        ((*BLOBS, "--layers", "1"), "--layers are those that a direction shifts"),
        ((*BLOBS, "-d", "0", "--combine", "0=1"), "two things to walk"),
        ((*BLOBS, "-d", "9", "--directions", directions), "directions 0 to 1"),
        ((*QUICK, "-g", "scenes", "-d", "0"), "is not the generator of these directions"),
        ((*QUICK, "-g", "nothing"), "unknown generator"),
        ((*QUICK, "--directions", "none.safetensors"), "none.safetensors"),
        ((*BLOBS, "--latents", "none.npz"), "check --latents"),
        ((*BLOBS, "--seeds", "3-1"), "runs backwards"),
    ):
        assert message in refused(*arguments), arguments
        assert sorted(os.listdir()) == before, arguments


def test_without_directions_a_generator_is_asked_for(refused):
    assert refused(*QUICK).endswith("or give --directions FILE, or --generator NAME\n")
    assert refused(*QUICK, "-d", "0").endswith("or give --directions FILE\n")


def test_one_process_at_a_time_writes_a_video(refused):
    with try_locked(Path("video.mp4")) as held:
        assert held
        assert "another process writes video.mp4 (process" in refused(*BLOBS, "-o", "video.mp4")


def test_a_file_too_large_for_its_format_is_told(refused, monkeypatch, short_segments):
    from dataclasses import replace

    from ganwalk.video import formats

    small = replace(formats.format_of(Path("a.webp")), most_bytes=1000)
    monkeypatch.setitem(formats._FORMATS, ".webp", small)
    assert "would be larger than .webp can be" in refused(*LONG, "-o", "video.webp")


def test_it_says_beforehand_that_it_takes_long(run, monkeypatch):
    monkeypatch.setattr("ganwalk.generators.timing.seconds_per_latent", lambda *arguments, **options: 30.0)
    options = [word for word in BLOBS if word != "-q"]
    err = run(*options, "--seeds", "1,2")[2]
    assert err.startswith("animating takes about 2 minutes on this machine: fewer --seconds or --fps shorten it\n")
    # Nine pictures to measure the way.
    assert "about 7 minutes" in run(*options, "--seeds", "1,2", "--pace", "even")[2]
    assert run(*BLOBS, "--seeds", "1,2")[2] == ""
