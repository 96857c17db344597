"""--threads means all libraries: with it a seed gives the same bytes, whatever the environment and the cores say."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
import torch
from click.testing import CliRunner
from threadpoolctl import threadpool_info

from ganwalk.terminal import set_up_torch

ROOT = Path(__file__).parents[2]
COMMANDS = {
    "ganwalk": ["discover", "-g", "blobs", "-n", "3", "--steps", "6", "--batch", "64"],
    "vae.train": ["--steps", "10", "--batch", "64", "--metrics", "quick", "--look-every", "0", "--z-dim", "3"],
}


def test_threads_bound_torch_and_blas_while_the_command_runs():
    found = []

    @click.command()
    @click.option("--threads", type=int)
    def command(threads):
        set_up_torch("cpu", threads)
        found.append({pool["num_threads"] for pool in threadpool_info()} | {torch.get_num_threads()})
        found.append(os.environ.get("OPENBLAS_NUM_THREADS"))

    before = [pool["num_threads"] for pool in threadpool_info()], torch.get_num_threads()
    for threads in ("1", "2"):
        assert CliRunner().invoke(command, ["--threads", threads], catch_exceptions=False).exit_code == 0
    assert found == [{1}, "1", {2}, "2"]
    assert ([pool["num_threads"] for pool in threadpool_info()], torch.get_num_threads()) == before


@pytest.mark.parametrize("early", [False, True])
def test_numba_compiles_on_whichever_way_its_threads_were_bounded(early):
    """It refuses to, once its threads run, if the environment names another number of them."""
    program = f"""
import os
from ganwalk.compute.threads import threads_limited

def compiled(parallel):
    import numba
    @numba.njit(parallel=parallel)
    def total(values):
        found = 0.0
        for k in numba.prange(len(values)):
            found += values[k]
        return found
    import numpy
    assert total(numpy.ones(8)) == 8

if {early}:
    compiled(True)
with threads_limited(os.cpu_count() + 1):
    compiled(True)
    compiled(False)
compiled(False)
"""
    environment = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("module", COMMANDS)
def test_one_thread_gives_the_same_bytes_in_every_environment(module, tmp_path):
    """Batches of 64: of fewer points two threads of BLAS would make the same sums as one."""
    for count in ("1", "2"):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": count}
        # Files say when they were made.
        environment["SOURCE_DATE_EPOCH"] = "0"
        environment.pop("OPENBLAS_NUM_THREADS", None)
        command = [sys.executable, "-m", module, *COMMANDS[module], "--threads", "1", "--seed", "3", "-q"]
        subprocess.run([*command, "-o", str(tmp_path / count)], env=environment, check=True, stdout=subprocess.DEVNULL)
    first, second = ({path.name: path.read_bytes() for path in (tmp_path / count).iterdir()} for count in ("1", "2"))
    assert first.keys() == second.keys() and len(first) > 4
    assert [name for name in first if first[name] != second[name]] == []
