"""Representation Topology Divergence as a differentiable loss."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from ganwalk.rtd.barcode import as_distances, bars_to_barcode, term_entries
from ganwalk.rtd.distances import distance_matrix, normalized
from ganwalk.rtd.relative import relative_bars

_SERIAL_POINTS = 96


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
        values = self._values([(w, normalized(distance_matrix(cloud), self.normalize)) for cloud in clouds])
        return values[0] if isinstance(Q, Tensor) else values

    def from_distances(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Divergences (b,) of b pairs of distance matrices (n, n), which are taken as they are.

        Raises:
            ValueError: a pair is not one of distance matrices of one size.
        """
        for w, v in pairs:
            as_distances(w, v)
        return self._values(pairs)

    def _values(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """`from_distances` for matrices that are known to be in order."""
        arrays = [(w.detach().cpu().numpy(), v.detach().cpu().numpy()) for w, v in pairs]
        tasks = [
            (pair, swapped, mode)
            for pair in range(len(pairs))
            for swapped in ((False, True) if self.symmetric else (False,))
            for mode in (("min", "max") if self.minimax else ("min",))
        ]

        def entries(task: tuple[int, bool, str]) -> np.ndarray:
            return self._term_entries(*arrays[task[0]], *task[1:])

        # Handing a barcode of few points to another thread takes longer than computing it.
        small = len(pairs[0][0]) <= _SERIAL_POINTS
        threads = 1 if small else min(self.threads or os.cpu_count() or 1, len(tasks))
        results = list(map(entries, tasks)) if threads == 1 else list(_pool(threads).map(entries, tasks))
        per_pair = len(tasks) // len(pairs)
        share = 0.5 if self.symmetric else 1.0
        sums = []
        for k, pair in enumerate(pairs):
            # A gather, so that autograd's gradient is the exact one.
            both = torch.stack(pair).flatten()
            at = torch.from_numpy(np.concatenate(results[k * per_pair : (k + 1) * per_pair], axis=1))
            birth, death = both[at.flatten().to(both.device)].view(2, -1)
            lengths = death - birth
            sums.append((lengths if self.p == 1 else lengths.pow(self.p)).sum() * share)
        return torch.stack(sums)

    def _term_entries(self, w: np.ndarray, v: np.ndarray, swapped: bool, mode: str) -> np.ndarray:
        """Flat positions (2, bars) in (w, v) of the births and deaths of one term."""
        first, second = (v, w) if swapped else (w, v)
        bars = relative_bars(first, second, mode)
        if self.card is not None and len(bars) > self.card:
            barcode = bars_to_barcode(first, second, mode, bars)
            entries = np.stack([barcode.birth_entries, barcode.death_entries])[:, : self.card]
        else:
            entries = np.stack(term_entries(first, second, mode, bars))
        which = 1 - entries[..., 2] if swapped else entries[..., 2]
        return (which * len(w) + entries[..., 0]) * len(w) + entries[..., 1]


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """One pool for each number of threads: starting threads costs more than a small barcode."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rtd")
