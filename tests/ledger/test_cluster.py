"""Jobs on submitit's local executor; Slurm gets the same calls with other options."""

import functools
import signal
import sys

import pytest

from ganwalk.errors import GanwalkError
from ganwalk.ledger import Ledger, Placement, cluster, run_jobs
from tests.ledger import jobs as work
from tests.ledger.test_running import assert_gone, start, wait_for_jobs

LOCAL = Placement(processes=2, cluster="local", time_limit=5)


def test_jobs_run_once_and_a_lost_one_is_run_again_from_what_it_left(tmp_path):
    pytest.importorskip("submitit")
    ledger = Ledger(tmp_path)
    jobs = [
        work.job(0, functools.partial(work.killed_on, 1)),
        work.job(1, work.odd_ones_fail),
        work.job(2, work.square),
    ]
    with pytest.raises(GanwalkError, match=r"1 of 3 jobs failed \(job-1: one is odd\)"):
        run_jobs(ledger, jobs, where=LOCAL, load=work.load)
    assert ledger.find(jobs[0]).result == {"continued": 1}
    assert [line.partition(" ")[0] for line in work.lines(tmp_path)] == ["2"]
    assert "loaded by" in work.lines(tmp_path)[0]
    jobs[1] = work.job(1, work.square)
    assert len(run_jobs(ledger, jobs, where=LOCAL, resume=True)) == 3


def test_a_job_that_is_lost_every_time_fails(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(cluster, "_ATTEMPTS", 1)
    jobs = [work.job(0, functools.partial(work.killed_on, 9))]
    with pytest.raises(GanwalkError, match=r"job-0: its process was lost in 1 of 1 tries; its output is in"):
        run_jobs(Ledger(tmp_path), jobs, where=LOCAL)


def test_what_cannot_be_submitted_is_one_line(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    for where, message in (
        (Placement(cluster="local", options={"colour": "red"}), "submitit refuses a --cluster-option"),
        (Placement(cluster="slurm"), "run this where jobs are submitted, or use --cluster local"),
    ):
        with pytest.raises(GanwalkError, match=message):
            run_jobs(Ledger(tmp_path), [work.job(0, work.square)], where=where)
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(GanwalkError, match=r"pip install 'ganwalk\[cluster\]'"):
        run_jobs(Ledger(tmp_path), [work.job(0, work.square)], where=LOCAL)


def test_a_refusal_by_the_cluster_is_one_line_and_cancels_the_rest(tmp_path, monkeypatch):
    utils = pytest.importorskip("submitit.core.utils")
    cancelled, submissions = [], []

    class Submission:
        def done(self):
            return False

        def cancel(self, check):
            cancelled.append(check)

    class Executor:
        def submit(self, work, *arguments):
            if submissions:
                raise utils.FailedJobError("sbatch: invalid partition: gpus\nsbatch: failed\n")
            submissions.append(Submission())
            return submissions[0]

    monkeypatch.setattr(cluster, "_executor", lambda ledger, where: Executor())
    refusal = r"slurm refuses the job \(sbatch: invalid partition: gpus sbatch: failed\): check --partition"
    with pytest.raises(GanwalkError, match=refusal):
        run_jobs(Ledger(tmp_path), [work.job(k, work.square) for k in range(2)], where=Placement(cluster="slurm"))
    assert cancelled == [False]


def test_ctrl_c_cancels_what_was_submitted(tmp_path):
    pytest.importorskip("submitit")
    running = start(tmp_path, 'Placement(processes=2, cluster="local")')
    others = wait_for_jobs(tmp_path)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    assert_gone(others)
    assert {path.parent.name for path in tmp_path.glob("*/interrupted")} == {"job-1", "job-2"}
