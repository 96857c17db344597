"""Jobs run once, wherever they run; failures are told at the end; nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Ledger, Placement, SharesMissing, run_jobs
from ganwalk.ledger.placement import parse_options, parse_shard
from tests.ledger import jobs as work

TWO = Placement(processes=2)


def squares(count, body=work.square):
    return [work.job(k, body) for k in range(count)]


def test_serial_runs_are_resumed(tmp_path):
    ledger, shown = Ledger(tmp_path), []
    expected = [{"square": k * k, "threads": 3} for k in range(3)]
    progress = {"on_progress": lambda what, share: shown.append((what, round(share, 3)))}
    assert run_jobs(ledger, squares(3), loaded="here", threads=3, **progress) == expected
    assert shown[:3] == [("job-0", 0.0), ("job-0", 0.167), ("job-0", 0.333)] and shown[-1] == ("done", 1.0)
    assert run_jobs(ledger, squares(3), resume=True) == expected
    assert work.lines(tmp_path) == [f"{k} {os.getpid()} here" for k in range(3)]
    run_jobs(ledger, squares(3))
    assert len(work.lines(tmp_path)) == 6


def test_processes_share_the_jobs_and_load_once(tmp_path):
    shown = []
    results = run_jobs(
        Ledger(tmp_path),
        squares(8, work.slow),
        where=TWO,
        loaded="here",
        load=work.load,
        on_progress=lambda what, share: shown.append(share),
    )
    assert [result["square"] for result in results] == [k * k for k in range(8)]
    assert all(result["threads"] >= 1 for result in results)
    found = [line.split(" ", 2) for line in work.lines(tmp_path)]
    assert sorted(int(k) for k, _, _ in found) == list(range(8))
    others = {pid: loaded for _, pid, loaded in found if int(pid) != os.getpid()}
    assert all(loaded == f"loaded by {pid}" for pid, loaded in others.items())
    assert shown == sorted(shown) and shown[-1] == 1.0
    assert not list(tmp_path.rglob("*.lock"))


def test_failures_are_told_once_the_others_are_done(tmp_path):
    jobs = squares(5, work.odd_ones_fail)
    for where in (None, TWO):
        with pytest.raises(GanwalkError, match=r"2 of 5 jobs failed \(job-1: one is odd; job-3: RuntimeError: three"):
            run_jobs(Ledger(tmp_path), jobs, where=where)
        assert len(work.lines(tmp_path)) == 3
        assert "odd_ones_fail" in (tmp_path / "job-3" / "error.txt").read_text()
        (tmp_path / "log.txt").unlink()
    again = [work.job(k, work.square) for k in range(5)]
    assert len(run_jobs(Ledger(tmp_path), again, resume=True)) == 5
    assert len(work.lines(tmp_path)) == 2 and not list(tmp_path.rglob("error.txt"))


def test_why_a_job_failed_is_kept_before_another_may_take_it(tmp_path, monkeypatch):
    ledger, jobs, claimed = Ledger(tmp_path), squares(2, work.odd_ones_fail), []
    fail = Ledger.fail

    def watched(self, job, error):
        with self.claim(job) as mine:
            claimed.append(not mine)
        return fail(self, job, error)

    monkeypatch.setattr(Ledger, "fail", watched)
    with pytest.raises(GanwalkError, match=r"1 of 2 jobs failed \(job-1: one is odd\)"):
        run_jobs(ledger, jobs)
    assert claimed == [True]


def test_a_process_that_dies_is_a_failed_job(tmp_path):
    jobs = squares(2, work.kill_other)
    with pytest.raises(GanwalkError, match=r"1 of 2 jobs failed \(job-1: its process died \(signal 9"):
        run_jobs(Ledger(tmp_path), jobs, where=TWO)
    assert run_jobs(Ledger(tmp_path), jobs, resume=True) == [0, 1]


def test_shards_put_their_results_together(tmp_path):
    ledger, jobs = Ledger(tmp_path), squares(5)
    with pytest.raises(SharesMissing, match=r"share 2 of 3 is done, 3 of 5 .* next: the same command with --shard 1/3"):
        run_jobs(ledger, jobs, where=Placement(shard=(2, 3)))
    with pytest.raises(SharesMissing, match=r"1 of 5 results are missing; next: the same command with --shard 3/3"):
        run_jobs(ledger, jobs, where=Placement(shard=(1, 3)))
    assert len(run_jobs(ledger, jobs, where=Placement(shard=(3, 3)))) == 5
    assert [line[0] for line in work.lines(tmp_path)] == ["1", "4", "0", "3", "2"]


def test_a_job_that_another_is_at_is_waited_for(tmp_path):
    ledger, jobs = Ledger(tmp_path), squares(2)
    with ledger.claim(jobs[0]) as mine:
        assert mine
        results = []
        waiting = threading.Thread(target=lambda: results.append(run_jobs(ledger, jobs, resume=True)))
        waiting.start()
        while ledger.find(jobs[1]) is None:
            time.sleep(0.01)
        assert ledger.find(jobs[0]) is None
        ledger.store(jobs[0], {"square": "theirs"})
    waiting.join(60)
    assert results[0][0] == {"square": "theirs"} and results[0][1]["square"] == 1


@pytest.mark.parametrize("to_all", [True, False])
def test_ctrl_c_stops_all_processes_and_keeps_what_is_done(tmp_path, to_all):
    running = start(tmp_path)
    others = wait_for_jobs(tmp_path)
    if to_all:
        os.killpg(running.pid, signal.SIGINT)
    else:
        running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert_gone(others)
    assert [path.parent.name for path in tmp_path.glob("*/run.json")] == ["job-0"]
    assert {path.parent.name for path in tmp_path.glob("*/interrupted")} == {"job-1", "job-2"}


def test_no_process_outlives_the_one_that_wants_its_results(tmp_path):
    running = start(tmp_path)
    others = wait_for_jobs(tmp_path)
    running.kill()
    running.wait(60)
    assert_gone(others)


def start(root, where="Placement(processes=2)"):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ganwalk.ledger import Ledger, Placement, run_jobs\n"
        "from tests.ledger import jobs as work\n"
        "jobs = [work.job(k, work.quick_then_endless) for k in range(3)]\n"
        "try:\n"
        f"    run_jobs(Ledger(Path({str(root)!r})), jobs, where={where})\n"
        "except KeyboardInterrupt:\n"
        "    sys.exit(130)\n"
    )
    return subprocess.Popen([sys.executable, "-c", code], start_new_session=True)


def wait_for_jobs(root):
    """Process numbers of the two that are at something, once they are."""
    deadline = time.monotonic() + 120
    while len(found := [path for path in root.glob("*/pid") if path.read_text()]) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return [int(path.read_text()) for path in found]


def assert_gone(processes):
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in processes):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Placement(processes=0), "--jobs must be at least 1"),
        (lambda: Placement(shard=(3, 2)), "--shard 3/2 does not exist"),
        (lambda: Placement(shard=(0, 2)), "--shard 0/2 does not exist"),
        (lambda: Placement(partition="gpu"), "add --cluster slurm"),
        (lambda: Placement(time_limit=5), "add --cluster slurm"),
        (lambda: Placement(cluster="pbs"), "unknown cluster 'pbs': choose slurm or local"),
        (lambda: Placement(cluster="slurm", shard=(1, 2)), "leave out --shard"),
        (lambda: parse_shard("1:2"), "not of the form i/n"),
        (lambda: parse_options(["slurm_account"]), "not of the form KEY=VALUE"),
    ],
)
def test_impossible_placements_are_refused(make, message):
    with pytest.raises(GanwalkError, match=message):
        make()


def test_cluster_options_are_numbers_where_they_look_like_it():
    assert parse_options(["slurm_account=a=b", "cpus_per_task=4"]) == {"slurm_account": "a=b", "cpus_per_task": 4}
    assert parse_shard(" 2/10") == (2, 10)


def test_the_ledger_needs_no_torch():
    code = "import ganwalk.ledger.workers, ganwalk.ledger.cluster, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
