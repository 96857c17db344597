"""The loss under DistributedDataParallel: every process has its own batch, and the gradients' mean is what all take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ganwalk.rtd import RTDLoss

PROGRAM = """
import sys
import torch
from torch.nn.parallel import DistributedDataParallel
from tests.rtd.test_distributed import encoder, loss_of

torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
model = DistributedDataParallel(encoder())
loss_of(model, rank).backward()
torch.save([weights.grad for weights in model.parameters()], f"{sys.argv[1]}/{rank}.pt")
torch.distributed.destroy_process_group()
"""


def encoder():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 2))


def loss_of(model, rank):
    """RTD between a batch and its codes."""
    batch = torch.randn(20, 6, generator=torch.Generator().manual_seed(rank))
    return RTDLoss()(batch, model(batch))


@pytest.mark.slow
def test_processes_take_the_mean_of_their_gradients(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*launcher, str(program), str(tmp_path)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    model = encoder()
    (sum(loss_of(model, rank) for rank in (0, 1)) / 2).backward()
    expected = [weights.grad for weights in model.parameters()]
    assert all(gradient.abs().max() > 0 for gradient in expected[:-1])
    for rank in (0, 1):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, expected, strict=True))
