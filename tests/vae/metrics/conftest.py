import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

GOLDEN = Path(__file__).resolve().parents[2] / "golden"


class Golden(NamedTuple):
    """A representation with the scores that disentanglement_lib gave it."""

    train: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]
    scores: dict


def read_golden(name):
    arrays = np.load(GOLDEN / f"metrics_{name}.npz", allow_pickle=False)
    train, test = ((arrays[f"codes_{part}"], arrays[f"factors_{part}"]) for part in ("train", "test"))
    return Golden(train, test, json.loads((GOLDEN / "metrics.json").read_text())[name])


@pytest.fixture(scope="session", params=["aligned", "rotated", "partial", "fewer"])
def golden(request):
    return read_golden(request.param)


@pytest.fixture(scope="session")
def grid():
    """Factors with 3, 4 and 5 values, each combination 20 times: (1200, 3)."""
    positions = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), axis=1)
    return np.tile(positions, (20, 1))
