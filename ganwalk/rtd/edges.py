"""The edges of a cloud by rising length: one sort of a matrix serves its quantile and all barcodes it is part of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganwalk.compute.compiled import entry, jit
from ganwalk.rtd.choices import OVER, Over, check_word

# An edge is one number, (i << ROW) + (j << COLUMN), i < j, with room for what may happen to it.
MAX_POINTS = 1 << 14
ROW, COLUMN = 18, 4
_ROW, _COLUMN, _VERTEX = np.uint32(ROW), np.uint32(COLUMN), np.uint32(MAX_POINTS - 1)
_NONE, _ONE = np.uint64(0), np.uint64(1)


def check_points(n: int) -> None:
    """Raises ValueError if there are more points than edges can name."""
    if n > MAX_POINTS:
        raise ValueError(f"RTD takes at most {MAX_POINTS} points, not {n}: draw a sample of them")


@dataclass(frozen=True)
class Edges:
    """A distance matrix and its entries above the diagonal, by rising value; equal ones row after row.

    Attributes:
        matrix: (n, n) float32 or float64, C-contiguous.
        lengths: (n(n - 1)/2 + 1,) of its type, with infinity at the end.
        names: (n(n - 1)/2 + 1,) uint32, which entries these are; the last is none.
        farthest: (n,) the largest entry of each row.
    """

    matrix: np.ndarray
    lengths: np.ndarray
    names: np.ndarray
    farthest: np.ndarray


def sorted_edges(matrix: np.ndarray) -> Edges:
    """Sorts the entries of a matrix.

    Args:
        matrix: (n, n) float32 or float64, symmetric, not negative, C-contiguous.
    Raises:
        ValueError: there are more points than edges can name.
    """
    n = len(matrix)
    check_points(n)
    size = n * (n - 1) // 2
    lengths, names, farthest = (
        np.empty(size + 1, matrix.dtype),
        np.zeros(size + 1, np.uint32),
        np.zeros(n, matrix.dtype),
    )
    lengths[size] = np.inf
    if size:
        # The bits of floats that are not negative are ordered as their values.
        unsigned = np.uint32 if matrix.dtype == np.float32 else np.uint64
        _sort(matrix.view(unsigned), lengths[:size].view(unsigned), names[:size], farthest.view(unsigned))
    return Edges(matrix, lengths, names, farthest)


@entry
def _sort(bits, keys, names, farthest):
    """Radix sort, least significant digit first, straight from the matrix; all digits are counted at once."""
    n = bits.shape[0]
    # -0.0 is ordered as 0.0 without its sign.
    unsigned = ~(keys.dtype.type(1) << keys.dtype.type(8 * keys.itemsize - 1))
    low, high = bits[0, 1] & unsigned, bits[0, 1] & unsigned
    for i in range(n):
        most = farthest[i]
        for j in range(i + 1, n):
            key = bits[i, j] & unsigned
            low = min(low, key)
            most = max(most, key)
            farthest[j] = max(farthest[j], key)
        farthest[i] = most
        high = max(high, most)
    spread = np.uint64(high - low)
    length = 1
    while length < 64 and spread >> np.uint64(length) > _NONE:
        length += 1
    passes = (length + 10) // 11
    width = (length + passes - 1) // passes
    mask = (_ONE << np.uint64(width)) - _ONE
    counts = np.zeros((passes, 1 << width), np.int64)
    for i in range(n):
        for j in range(i + 1, n):
            key = np.uint64((bits[i, j] & unsigned) - low)
            for step in range(passes):
                counts[step, key & mask] += 1
                key >>= np.uint64(width)
    for step in range(passes):
        place = 0
        for digit in range(1 << width):
            count = counts[step, digit]
            counts[step, digit] = place
            place += count
    # The last pass ends in what was given.
    other_keys, other_names = np.empty_like(keys), np.empty_like(names)
    if passes % 2 == 0:
        keys, names, other_keys, other_names = other_keys, other_names, keys, names
    for i in range(n):
        for j in range(i + 1, n):
            key = bits[i, j] & unsigned
            digit = np.uint64(key - low) & mask
            at = counts[0, digit]
            counts[0, digit] = at + 1
            keys[at] = key
            names[at] = (i << ROW) + (j << COLUMN)
    for step in range(1, passes):
        _pass(keys, names, other_keys, other_names, low, np.uint64(step * width), mask, counts[step])
        keys, names, other_keys, other_names = other_keys, other_names, keys, names


@jit
def _pass(keys, names, other_keys, other_names, low, shift, mask, places):
    """Moves keys and names to the places of one digit."""
    for k in range(keys.size):
        key = keys[k]
        digit = (np.uint64(key - low) >> shift) & mask
        at = places[digit]
        places[digit] = at + 1
        other_keys[at] = key
        other_names[at] = names[k]


@dataclass(frozen=True)
class EntryQuantile:
    """A quantile over entries of a matrix: its value, and the entries that it is interpolated between.

    Attributes:
        value: the quantile.
        positions: flat positions (2,).
        weights: (2,) with sum one.
    """

    value: float
    positions: tuple[int, int]
    weights: tuple[float, float]


def locate_quantile(edges: Edges, q: float, over: Over = "all") -> EntryQuantile | None:
    """The q-quantile, linearly interpolated, over all n² entries or those above the diagonal that are positive.

    None if there is no entry, or the quantile is zero: such distances are taken as they are.
    """
    check_word("over", over, OVER)
    if len(edges.matrix) < 2:
        return None
    value, low, high, fraction = _interpolate(edges.lengths, edges.names, len(edges.matrix), q, over == "positive")
    return EntryQuantile(value, (low, high), (1 - fraction, fraction)) if value > 0 else None


@entry
def _interpolate(lengths, names, n, q, positive):
    """The quantile, flat positions of both entries that it lies between, and the weight of the second."""
    size = lengths.size - 1
    # The diagonal comes first, and then every edge twice.
    count, before, times = n * n, n, 2
    if positive:
        zeros = 0
        while lengths[zeros] == 0:
            zeros += 1
        count, before, times = size - zeros, -zeros, 1
    if count == 0:
        return 0.0, 0, 0, 0.0
    position = q * (count - 1)
    low = int(position)
    fraction = position - low
    places = ((low - before) // times, (min(low + 1, count - 1) - before) // times)
    values, positions = np.zeros(2), np.zeros(2, np.int64)
    for end in range(2):
        place = places[end]
        if place >= 0 and lengths[place] > 0:
            values[end] = lengths[place]
            # Of equal ones the first, row after row; of zeros that is on the diagonal.
            while place > 0 and lengths[place - 1] == lengths[place]:
                place -= 1
            positions[end] = np.int64(names[place] >> _ROW) * n + np.int64((names[place] >> _COLUMN) & _VERTEX)
    return values[0] * (1 - fraction) + values[1] * fraction, positions[0], positions[1], fraction
