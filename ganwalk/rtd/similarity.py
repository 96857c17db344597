"""What is set beside divergences: similarities of distances along spanning trees, and of centred coordinates."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ganwalk.arrays import is_tensor
from ganwalk.rtd.barcode import as_distances
from ganwalk.rtd.distances import EUCLIDEAN, Metric, distance_matrix
from ganwalk.rtd.given import as_numbers, check_cloud
from ganwalk.rtd.lite import spanning_tree


def nts_e(P: Any, Q: Any, *, metric: Metric = EUCLIDEAN) -> float:
    """NTS-E, in [-1, 1]: Spearman's correlation of distances over the edges of the minimum spanning trees of both.

    "Symmetric Divergence and Normalized Similarity" (TMLR 2026). Without a gradient: ranks have none.

    Args:
        P, Q: clouds (n, …) of points in one-to-one correspondence, arrays or tensors; distances if `metric` is
            "precomputed".
    Returns:
        NaN if all of these distances are equal in one of the clouds, or there are fewer than two.
    Raises:
        ValueError: as `distance_matrix` and `cross_barcode`.
    """
    w, v = as_distances(distance_matrix(P, metric), distance_matrix(Q, metric))
    i, j = _edges_of_both(spanning_tree(w), spanning_tree(v)).T
    return _spearman(w[i, j], v[i, j])


def nts_m(P: Any, Q: Any, *, metric: Metric = EUCLIDEAN) -> float:
    """NTS-M, in [-1, 1]: as `nts_e`, of the longest edge on the way between the ends, along each cloud's own tree."""
    w, v = as_distances(distance_matrix(P, metric), distance_matrix(Q, metric))
    trees = spanning_tree(w), spanning_tree(v)
    pairs = _edges_of_both(*trees)
    return _spearman(*(_longest_on_the_way(tree, matrix, pairs) for tree, matrix in zip(trees, (w, v), strict=True)))


def linear_cka(P: Any, Q: Any) -> Any:
    """Linear centred kernel alignment, in [0, 1] (Kornblith et al., ICML 2019).

    Args:
        P, Q: clouds (n, …) of points in one-to-one correspondence.
    Returns:
        A number of arrays, a tensor with its gradient of tensors. NaN if all points of a cloud are one.
    Raises:
        ValueError: the clouds have different numbers of points, or values are no numbers.
    """
    clouds = [as_numbers(cloud, "a cloud") for cloud in (P, Q)]
    for cloud in clouds:
        check_cloud(cloud)
    if len(clouds[0]) != len(clouds[1]):
        raise ValueError(f"the clouds have different numbers of points: {len(clouds[0])} and {len(clouds[1])}")
    x, y = (_centred(cloud.reshape(len(cloud), -1)) for cloud in clouds)
    # Of whatever is smaller: products of coordinates, or of points.
    if len(x) < max(x.shape[1], y.shape[1]):
        x, y = x @ x.T, y @ y.T
        cross, own, other = (x * y).sum(), (x * x).sum(), (y * y).sum()
    else:
        cross, own, other = (((a.T @ b) ** 2).sum() for a, b in ((y, x), (x, x), (y, y)))
    # Of points that are all one it is zero by zero: a tensor's is NaN by itself, as is its gradient.
    with np.errstate(invalid="ignore"):
        return cross / (own**0.5 * other**0.5)


def _centred(flat: Any) -> Any:
    """Points (n, d) about their mean, in the units of their largest coordinate, whose fourth powers no type holds."""
    if is_tensor(flat):
        import torch

        flat = flat.to(torch.promote_types(flat.dtype, torch.float32))
        flat = flat - flat.mean(0)
        largest = float(flat.detach().abs().max()) if flat.numel() else 0.0
    else:
        flat = flat - flat.mean(0)
        largest = float(np.abs(flat).max(initial=0.0))
    return flat / largest if largest > 0 else flat


def _edges_of_both(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The edges (k, 2) that are in one of two trees."""
    return np.unique(np.concatenate([first, second]), axis=0)


def _longest_on_the_way(tree: np.ndarray, matrix: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Values (k,) of the longest edges on the ways between the ends of pairs (k, 2), along a tree (n - 1, 2).

    Edges join by rising value: the one by which both ends come together is the longest between them.
    """
    # Members of each component, and of each point the pairs that wait for it to be joined.
    component = np.arange(len(matrix))
    members = [[k] for k in range(len(matrix))]
    waiting: list[list[int]] = [[] for _ in range(len(matrix))]
    for at, (i, j) in enumerate(pairs):
        waiting[i].append(at)
        waiting[j].append(at)
    found = np.zeros(len(pairs), matrix.dtype)
    for i, j in tree:
        small, large = sorted((component[i], component[j]), key=lambda c: len(members[c]))
        for point in members[small]:
            for at in waiting[point]:
                first, second = pairs[at]
                if component[first + second - point] == large:
                    found[at] = matrix[i, j]
        component[members[small]] = large
        members[large] += members[small]
        members[small] = []
    return found


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    """Spearman's rank correlation; equal values share the mean of their ranks."""
    if len(x) < 2:
        return math.nan
    ranks = [_ranks(values) for values in (x, y)]
    first, second = (values - values.mean() for values in ranks)
    scale = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / scale if scale > 0 else math.nan


def _ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    return (ends - (count - 1) / 2)[place]
