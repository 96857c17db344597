"""Clouds and distance matrices as callers give them: tensors keep their gradient, and who gives arrays gets arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganwalk.arrays import host_array, is_tensor
from ganwalk.rtd.relative import check_points

# Other libraries take distances from ‖x‖² + ‖y‖² - 2⟨x, y⟩. In single precision its error, away from the origin some
# thousand times the resolution, is that of a square: small beside large distances, and their hundredth beside zero.
_ROUNDING = 1e-4


def as_tensor(values: Any, name: str) -> Tensor:
    """A tensor as it is, a list of tensors as their stack, anything else as floats on the CPU.

    Raises:
        ValueError: the values are no real numbers, or rows differ in length.
    """
    if isinstance(values, (list, tuple)) and values and all(is_tensor(value) for value in values):
        values = torch.stack(list(values))
    if isinstance(values, Tensor):
        if values.is_complex():
            raise ValueError(f"{name} must be real numbers, not complex ones")
        return values
    array = host_array(values, name)
    # Torch takes neither arrays that cannot be written nor negative strides.
    return torch.from_numpy(np.require(array, array.dtype if array.dtype.kind == "f" else np.float64, ["C", "W"]))


def like_given(result: Tensor, *given: Any) -> Any:
    """The result itself if a tensor was given, else its numbers: an array, or a float if it has no axis."""
    members = [member for each in given for member in (each if isinstance(each, (list, tuple)) else [each])]
    if any(map(is_tensor, members)):
        return result
    return result.numpy() if result.ndim else np.float64(result.item())


def as_clouds(values: Any) -> Tensor | list[Tensor]:
    """A cloud (n, …), of lists of numbers too; or the list of several, if it is a sequence of tensors or arrays."""
    if isinstance(values, Sequence) and all(isinstance(value, (Tensor, np.ndarray)) for value in values):
        return [as_tensor(value, "a cloud") for value in values]
    return as_tensor(values, "a cloud")


def as_square(distances: Any, name: str) -> Tensor:
    """Distances (n, n), also of the n(n - 1)/2 above the diagonal, row after row, as scipy's pdist gives them.

    Raises:
        ValueError: as `as_tensor`, another shape, or more points than the engine takes, before anything is copied.
    """
    if hasattr(distances, "shape"):
        _number_of_points(tuple(distances.shape), name)
    given = as_tensor(distances, name)
    n = _number_of_points(tuple(given.shape), name)
    if given.ndim == 2:
        return given
    i, j = torch.triu_indices(n, n, 1, device=given.device)
    upper = given.new_zeros(n, n).index_put((i, j), given)
    return upper + upper.T


def _number_of_points(shape: tuple[int, ...], name: str) -> int:
    """How many points have distances of this shape; ValueError if none or too many have."""
    n = (1 + math.isqrt(1 + 8 * shape[0])) // 2 if len(shape) == 1 else shape[0] if shape else 0
    if shape not in ((n * (n - 1) // 2,), (n, n)):
        raise ValueError(f"{name} is not a square matrix: its shape is {shape}")
    check_points(n)
    return n


def checked_distances(distances: Tensor, name: str) -> np.ndarray:
    """A distance matrix (n, n) as a C-contiguous float32 or float64 array, zero on the diagonal and symmetric.

    What breaks that by rounding, relative to the largest entry, is cleared: entries above the diagonal count.

    Raises:
        ValueError: values that are not finite, negative, other than zero on the diagonal or not symmetric, beyond
            rounding.
    """
    array = host_array(distances, name)
    matrix = np.ascontiguousarray(array, array.dtype if array.dtype.kind == "f" else np.float64)
    if not np.isfinite(matrix).all():
        raise ValueError(f"{name} holds a value that is not finite")
    if not matrix.size or (matrix.min() >= 0 and not matrix.diagonal().any() and np.array_equal(matrix, matrix.T)):
        return matrix
    bound = _ROUNDING
    if distances.is_floating_point():
        bound = max(bound, 4 * torch.finfo(distances.dtype).eps)
    relative = matrix / np.abs(matrix).max()
    remedy = "beyond rounding: compute the distances in double precision, or give the points"
    if relative.min() < -bound:
        raise ValueError(f"{name} holds a negative distance, {matrix.min():.3g}")
    squares = np.square(relative, out=relative)
    if squares.diagonal().max() > bound:
        raise ValueError(f"the diagonal of {name} is not zero, but up to {abs(matrix.diagonal()).max():.3g}, {remedy}")
    if np.abs(squares - squares.T).max() > bound:
        raise ValueError(f"{name} is not symmetric, {remedy}")
    upper = np.triu(matrix, 1).clip(min=0)
    return upper + upper.T
