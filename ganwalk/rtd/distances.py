"""Euclidean distances within a cloud, and their scale, differentiable and on the device of the points."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

# Squared distances below this share of the squared norms lose too many digits in ‖x‖² + ‖y‖² - 2⟨x, y⟩.
_CANCELLATION = 1e-3
_CHUNK_VALUES = 2**24


def distance_matrix(points: Tensor) -> Tensor:
    """Distances (n, n) between n points of any shape (n, …): symmetric, zero on the diagonal.

    Half precision is computed in float32. The gradient at distance zero is taken as zero.

    Raises:
        ValueError: the points have no axis, or hold values that are not finite.
    """
    if points.ndim < 1:
        raise ValueError("a cloud of points needs a first axis that counts them")
    flat = points.reshape(len(points), -1)
    if not flat.is_floating_point() or flat.dtype in (torch.float16, torch.bfloat16):
        flat = flat.float()
    distances = _Distances.apply(flat)
    if not torch.isfinite(distances.sum()):
        raise ValueError("the points hold a value that is not finite")
    return distances


class _Distances(torch.autograd.Function):
    """Distances by one matrix product, in both directions; no array of n² differences."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        # Distances do not change with the origin, but their rounding does.
        centred = x - x.mean(dim=0)
        gram = centred @ centred.T
        norms = gram.diagonal()
        sums = norms[:, None] + norms[None, :]
        squares = sums - 2 * gram
        squares = torch.triu(squares, diagonal=1)
        doubtful = torch.triu(squares < _CANCELLATION * sums, diagonal=1).nonzero()
        for part in doubtful.split(max(1, _CHUNK_VALUES // max(1, x.shape[1]))):
            i, j = part.unbind(1)
            squares[i, j] = (x[i] - x[j]).square().sum(dim=1)
        distances = squares.clamp_min(0).sqrt()
        distances = distances + distances.T
        ctx.save_for_backward(x, distances)
        return distances

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        x, distances = ctx.saved_tensors
        pull = gradient + gradient.T
        pull = torch.where(distances > 0, pull / distances.clamp_min(torch.finfo(x.dtype).tiny), 0)
        return pull.sum(dim=1, keepdim=True) * x - pull @ x


def entry_quantile(distances: Tensor, q: float) -> Tensor:
    """The q-quantile over all n² entries of a distance matrix, linearly interpolated, as a differentiable scalar."""
    flat = distances.flatten()
    values = flat.detach()
    position = q * (len(flat) - 1)
    low = int(position)
    fraction = position - low
    lower = torch.kthvalue(values, low + 1)
    quantile = flat[lower.indices]
    # Every distance stands in the matrix twice: mostly the next value in order is the same one.
    if fraction > 0 and int((values <= lower.values).sum()) <= low + 1:
        above = torch.where(values > lower.values, values, torch.inf).argmin()
        quantile = quantile * (1 - fraction) + flat[above] * fraction
    return quantile


def normalized(distances: Tensor, q: float | None) -> Tensor:
    """Distances divided by their q-quantile (0.9 in the papers); as they are if q is None or the quantile is zero."""
    if q is None or len(distances) == 0:
        return distances
    scale = entry_quantile(distances, q)
    return distances / scale if float(scale.detach()) > 0 else distances
