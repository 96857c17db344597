"""Euclidean distances within a cloud, and their scale, differentiable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ganwalk.rtd.given import as_tensor, like_given

# Squared distances below this share of the squared norms lose too many digits in ‖x‖² + ‖y‖² - 2⟨x, y⟩.
_CANCELLATION = 1e-2
_CHUNK_VALUES = 2**24


def distance_matrix(points: Any) -> Any:
    """Distances (n, n) between n points of any shape (n, …): symmetric, zero on the diagonal.

    A tensor's are a tensor, those of an array or a list of numbers an array. Half precision is computed in float32. The
    gradient at distance zero is taken as zero; second derivatives are not available.

    Raises:
        ValueError: the points have no axis, or hold values that are not finite or no numbers.
    """
    cloud = as_tensor(points, "the points")
    return like_given(host_distances(cloud).to(cloud.device), points)


def host_distances(points: Tensor) -> Tensor:
    """`distance_matrix` on the CPU, wherever the points are: one matrix (n, n) comes from there, one gradient goes."""
    check_cloud(points)
    flat = points.reshape(len(points), -1) if points.numel() else points.new_zeros(len(points), 1)
    if not flat.is_floating_point() or flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    return _Distances.apply(flat)


def check_cloud(points: Tensor) -> None:
    """Raises ValueError if there is no axis that counts the points."""
    if points.ndim < 1:
        raise ValueError("a cloud of points needs a first axis that counts them")


class _Distances(torch.autograd.Function):
    """Distances by one matrix product, in both directions; no array of n² differences.

    The products run where the points are. What is done to n×n matrices is done on the CPU, where the barcode needs
    them and where they stay, and by numpy: torch divides even small operations among threads and, where cores are busy,
    waits for each.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # Distances do not change with the origin, but their rounding does.
        if x.device.type == "cpu":
            points = x.numpy()
            centred = points - points.mean(axis=0)
            gram = centred @ centred.T
        else:
            shifted = x - x.mean(dim=0)
            gram = (shifted @ shifted.T).cpu().numpy()
        norms = gram.diagonal()
        sums = norms[:, None] + norms
        squares = np.triu(sums - 2 * gram, 1)
        i, j = np.nonzero(np.triu(squares < _CANCELLATION * sums, 1))
        step = max(1, _CHUNK_VALUES // max(1, x.shape[1]))
        for start in range(0, len(i), step):
            part = slice(start, start + step)
            first, second = (x[torch.from_numpy(ends[part]).to(x.device)] for ends in (i, j))
            squares[i[part], j[part]] = (first - second).square().sum(dim=1).cpu().numpy()
        distances = np.sqrt(squares, out=squares)
        distances += distances.T.copy()
        if not np.isfinite(distances).all():
            raise ValueError("the points hold a value that is not finite")
        ctx.save_for_backward(x)
        ctx.distances = distances.copy()
        return torch.from_numpy(distances)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        pull = gradient.numpy()
        pull = pull + pull.T
        np.divide(pull, ctx.distances, out=pull, where=ctx.distances > 0)
        pull[ctx.distances == 0] = 0
        laplacian = np.diag(pull.sum(axis=1)) - pull
        if x.device.type == "cpu":
            return torch.from_numpy(laplacian @ x.numpy())
        return torch.from_numpy(laplacian).to(x.device) @ x


@dataclass(frozen=True)
class EntryQuantile:
    """A quantile over all entries of a matrix: its value, and the entries that it is interpolated between.

    Attributes:
        value: the quantile.
        positions: flat positions (2,).
        weights: (2,) with sum one.
    """

    value: float
    positions: tuple[int, int]
    weights: tuple[float, float]


def locate_quantile(distances: np.ndarray, q: float) -> EntryQuantile:
    """The q-quantile over all n² entries, linearly interpolated."""
    flat = distances.ravel()
    position = q * (flat.size - 1)
    low = int(position)
    fraction = position - low
    high = min(low + 1, flat.size - 1)
    values = np.partition(flat, (low, high))[[low, high]]
    first, second = (int(np.argmax(flat == value)) for value in values)
    weights = (1 - fraction, fraction)
    return EntryQuantile(float(np.dot(values.astype(np.float64), weights)), (first, second), weights)


def entry_quantile(distances: Tensor, q: float) -> Tensor:
    """The q-quantile over all n² entries of a distance matrix, linearly interpolated, as a differentiable scalar."""
    quantile = locate_quantile(distances.detach().cpu().numpy(), q)
    flat = distances.flatten()
    return sum(flat[at] * weight for at, weight in zip(quantile.positions, quantile.weights, strict=True))  # type: ignore


def normalized(distances: Any, q: float | None) -> Any:
    """Distances divided by their q-quantile (0.9 in the papers); as they are if q is None or the quantile is zero.

    Args:
        distances: (n, n), a tensor, or an array or lists, which become an array.
    """
    matrix = as_tensor(distances, "the distances")
    if q is None or len(matrix) == 0:
        return like_given(matrix, distances)
    scale = entry_quantile(matrix, q)
    return like_given(matrix / scale if float(scale.detach()) > 0 else matrix, distances)
