"""One-to-one assignment of directions to axes or factors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Assignment:
    """Which row each column got.

    Attributes:
        rows: for each column the index of its row, or None where there were fewer rows than columns.
        total: sum of the assigned entries.
    """

    rows: tuple[int | None, ...]
    total: float


def assign(scores: Tensor) -> Assignment:
    """The assignment of rows to columns of (n, k), one each, with the greatest sum (Hungarian algorithm)."""
    from scipy.optimize import linear_sum_assignment

    values = scores.detach().cpu().double()
    rows, columns = linear_sum_assignment(values.numpy(), maximize=True)
    found = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    total = float(values[torch.as_tensor(rows), torch.as_tensor(columns)].sum())
    return Assignment(tuple(found.get(k) for k in range(values.shape[1])), total)
