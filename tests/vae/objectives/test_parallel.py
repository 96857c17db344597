"""Several processes: what objectives remember, and their own networks, stay the same in all of them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vae.objectives import OBJECTIVES

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, torch
from ganwalk.compute import parallel
from tests.vae.objectives.test_all import make, model_context
from vae.objectives import OBJECTIVES
torch.set_num_threads(1)
with parallel.process_group(torch.device("cpu")):
    states, seed = {}, parallel.rank()
    for name in OBJECTIVES:
        objective = make(name)
        for step in range(3):
            _, context = model_context(seed=seed, step=step, objective=objective)
            logs = {**objective(context).logs, **objective.update(context)}
        states[name] = (dict(objective.state_dict()), context.batch.z, {k: v.detach() for k, v in logs.items()})
    torch.save(states, f"{sys.argv[1]}/rank{seed}.pt")
"""


@pytest.mark.slow
def test_processes_agree(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    subprocess.run(
        [*launcher, str(program), str(tmp_path)],
        check=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
    )
    first, second = (torch.load(tmp_path / f"rank{rank}.pt", weights_only=True) for rank in (0, 1))
    for name in OBJECTIVES:
        (state, codes, _), (other, other_codes, _) = first[name], second[name]
        assert not torch.equal(codes, other_codes)
        assert all(torch.equal(state[key], other[key]) for key in state)
    assert torch.equal(first["control"][2]["beta"], second["control"][2]["beta"])
    assert first["control"][0]["integral"] != 0
