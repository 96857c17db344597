"""Numbers that official implementations made, and how near ours must come."""

from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parents[1] / "golden"


def numbers(name):
    """Inputs and outputs of a golden file."""
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as golden:
        return {key: torch.from_numpy(golden[key]) for key in golden}


def close(ours, official):
    """Whether two tensors differ by at most 1e-4 of the largest value."""
    return float((ours.detach() - official).abs().max()) <= 1e-4 * float(official.abs().max())
