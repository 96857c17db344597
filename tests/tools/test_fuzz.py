"""The fuzzer: what it keeps, and a run of some seconds of what a night runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READING = """
import sys
from pathlib import Path
from ganwalk.errors import GanwalkError
from tools.fuzz_worker import Attempts


def read(path):
    data = path.read_bytes()
    if data == b"refused":
        raise GanwalkError("one clear line")
    if data == b"two lines":
        raise GanwalkError("one\\ntwo")
    if data == b"large":
        bytearray(3 * 2**30)
    if data.startswith(b"broken"):
        raise KeyError("x")
    if data == b"slow":
        while True:
            pass


attempts = Attempts(Path(sys.argv[1]), {"a.txt": read})
for data in sys.argv[2:]:
    attempts.read("a.txt", data.encode())
attempts.tell()
"""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs limits on processes")


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def read(folder, *texts):
    done = subprocess.run([sys.executable, "-c", READING, folder, *texts], env=environment(), capture_output=True)
    kept = {path.read_text() for path in (folder / "failures").iterdir()}
    return done.returncode, kept


def test_what_is_not_answered_is_kept(tmp_path):
    code, kept = read(tmp_path, "fine", "refused", "two lines", "large", "broken", "broken again")
    # The same failure is kept once.
    assert code == 0 and kept == {"two lines", "large", "broken"}
    reasons = (tmp_path / "failures.txt").read_text()
    assert "KeyError" in reasons and "1 GB" in reasons and "no clear line" in reasons


@pytest.mark.slow
def test_what_takes_too_long_ends_the_process(tmp_path):
    code, _ = read(tmp_path, "fine", "slow")
    assert code < 0 and (tmp_path / "current-a.txt").read_text() == "slow"


@pytest.mark.slow
def test_a_short_run_says_what_ran_and_finds_nothing(tmp_path):
    command = [sys.executable, "-m", "tools.fuzz", "--minutes", "0.05", "--engine", "mutations", "--out", tmp_path]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1]
    assert done.returncode == 0, done.stdout + done.stderr
    assert " inputs in 3 s by mutations (" in last and last.endswith("0 failures")
    assert int(last.split()[0]) > 0 and len(list((tmp_path / "corpus").iterdir())) > 50
