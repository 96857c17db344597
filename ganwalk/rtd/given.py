"""Clouds and distance matrices as callers give them, arrays or tensors; nothing here loads torch.

Tensors stay tensors, with their gradient; everything else becomes an array.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ganwalk.arrays import host_array, is_tensor
from ganwalk.compute.compiled import entry
from ganwalk.rtd.edges import check_points

# Other libraries take distances from ‖x‖² + ‖y‖² - 2⟨x, y⟩. In single precision its error, away from the origin some
# thousand times the resolution, is that of a square: small beside large distances, and their hundredth beside zero.
_ROUNDING = 1e-4


def as_numbers(values: Any, name: str) -> Any:
    """A tensor as it is, a list of tensors as their stack, anything else as a float32 or float64 array.

    Raises:
        ValueError: the values are no real numbers, or rows differ in length, or most of them are not there (sparse).
    """
    if isinstance(values, (list, tuple)) and values and all(is_tensor(value) for value in values):
        import torch

        values = torch.stack(list(values))
    if is_sparse(values):
        raise ValueError(
            f"{name} must be dense: of a sparse neighbour graph most distances are unknown, and RTD needs them all; "
            "give the points, or the whole matrix"
        )
    if is_tensor(values):
        if values.is_complex():
            raise ValueError(f"{name} must be real numbers, not complex ones")
        return values
    array = host_array(values, name)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


def is_sparse(values: Any) -> bool:
    """Whether something is a sparse array of scipy, or a sparse tensor."""
    return values.layout != _strided() if is_tensor(values) else hasattr(values, "tocoo")


def _strided() -> Any:
    import torch

    return torch.strided


def is_given_tensor(*given: Any) -> bool:
    """Whether there is a tensor among what was given, or in the sequences among it."""
    return any(is_tensor(member) for each in given for member in (each if isinstance(each, (list, tuple)) else [each]))


def as_clouds(values: Any) -> Any:
    """A cloud (n, …), of lists of numbers too; or the list of several, if it is a sequence of tensors or arrays."""
    if isinstance(values, Sequence) and all(is_tensor(value) or isinstance(value, np.ndarray) for value in values):
        return [as_numbers(value, "a cloud") for value in values]
    return as_numbers(values, "a cloud")


def paired_clouds(P: Any, Q: Any) -> tuple[list[Any], list[tuple[int, int]], bool]:
    """Clouds, the pairs of them that are compared, and whether it is only one that no sequence holds.

    Args:
        P, Q: as `RTDLoss.forward` takes them.
    Raises:
        ValueError: the clouds of a pair have different numbers of points, there is no pair, the sequences are not of
            one length, values are no numbers, or there are more points than the engine takes.
    """
    first, second = as_clouds(P), as_clouds(Q)
    several = (
        isinstance(first, list),
        isinstance(second, list) or (not isinstance(first, list) and _stacks(first, second)),
    )
    single = not any(several)
    firsts = first if several[0] else [first]
    seconds = [second] if single else list(second)
    if not several[0]:
        pairs = [(0, 1 + k) for k in range(len(seconds))]
    else:
        if len(firsts) != len(seconds):
            raise ValueError(f"{len(firsts)} clouds P for {len(seconds)} clouds Q")
        pairs = [(k, len(firsts) + k) for k in range(len(firsts))]
    clouds = [*firsts, *seconds]
    for cloud in clouds:
        check_cloud(cloud)
        check_points(len(cloud))
    for one, other in pairs:
        if len(clouds[one]) != len(clouds[other]):
            sizes = f"{len(clouds[one])} and {len(clouds[other])}"
            raise ValueError(f"the clouds have different numbers of points: {sizes}")
    check_pairs(pairs)
    return clouds, pairs, single


def _stacks(P: Any, Q: Any) -> bool:
    """Whether Q is a stack of clouds, each of the shape of P."""
    return Q.ndim == P.ndim + 1 and Q.shape[1:] == P.shape


def check_cloud(points: Any) -> None:
    """Raises ValueError if there is no axis that counts the points."""
    if points.ndim < 1:
        raise ValueError("a cloud of points needs a first axis that counts them")


def check_pairs(pairs: Sequence[Any]) -> None:
    """Raises ValueError if there is no pair."""
    if not pairs:
        raise ValueError("there is no pair of clouds to compare")


def paired_distances(pairs: Sequence[tuple[Any, Any]]) -> tuple[list[Any], list[str], list[tuple[int, int]]]:
    """The different matrices of pairs, (n, n) each, what messages call them, and the pairs by their places.

    Raises:
        ValueError: a pair is not one of distance matrices of one size, or there is none, or there are too many points.
    """
    given = {id(matrix): (matrix, name) for pair in pairs for matrix, name in zip(pair, "wv", strict=True)}
    squares = {key: as_square(matrix, name) for key, (matrix, name) in given.items()}
    for w, v in pairs:
        check_sizes(squares[id(w)], squares[id(v)])
    places = {key: place for place, key in enumerate(squares)}
    check_pairs(pairs)
    names = [name for _, name in given.values()]
    return list(squares.values()), names, [(places[id(w)], places[id(v)]) for w, v in pairs]


def check_sizes(w: Any, v: Any) -> None:
    """Raises ValueError unless the matrices of a pair are of as many points."""
    if w.shape != v.shape:
        raise ValueError(f"the matrices differ in shape: {tuple(w.shape)} and {tuple(v.shape)}")


def as_square(distances: Any, name: str, *, sampled: bool = False) -> Any:
    """Distances (n, n), also of the n(n - 1)/2 above the diagonal, row after row, as scipy's pdist gives them.

    Args:
        sampled: whether only some of the points will be taken, so that there may be more than the engine takes.
    Raises:
        ValueError: as `as_numbers`, another shape, or more points than the engine takes, before anything is copied.
    """
    if hasattr(distances, "shape") and not is_sparse(distances):
        _check_count(_number_of_points(tuple(distances.shape), name), sampled)
    given = as_numbers(distances, name)
    n = _number_of_points(tuple(given.shape), name)
    _check_count(n, sampled)
    if given.ndim == 2:
        return given
    if not is_tensor(given):
        square = np.zeros((n, n), given.dtype)
        square[np.triu_indices(n, 1)] = given
        return square + square.T
    import torch

    i, j = torch.triu_indices(n, n, 1, device=given.device)
    upper = given.new_zeros(n, n).index_put((i, j), given)
    return upper + upper.T


def _number_of_points(shape: tuple[int, ...], name: str) -> int:
    """How many points have distances of this shape; ValueError if none have."""
    n = (1 + math.isqrt(1 + 8 * shape[0])) // 2 if len(shape) == 1 else shape[0] if shape else 0
    if shape not in ((n * (n - 1) // 2,), (n, n)):
        raise ValueError(f"{name} is not a square matrix: its shape is {shape}")
    return n


def _check_count(n: int, sampled: bool) -> None:
    if not sampled:
        check_points(n)


def checked_distances(distances: Any, name: str) -> np.ndarray:
    """A distance matrix (n, n) as a C-contiguous float32 or float64 array, zero on the diagonal and symmetric.

    What breaks that by rounding, relative to the largest entry, is cleared: entries above the diagonal count.

    Raises:
        ValueError: values that are not finite, negative, other than zero on the diagonal or not symmetric, beyond
            rounding.
    """
    array = host_array(distances, name)
    matrix = np.ascontiguousarray(array, array.dtype if array.dtype.kind == "f" else np.float64)
    finite, exact = _looked_at(matrix)
    if not finite:
        raise ValueError(f"{name} holds a value that is not finite")
    if exact:
        return matrix
    bound = max(_ROUNDING, 4 * _resolution(distances))
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


@entry
def _looked_at(matrix):
    """Whether all values are finite; and whether they are not negative, zero on the diagonal and symmetric."""
    finite = exact = True
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[1]):
            finite &= np.isfinite(matrix[i, j])
            exact &= matrix[i, j] >= 0
        exact &= matrix[i, i] == 0
        for j in range(i):
            exact &= matrix[i, j] == matrix[j, i]
    return finite, exact


def _resolution(values: Any) -> float:
    """Of the type that the values were given in; zero for integers."""
    if is_tensor(values):
        import torch

        return torch.finfo(values.dtype).eps if values.is_floating_point() else 0.0
    dtype = np.asarray(values).dtype
    return float(np.finfo(dtype).eps) if dtype.kind == "f" else 0.0
