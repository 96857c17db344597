"""Atomic writes: whole or not at all; locks: one at a time, and nothing left."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.files import (
    as_timestamp,
    atomic_path,
    check_free,
    is_web_page,
    locked,
    locks,
    owned_folder,
    temporaries,
    timestamp,
    try_locked,
    write_bytes,
    write_json,
    write_text,
)
from ganwalk.ledger import Job, Ledger


def test_success_replaces_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("one", "two"):
        write_text(path, text)
        assert path.read_text() == text
    assert os.listdir(tmp_path) == ["a.txt"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_failure_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError), atomic_path(path) as partial:
        partial.write_text("half")
        raise ValueError
    with pytest.raises(ValueError):
        write_json(path, {"new": float("nan")})
    assert path.read_text() == '{\n "old": 1\n}\n' and os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize("step", ["replace", "fsync"])
def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, step):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, step, full)
    with pytest.raises(GanwalkError, match=r"cannot write .*a\.txt: No space left on device; free some space"):
        write_text(tmp_path / "a.txt", "x")
    assert os.listdir(tmp_path) == []


def test_folders_devices_and_long_names_are_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(GanwalkError, match="it is a folder or a device; choose another name"):
            write_bytes(tmp_path / name, b"x")
    with pytest.raises(GanwalkError, match="File name too long"):
        write_bytes(tmp_path / ("n" * 300), b"x")
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a folder where root can make no file")
def test_a_place_where_nobody_can_write_is_refused_beforehand(tmp_path):
    with pytest.raises(GanwalkError, match=r"cannot write /proc/scores/scores\.json"):
        check_free(Path("/proc/scores/scores.json"), force=False)
    check_free(tmp_path / "new" / "er" / "scores.json", force=False)
    assert os.listdir(tmp_path) == []


def test_missing_folders_are_made_and_a_failure_leaves_none(tmp_path):
    path = tmp_path / "new" / "er" / "a.txt"
    with pytest.raises(ValueError), atomic_path(path):
        raise ValueError
    assert os.listdir(tmp_path) == []
    write_text(path, "x")
    assert path.read_text() == "x"
    with pytest.raises(GanwalkError, match=r"a part of its path is a file|is a file: choose another folder"):
        write_text(path / "b.txt", "x")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EROFS, "choose a place that you may write to"),
        (errno.EACCES, "choose a place that you may write to"),
        (errno.EIO, "choose another place"),
    ],
)
def test_every_failure_has_a_remedy_of_its_own(tmp_path, monkeypatch, number, remedy):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(temporaries.tempfile, "mkstemp", fail)
    with pytest.raises(GanwalkError, match=remedy) as caught:
        write_text(tmp_path / "a.txt", "x")
    assert "GANWALK_CACHE" not in str(caught.value)
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path))
    with pytest.raises(GanwalkError, match=rf"{remedy}.* with GANWALK_CACHE"):
        write_text(tmp_path / "a.txt", "x")


def test_a_folder_belongs_to_one_run_which_is_named(tmp_path):
    folder = tmp_path / "new" / "results"
    with owned_folder(folder):
        owner = rf"belongs to another run \(process {os.getpid()} on .*\): wait for it"
        with pytest.raises(GanwalkError, match=owner), owned_folder(folder):
            pass
        (folder / "result").write_text("x")
    assert os.listdir(folder) == ["result"]
    with owned_folder(folder):
        pass


def test_a_run_that_leaves_nothing_leaves_no_folder(tmp_path):
    with pytest.raises(InterruptedError), owned_folder(tmp_path / "new" / "results"):
        stop()
    assert os.listdir(tmp_path) == []


def test_a_folder_of_a_killed_run_is_free(tmp_path):
    program = "import os, pathlib, sys, time; from ganwalk.files import owned_folder\n"
    program += "with owned_folder(pathlib.Path(sys.argv[1])): print('owned', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, tmp_path / "out"], stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"owned\n"
        with pytest.raises(GanwalkError, match=f"process {other.pid}"), owned_folder(tmp_path / "out"):
            pass
        other.kill()
        other.wait()
    with owned_folder(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == ["out"] and os.listdir(tmp_path / "out") == []


def test_the_time_can_be_fixed(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert timestamp() == "1970-01-02T00:00:00Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "now")
    assert timestamp() > "2026"
    assert as_timestamp(1e30) == ""


def test_a_lock_is_held_once_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.txt"
    waited = []
    with try_locked(path) as held:
        assert held and os.listdir(tmp_path) == ["a.txt.lock"]
        with try_locked(path) as again:
            assert not again
        with pytest.raises(InterruptedError), locked(path, waiting=lambda: waited.append(1) or stop()):
            pass
    assert waited and os.listdir(tmp_path) == []
    with locked(path):
        pass
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
@pytest.mark.usefixtures("without_locks")
def test_where_there_are_no_locks_everything_is_free(tmp_path):
    ledger, job = Ledger(tmp_path / "runs"), Job("rtd-0", {}, print)
    with owned_folder(tmp_path / "out"), locked(tmp_path / "a.txt"), ledger.claim(job) as mine:
        assert mine
        ledger.store(job, 1)
        write_text(tmp_path / "out" / "a.txt", "whole")
        with try_locked(tmp_path / "a.txt") as again:
            assert again
    assert ledger.find(job).result == 1 and (tmp_path / "out" / "a.txt").read_text() == "whole"
    assert not [path for path in tmp_path.rglob("*") if path.suffix == ".lock"]


@pytest.mark.skipif(sys.platform == "win32", reason="has no flock")
def test_what_cannot_be_locked_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("fcntl.flock", fail)
    with pytest.raises(GanwalkError, match="choose another place"):
        write_text(tmp_path / "new" / "a.txt", "x")
    with pytest.raises(GanwalkError, match="choose another place"), owned_folder(tmp_path / "new"):
        pass
    assert os.listdir(tmp_path) == []


def stop():
    raise InterruptedError


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    path, lock = tmp_path / "a.txt", temporaries.try_lock

    def removed_first(descriptor):
        monkeypatch.setattr(locks, "try_lock", lock)
        (tmp_path / "a.txt.lock").unlink()
        return lock(descriptor)

    monkeypatch.setattr(locks, "try_lock", removed_first)
    with try_locked(path) as held:
        assert held and os.listdir(tmp_path) == ["a.txt.lock"]
        with try_locked(path) as again:
            assert not again


@pytest.mark.parametrize(
    ("head", "is_page"),
    [
        (b" \n<!DOCTYPE html>", True),
        (b"\xef\xbb\xbf<html>", True),
        ("\ufeff<!doctype html>".encode("utf-16-be"), True),
        (b"<!-- moved -->", True),
        (b"<!" + bytes(6) + b'{"__metadata__"', False),
        (b"\xff\xfe" + bytes(6) + b'{"weight"', False),
        (b"\x80\x02}q\x00", False),
        (b"", False),
    ],
)
def test_web_pages_are_known_whatever_stands_before_them(head, is_page):
    """Safetensors begin with the length of their description: any bytes."""
    assert is_web_page(head) == is_page
