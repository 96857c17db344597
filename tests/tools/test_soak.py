"""The soak: that it sees what differs, and that a killed command ends as an undisturbed one."""

import importlib
import os
import random
import subprocess
import sys
import time

import pytest

from tools.soak import disturbances
from tools.soak.commands import Command
from tools.soak.disturbances import DISTURBANCES, Broken, Trial
from tools.soak.processes import start
from tools.soak.results import differences, hidden, results
from tools.suite import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forks")


def test_results_differ_by_everything_but_times(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for folder, seconds in ((first, 1.5), (second, 2.5)):
        (folder / "runs").mkdir(parents=True)
        (folder / "runs" / "run.json").write_text(f'{{"run": {{"seed": 1, "seconds": {seconds}}}}}')
        (folder / "table.csv").write_text(f"seed,seconds,score\n1,{seconds},0.5\n")
        (folder / "report.md").write_text(f"| score | seconds |\n| 0.5 | {seconds} |\n")
        (folder / ".picture-abc.png").touch()
    before = results(first)
    assert list(before) == ["report.md", "runs/run.json", "table.csv"] and hidden(first) == [".picture-abc.png"]
    assert differences(before, results(second)) == []
    (second / "table.csv").write_text("seed,seconds,score\n1,2.5,0.6\n")
    (second / "report.md").unlink()
    (second / "more.txt").touch()
    now = results(second)
    assert differences(before, now) == ["table.csv differs", "report.md is missing", "more.txt is too many"]


# Stands for a command: counts to ten, and keeps how far it came.
COUNTING = """
import sys, time
from pathlib import Path

def main(arguments):
    out, at = Path("out"), Path("out/checkpoint.pt")
    if "--resume" in arguments and not at.exists():
        print("nothing to resume"); raise SystemExit(2)
    out.mkdir(exist_ok=True)
    done = int(at.read_text()) if "--resume" in arguments else 0
    for k in range(done, 10):
        time.sleep(0.02)
        fresh = out / "new"
        fresh.write_text(str(k + 1))
        fresh.replace(at)
    (out / "result.txt").write_text(RESULT)
"""


@pytest.fixture
def trial(tmp_path, monkeypatch):
    """A trial of a command of which `RESULT` is the result, as Python."""
    monkeypatch.setattr("tools.soak.processes.save_often", lambda: None)
    monkeypatch.syspath_prepend(tmp_path)

    def make(result, seed=0):
        name = f"counting_{abs(hash((result, str(tmp_path))))}"
        (tmp_path / f"{name}.py").write_text(COUNTING.replace("RESULT", result))
        importlib.invalidate_caches()
        place = tmp_path / f"place-{seed}"
        place.mkdir()
        command = Command("counting", name, ("begin",), ("--resume",), ("checkpoint.pt",))
        return Trial(command, place, 0.2, 40_000, random.Random(seed))

    return make


def test_a_run_is_killed_and_continued_until_it_is_done(trial):
    run = trial("'ten'", seed=3)
    disturbances.kills(run, 3)
    run.close()
    assert 1 <= run.tally.kills <= 3 and (run.out / "result.txt").read_text() == "ten"
    assert run.tally.starts > run.tally.kills and set(run.tally.refusals) <= {"nothing to resume"}


@pytest.mark.parametrize("name", ["jumping clock", "second process"])
def test_other_disturbances_end_with_results(trial, name):
    run = trial("'ten'")
    DISTURBANCES[name](run, 2)
    run.close()
    assert (run.out / "result.txt").read_text() == "ten"


def test_a_clock_that_jumps_jumps(trial):
    seen = trial(f"str(abs(time.time() - {time.time()}) > 60)")
    disturbances.jumping_clock(seen, 0)
    assert (seen.out / "result.txt").read_text() == "True"


@pytest.mark.parametrize(
    ("result", "found"),
    [("1 / 0", "ZeroDivisionError"), ("sys.exit('no') or ''", "exit code 1"), ("sys.exit(2) or ''", "exit code 2")],
    ids=["a traceback", "another exit code", "no line"],
)
def test_ends_that_are_neither_results_nor_a_line_are_found(trial, result, found):
    with pytest.raises(Broken, match=found):
        disturbances.kills(trial(result), 0)


def test_a_run_that_nothing_continues_is_found(trial):
    with pytest.raises(Broken, match="nothing continues it: nothing to resume / no"):
        disturbances.kills(trial("print('no') or sys.exit(2)"), 0)


def test_a_process_that_waits_is_killed_with_its_children(trial, tmp_path):
    run = trial("__import__('subprocess').run(['sleep', '60']) and ''")
    process = start(run.command, run.command.begin, run.place, tmp_path / "log.txt")
    assert process.wait(0.5) is None
    process.kill(whole=True)
    assert process.code == -9


@pytest.mark.slow
def test_one_command_for_real():
    options = ["--command", "project", "--disturbance", "kills", "--kills", "1"]
    done = subprocess.run([sys.executable, "-m", "tools.soak", *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kills" in done.stdout.splitlines()[-1]
