"""What a killed process was writing goes with the next write into its folder; what a live one is writing stays."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganwalk.files import atomic_path, temporaries, write_text
from ganwalk.files.temporaries import PREFIX
from ganwalk.pictures.photos import find_photos
from vae.train import main as train

WRITER = """
import sys, time
from ganwalk.files import atomic_path
with atomic_path(sys.argv[1]) as partial:
    partial.write_bytes(b"half")
    print(partial, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def writer():
    """Starts a process that is in the middle of writing a file; returns it and its temporary file."""
    running = []

    def call(path):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
        running.append(process)
        return process, Path(process.stdout.readline().strip())

    yield call
    for process in running:
        process.kill()
        process.communicate()


def abandoned(folder, suffix=".npz"):
    """What a process that was killed while it wrote has left in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{PREFIX}directions-abcdefgh{suffix}"
    path.write_bytes(b"half")
    return path


def left_in(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(PREFIX)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_the_next_write_removes_what_a_killed_one_left(tmp_path, writer):
    killed, left = writer(tmp_path / "a.safetensors")
    live, kept = writer(tmp_path / "b.png")
    assert left.suffix == ".safetensors" and left.parent == tmp_path
    write_text(tmp_path / "c.txt", "while both write")
    assert left.read_bytes() == kept.read_bytes() == b"half"
    killed.kill()
    killed.wait()
    assert left.exists()
    write_text(tmp_path / "c.txt", "after")
    assert not left.exists() and kept.read_bytes() == b"half"
    live.kill()
    live.wait()
    write_text(tmp_path / "c.txt", "after that")
    assert [path.name for path in tmp_path.iterdir()] == ["c.txt"]


def test_nothing_but_our_own_temporary_files_goes(tmp_path):
    names = [".notes-abcdefgh.txt", "ganwalk-abcdefgh.npz", ".ganwalkrc", f"{PREFIX}folder/inside"]
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("mine")
    (tmp_path / f"{PREFIX}link-abcdefgh.npz").symlink_to(outside / "kept")
    write_text(tmp_path / "new", "")
    assert all((tmp_path / name).read_text() == "mine" for name in names) and (outside / "kept").exists()


def test_writes_at_once_leave_one_another_alone(tmp_path):
    with atomic_path(tmp_path / "a") as first, atomic_path(tmp_path / "a") as second:
        first.write_text("first")
        second.write_text("second")
        write_text(tmp_path / "b", "b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"] and (tmp_path / "a").read_text() == "first"


def test_a_file_that_was_taken_for_abandoned_before_it_was_locked_is_made_anew(tmp_path, monkeypatch):
    taken = iter([True, False])
    lock = temporaries.try_lock

    def slow(descriptor):
        if next(taken, False):
            for path in left_in(tmp_path):
                path.unlink()
        return lock(descriptor)

    monkeypatch.setattr(temporaries, "try_lock", slow)
    write_text(tmp_path / "a", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"] and (tmp_path / "a").read_text() == "whole"


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
@pytest.mark.usefixtures("without_locks")
def test_where_there_are_no_locks_nothing_is_taken_for_abandoned(tmp_path):
    left = abandoned(tmp_path)
    with atomic_path(tmp_path / "a") as live:
        live.write_text("first")
        write_text(tmp_path / "b", "b")
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", left.name}
    assert (tmp_path / "a").read_text() == "first"


def test_pictures_that_are_being_written_are_no_photos(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    abandoned(tmp_path, ".png")
    assert find_photos([tmp_path]) == [tmp_path / "a.png"]


FEW = ("--batch", 8, "--threads", 1, "-q")
GIVEN = ("--directions", "found/directions.safetensors", "--direction", 0)
# Where each kind of run writes, and how it is run.
RUNS = {
    "discover": (["new"], ["discover", "-g", "blobs", "-n", 2, "--steps", 2, *FEW, "--out", "new"]),
    "compare": (
        ["new", "new/runs/pca-0"],
        ["compare", "-g", "blobs", "-m", "pca", "--seeds", 1, "-n", 2, "--samples", 8, *FEW, "--out", "new"],
    ),
    "project": (
        ["new"],
        ["project", "photo.png", "-g", "blobs", "--steps", 1, "--candidates", 8, "--out", "new", "-q"],
    ),
    "animate": (["new"], ["animate", *GIVEN, "--seconds", 0.5, "--fps", 4, *FEW, "--out", "new/a.gif"]),
    "render": (["new"], ["render", *GIVEN, "--seeds", 0, "--steps", 2, *FEW, "--out", "new/a.png"]),
    "report": (["new"], ["report", *GIVEN[:2], "--no-evaluate", "--out", "new/report.html", "-q", "--threads", 1]),
    "reach": (["found"], ["reach", *GIVEN[:2], "--samples", 8, "-q", "--threads", 1]),
    "name": (["found"], ["name", 0, "left", *GIVEN[:2]]),
    "export": (["new"], ["export", "new/a.npz", *GIVEN[:2]]),
    "select": (["new"], ["directions", "select", "0", *GIVEN[:2], "-o", "new/a.safetensors"]),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A folder with directions of blobs, and a photo."""
    from ganwalk.commands import main

    folder = tmp_path_factory.mktemp("found")
    words = ["discover", "-g", "blobs", "-m", "random", "-n", 2, "-q", "--out", folder / "found"]
    with pytest.raises(SystemExit):
        main([str(word) for word in words])
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "photo.png")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", RUNS)
def test_every_kind_of_run_removes_what_a_killed_one_left(found, tmp_path, monkeypatch, run, kind):
    folders, words = RUNS[kind]
    monkeypatch.chdir(found)
    words = [str(word).replace("new", str(tmp_path / "new")) for word in words]
    places = [Path(folder.replace("new", str(tmp_path / "new"))) for folder in folders]
    for place in places:
        abandoned(place)
    with atomic_path(places[0] / "other.npz") as live:
        code, _, err = run(*words)
        assert code == 0, err
        assert [path.name for place in places for path in left_in(place)] == [live.name]


@pytest.mark.slow
def test_so_does_a_training(tmp_path, monkeypatch):
    abandoned(tmp_path / "run")
    words = [
        "--steps",
        "2",
        "--batch",
        "4",
        "--threads",
        "1",
        "--metrics",
        "none",
        "--no-topdis",
        "--look-every",
        "0",
        "-q",
    ]
    with pytest.raises(SystemExit) as ended:
        train([*words, "--out", str(tmp_path / "run")])
    assert ended.value.code == 0 and left_in(tmp_path) == []
