"""Representation Topology Divergence as a differentiable loss."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ganwalk.rtd.barcode import as_distances, term_entries
from ganwalk.rtd.distances import distance_matrix, normalized
from ganwalk.rtd.relative import relative_bars


def rtd(
    P: Tensor,
    Q: Tensor,
    *,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool = True,
    symmetric: bool = True,
    normalize: float | None = 0.9,
    threads: int | None = None,
) -> Tensor:
    """RTD of two clouds of points in one-to-one correspondence; see `RTDLoss`."""
    return RTDLoss(p=p, card=card, minimax=minimax, symmetric=symmetric, normalize=normalize, threads=threads)(P, Q)


class RTDLoss(nn.Module):
    """RTD between clouds (batches of images, features, points), with the exact gradient to both.

    Barannikov et al. (ICML 2022); the minimax form and its use as a loss: Balabin et al. (ICML 2024). The full loss
    is half of the sum of four terms, min and max, P→Q and Q→P. Without `symmetric` only the two P→Q terms count, whole;
    without `minimax` only the min terms. So every combination is a mean over directions of the sum over modes.

    Args:
        p: power of the bar lengths.
        card: keep only this many longest bars of each term (the authors' code keeps 50); None keeps all.
        minimax: add the max terms.
        symmetric: average over both directions.
        normalize: quantile of its entries that each distance matrix is divided by; None takes distances as they are.
        threads: threads for the terms and pairs; None takes all cores.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        card: int | None = None,
        minimax: bool = True,
        symmetric: bool = True,
        normalize: float | None = 0.9,
        threads: int | None = None,
    ):
        super().__init__()
        if p <= 0:
            raise ValueError(f"p must be positive, not {p}")
        if card is not None and card < 1:
            raise ValueError(f"card must be at least 1, not {card}")
        if normalize is not None and not 0 < normalize <= 1:
            raise ValueError(f"normalize must be a quantile in (0, 1], not {normalize}")
        self.p, self.card, self.minimax, self.symmetric = p, card, minimax, symmetric
        self.normalize, self.threads = normalize, threads

    def forward(self, P: Tensor, Q: Tensor | Sequence[Tensor]) -> Tensor:
        """Divergence of P (n, …) and Q (n, …), a scalar; for a sequence of b clouds Q, (b,): each against P.

        Raises:
            ValueError: the clouds have different numbers of points, or values that are not finite.
        """
        clouds = [Q] if isinstance(Q, Tensor) else list(Q)
        for cloud in clouds:
            if len(cloud) != len(P):
                raise ValueError(f"the clouds have different numbers of points: {len(P)} and {len(cloud)}")
        w = normalized(distance_matrix(P), self.normalize)
        values = self.from_distances([(w, normalized(distance_matrix(cloud), self.normalize)) for cloud in clouds])
        return values[0] if isinstance(Q, Tensor) else values

    def from_distances(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Divergences (b,) of b pairs of distance matrices (n, n), which are taken as they are.

        Raises:
            ValueError: a pair is not one of distance matrices of one size.
        """
        arrays = [as_distances(w, v) for w, v in pairs]
        tasks = [
            (pair, swapped, mode)
            for pair in range(len(pairs))
            for swapped in ((False, True) if self.symmetric else (False,))
            for mode in (("min", "max") if self.minimax else ("min",))
        ]

        def entries(task: tuple[int, bool, str]) -> tuple[np.ndarray, np.ndarray]:
            pair, swapped, mode = task
            first, second = arrays[pair][::-1] if swapped else arrays[pair]
            birth, death = term_entries(first, second, mode, relative_bars(first, second, mode))
            if swapped:
                birth[:, 2], death[:, 2] = 1 - birth[:, 2], 1 - death[:, 2]
            return birth, death

        threads = min(self.threads or os.cpu_count() or 1, len(tasks))
        results = list(map(entries, tasks)) if threads == 1 else list(_pool(threads).map(entries, tasks))
        sums: list[list[Tensor]] = [[] for _ in pairs]
        for (pair, _, _), (birth, death) in zip(tasks, results, strict=True):
            sums[pair].append(self._term(pairs[pair], birth, death))
        share = 0.5 if self.symmetric else 1.0
        return torch.stack([torch.stack(terms).sum() * share for terms in sums])

    def _term(self, pair: tuple[Tensor, Tensor], birth: np.ndarray, death: np.ndarray) -> Tensor:
        """Σ (death - birth)^p over the bars: a gather, so that autograd's gradient is the exact one."""
        both = torch.stack([pair[0], pair[1]]).flatten()
        n = len(pair[0])
        at = [
            torch.from_numpy((entry[:, 2] * n + entry[:, 0]) * n + entry[:, 1]).to(both.device)
            for entry in (birth, death)
        ]
        lengths = both[at[1]] - both[at[0]]
        if self.card is not None and len(lengths) > self.card:
            lengths = lengths[lengths.detach().topk(self.card).indices]
        return lengths.sum() if self.p == 1 else lengths.pow(self.p).sum()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """One pool for each number of threads: starting threads costs more than a small barcode."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rtd")
