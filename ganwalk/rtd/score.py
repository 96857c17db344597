"""Divergences of large sets, by the protocol of the papers: the mean over random batches, with its interval."""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from ganwalk.arrays import host_array
from ganwalk.rtd.choices import Over, Variant
from ganwalk.rtd.distances import EUCLIDEAN, PRECOMPUTED, Metric, distance_matrix
from ganwalk.rtd.edges import check_points
from ganwalk.rtd.given import as_numbers, as_square, check_cloud, checked_distances
from ganwalk.rtd.settings import Settings
from ganwalk.rtd.terms import divergences, mapped
from ganwalk.statistics import Summary, summarise

BATCH, REPEATS = 500, 10


@dataclass(frozen=True)
class Scores:
    """Divergences between several representations of the same points.

    Attributes:
        values: (repeats, k, k), symmetric, zero on the diagonal: of each random batch.
        batch: points in each.
    """

    values: np.ndarray
    batch: int

    def of(self, first: int, second: int) -> Summary:
        """Mean and interval of one pair. Of all points at once there is one value, which is exact: an interval of 0."""
        values = self.values[:, first, second].tolist()
        if len(values) == 1:
            return Summary(values[0], 0.0, 0.0, 1)
        return summarise(values) or Summary(math.nan, 0.0, 0.0, 0)

    @property
    def mean(self) -> np.ndarray:
        """Means (k, k) over the batches."""
        return self.values.mean(axis=0)


def rtd_score(
    P: Any,
    Q: Any,
    *,
    batch: int = BATCH,
    repeats: int = REPEATS,
    seed: int = 0,
    metric: Metric = EUCLIDEAN,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool = False,
    normalize: float | None = 0.9,
    over: Over = "all",
    variant: Variant = "rtd",
    threads: int | None = None,
) -> Summary:
    """RTD of two large sets of matching points: its mean over random batches, with a 95 % interval.

    Barannikov et al. (ICML 2022), whose code takes ten batches of 500, and the min terms of both directions. The
    interval (`low`, `high`; Student's t) is of the mean over batches of these points: of other points it says nothing.

    Args:
        P, Q: clouds (N, …) of any number of points, arrays or tensors, whose gradient is not kept; distances (N, N) if
            `metric` is "precomputed".
        batch: points drawn each time, without replacement; if there are no more, all are taken once.
        repeats: batches, two or more.
        seed: of the draw.
        threads: repeats at once; None takes all cores.
        The others: see `rtd`.
    Raises:
        ValueError: the sets differ in their number of points; a batch of more than 16,384; see also `rtd`.
    """
    settings = Settings(p, card, minimax, True, normalize, over, variant=variant, threads=1)
    scores = score_representations(
        [P, Q], settings, batch=batch, repeats=repeats, seed=seed, metric=metric, threads=threads
    )
    return scores.of(0, 1)


def score_representations(
    representations: Sequence[Any],
    settings: Settings,
    *,
    batch: int = BATCH,
    repeats: int = REPEATS,
    seed: int = 0,
    metric: Metric = EUCLIDEAN,
    threads: int | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Scores:
    """Divergences of all pairs of several representations (N, …) of the same points, on the same batches.

    Args:
        on_share: called with the share that is done.
        The others: see `rtd_score`.
    """
    draw = Batches.of(representations, batch=batch, repeats=repeats, seed=seed, metric=metric)
    k = len(representations)
    pairs = list(combinations(range(k), 2))

    def of_batch(indices: np.ndarray) -> np.ndarray:
        values, _ = divergences(draw.distances(indices), pairs, settings, gradients=False)
        table = np.zeros((k, k))
        for (i, j), value in zip(pairs, values, strict=True):
            table[i, j] = table[j, i] = value
        return table

    tables: list[np.ndarray] = []
    threads = threads or os.cpu_count() or 1
    for start in range(0, len(draw.indices), threads):
        tables += mapped(of_batch, draw.indices[start : start + threads], threads)
        if on_share is not None:
            on_share(len(tables) / len(draw.indices))
    return Scores(np.stack(tables), len(draw.indices[0]))


@dataclass(frozen=True)
class Batches:
    """Random batches of points that several representations have in common.

    Attributes:
        representations: arrays (N, …), or distances (N, N).
        indices: of the points of each batch.
        metric: see `distance_matrix`.
    """

    representations: list[np.ndarray]
    indices: list[np.ndarray]
    metric: Metric

    @classmethod
    def of(cls, representations: Sequence[Any], *, batch: int, repeats: int, seed: int, metric: Metric) -> Batches:
        """Draws them.

        Raises:
            ValueError: the representations are fewer than two or differ in their number of points, or sizes do not
                serve.
        """
        if len(representations) < 2:
            raise ValueError("there is no pair of representations to compare")
        if batch < 2 or repeats < 2:
            raise ValueError(f"batch and repeats must be at least 2, not {batch} and {repeats}")
        as_given = functools.partial(as_square, sampled=True) if metric == PRECOMPUTED else as_numbers
        arrays = [host_array(as_given(each, "a representation"), "a representation") for each in representations]
        for array in arrays:
            check_cloud(array)
        counts = {len(array): None for array in arrays}
        if len(counts) > 1:
            raise ValueError(f"the clouds have different numbers of points: {' and '.join(map(str, counts))}")
        n = len(arrays[0])
        check_points(min(n, batch))
        rng = np.random.default_rng(seed)
        drawn = [np.arange(n)] if n <= batch else [np.sort(rng.choice(n, batch, replace=False)) for _ in range(repeats)]
        return cls(arrays, drawn, metric)

    def distances(self, indices: np.ndarray) -> list[np.ndarray]:
        """The distances (n, n) of a batch in each representation."""
        if self.metric == PRECOMPUTED:
            parts = [array[np.ix_(indices, indices)] for array in self.representations]
        else:
            parts = [array[indices] for array in self.representations]
        return [checked_distances(distance_matrix(part, self.metric), "a matrix of distances") for part in parts]
