"""Distances within a cloud, and their scale; of arrays here, of tensors with their gradient by `ganwalk.rtd.ops`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ganwalk.arrays import host_array, is_tensor
from ganwalk.compute.compiled import entry
from ganwalk.rtd.choices import Over
from ganwalk.rtd.edges import check_points, locate_quantile, sorted_edges
from ganwalk.rtd.given import as_numbers, as_square, check_cloud, checked_distances

Metric = str | Callable[[np.ndarray, np.ndarray], float]
EUCLIDEAN, PRECOMPUTED = "euclidean", "precomputed"

# Squared distances below this share of the squared norms lose too many digits in ‖x‖² + ‖y‖² - 2⟨x, y⟩.
_CANCELLATION = 1e-2
_CHUNK_VALUES = 2**24
_TILE = 32
_NOT_FINITE = "the points hold a value that is not finite"


def distance_matrix(points: Any, metric: Metric = EUCLIDEAN) -> Any:
    """Distances (n, n) between n points of any shape (n, …): symmetric, zero on the diagonal.

    A tensor's are a tensor, those of an array or a list of numbers an array. Half precision is computed in float32. The
    gradient at distance zero is taken as zero; second derivatives are not available.

    Args:
        metric: "euclidean", the only one with a gradient; a metric of scipy's `pdist` by name, such as "cosine", or a
            function of two points; "precomputed" if `points` are distances already, (n, n) or (n(n - 1)/2,).
    Raises:
        ValueError: the points have no axis, or hold values that are not finite or no numbers; an unknown metric, one
            without a gradient for a tensor that asks for it, or one that is not defined for these points.
    """
    if isinstance(metric, str) and metric == PRECOMPUTED:
        return as_square(points, "the matrix of distances")
    cloud = as_numbers(points, "the points")
    check_cloud(cloud)
    if metric != EUCLIDEAN:
        return _other_distances(cloud, metric)
    if is_tensor(cloud):
        from ganwalk.rtd.ops import tensor_distances

        return tensor_distances(cloud)
    return euclidean(cloud)


def euclidean(points: np.ndarray) -> np.ndarray:
    """Euclidean distances of an array (n, …)."""
    flat = points.reshape(len(points), -1) if points.size else np.zeros((len(points), 1), points.dtype)
    return gram_distances(gram_matrix(flat), flat.shape[1], lambda i, j: np.square(flat[i] - flat[j]).sum(axis=1))


def gram_matrix(points: np.ndarray) -> np.ndarray:
    """Inner products of points (n, d) about their mean: distances do not change with the origin, rounding does."""
    centred = points - np.add.reduce(points, axis=0) / max(1, len(points))
    return centred @ centred.T


def gram_distances(
    gram: np.ndarray, dimensions: int, squares_of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Distances of a Gram matrix (n, n).

    Args:
        dimensions: of the points, by which pairs are taken in parts.
        squares_of: squared distances of pairs (k,), (k,), for those that the Gram matrix does not tell.
    Raises:
        ValueError: a distance is not finite.
    """
    distances = np.empty(gram.shape, gram.dtype)
    finite, lost = _gram_distances(gram, gram.dtype.type(_CANCELLATION), distances)
    if not finite:
        raise ValueError(_NOT_FINITE)
    if not lost:
        return distances
    i, j = np.nonzero(np.triu(distances) < 0)
    step = max(1, _CHUNK_VALUES // max(1, dimensions))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        found = np.sqrt(squares_of(i[part], j[part]))
        if not np.isfinite(found).all():
            raise ValueError(_NOT_FINITE)
        distances[i[part], j[part]] = distances[j[part], i[part]] = found
    return distances


@entry
def _gram_distances(gram, cancellation, distances):
    """Writes distances, negative where too many digits are lost; whether all are finite, and whether some are lost."""
    n = gram.shape[0]
    squares = np.empty(n, gram.dtype)
    untold = gram.dtype.type(-1)
    finite = True
    for i in range(n):
        squares[i] = gram[i, i]
        finite &= np.isfinite(squares[i])
    for i in range(n):
        distances[i, i] = 0
        for j in range(i + 1, n):
            total = squares[i] + squares[j]
            square = total - (gram[i, j] + gram[i, j])
            told = (square >= cancellation * total) & (square < np.inf)
            distances[i, j] = np.sqrt(square) if told else untold
    lost = 0
    # Tile by tile, since columns are far apart in memory.
    for top in range(0, n, _TILE):
        for left in range(top, n, _TILE):
            for i in range(top, min(top + _TILE, n)):
                for j in range(max(i + 1, left), min(left + _TILE, n)):
                    lost += distances[i, j] == untold
                    distances[j, i] = distances[i, j]
    return finite, lost > 0


@entry
def laplacian(gradient, weight, distances):
    """What a weighted gradient by distances (n, n) does to points: theirs is this matrix (n, n) times the points.

    Points at distance zero do not pull at each other.
    """
    n = distances.shape[0]
    matrix = np.zeros_like(distances)
    sums = np.zeros(n)
    for i in range(n):
        for j in range(n):
            # Of most distances no bar begins or ends.
            if gradient[i, j] != 0 and distances[i, j] > 0:
                pull = weight * gradient[i, j] / distances[i, j]
                matrix[i, j] -= pull
                matrix[j, i] -= pull
                sums[i] += pull
                sums[j] += pull
    for i in range(n):
        matrix[i, i] = sums[i]
    return matrix


def _other_distances(cloud: Any, metric: Metric) -> Any:
    from scipy.spatial.distance import pdist, squareform

    if is_tensor(cloud) and cloud.requires_grad:
        raise ValueError(f"metric {metric!r} has no gradient here: use 'euclidean', or detach() the points")
    array = host_array(cloud, "the points")
    check_points(len(array))
    try:
        condensed = pdist(array.reshape(len(array), -1).astype(np.float64), metric)
    except ValueError as error:
        raise ValueError(
            f"metric {metric!r} of scipy's pdist: {error}; take euclidean, cosine, cityblock or another of scipy's"
        ) from error
    if not np.isfinite(condensed).all():
        raise ValueError(f"metric {metric!r} is not defined for some of the points, or they hold a value not finite")
    # Rounding may leave what is below zero, as of equal points by "cosine".
    distances = checked_distances(squareform(condensed), "the matrix of distances")
    distances = distances.astype(array.dtype if array.dtype.kind == "f" else np.float64)
    if not is_tensor(cloud):
        return distances
    import torch

    return torch.from_numpy(distances).to(cloud.device)


def normalized(distances: Any, q: float | None, over: Over = "all") -> Any:
    """Distances divided by their q-quantile (0.9 in the papers); as they are if q is None or the quantile is zero.

    Args:
        distances: (n, n), or (n(n - 1)/2,) above its diagonal, a tensor, or an array or lists, which become an array;
            symmetric: entries above the diagonal count.
        over: what the quantile is of: all n² entries, as RTD and RTD-lite take it, or the "positive" ones above the
            diagonal, as the code of SRTD does.
    """
    matrix = as_square(distances, "the matrix of distances")
    if q is None:
        return matrix
    array = host_array(matrix, "the distances")
    array = np.ascontiguousarray(array, array.dtype if array.dtype.kind == "f" else np.float64)
    quantile = locate_quantile(sorted_edges(array), q, over)
    if quantile is None:
        return matrix
    flat = matrix.reshape(-1)
    return matrix / sum(flat[at] * weight for at, weight in zip(quantile.positions, quantile.weights, strict=True))
