"""Atomic writes: whole or not at all; locks: one at a time, and nothing left."""

import errno
import os

import pytest

from ganwalk import files
from ganwalk.errors import GanwalkError
from ganwalk.files import atomic_path, locked, try_locked, write_bytes, write_json, write_text


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


def test_a_missing_folder_is_one_line(tmp_path):
    with pytest.raises(GanwalkError, match="No such file"):
        write_text(tmp_path / "no" / "a.txt", "x")


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


def stop():
    raise InterruptedError


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path, monkeypatch):
    path, lock = tmp_path / "a.txt", files._try_lock

    def removed_first(descriptor):
        monkeypatch.setattr(files, "_try_lock", lock)
        (tmp_path / "a.txt.lock").unlink()
        return lock(descriptor)

    monkeypatch.setattr(files, "_try_lock", removed_first)
    with try_locked(path) as held:
        assert held and os.listdir(tmp_path) == ["a.txt.lock"]
        with try_locked(path) as again:
            assert not again
