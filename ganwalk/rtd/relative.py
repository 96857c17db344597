"""The engine "relative": H₁ of a pair of flag filtrations on n points, by implicit cohomology.

The cross-barcode of two clouds is usually computed on a filtration of 2n points. In dimension one it is the barcode of
the relative homology H₁(K, L) of two edge filtrations K ≤ L on the n points themselves, which has a presentation with

- a generator for every edge e, born at K(e);
- a relation `cone(e)`: e = 0 from L(e) on;
- a relation `triangle(t)`: the sum of its three edges = 0 from the largest K of them on.

Edges with L = K die at birth by their cone; edges that have a common earlier neighbour die at birth by that triangle
(an apparent pair). What is left, O(n) columns in practice, is reduced latest edge first, with implicit coboundaries,
as in Ripser (Bauer, "Ripser: efficient computation of Vietoris-Rips persistence barcodes", 2021).

Relations are ordered by 64-bit keys. A triangle whose latest edge has rank r and whose third vertex is c has the key
(r + 1)·2³² + c. A cone stands after all triangles of smaller value and before those of equal value: the number of
edges with K < L(e) in the upper half, and 2³¹ + (rank of L(e) among the cones) in the lower one.
"""

from __future__ import annotations

import numba
import numpy as np

_CONE = np.int64(1) << 31
_LOW = (np.int64(1) << 32) - np.int64(1)
# What `first` holds instead of a vertex: an edge without an apparent triangle, or one killed by its own cone.
_NO_TRIANGLE = -1
_BY_CONE = -2

_jit = numba.njit(cache=True, nogil=True)


@_jit
def _argsort(keys):
    """Stable argsort of unsigned integers: least significant digit first, 11 bits at a time."""
    n = keys.size
    order = np.arange(n).astype(np.int32)
    if n < 2:
        return order
    low, high = keys[0], keys[0]
    for key in keys:
        low, high = min(low, key), max(high, key)
    spread = np.uint64(high) - np.uint64(low)
    values = np.empty(n, np.uint64)
    for i in range(n):
        values[i] = np.uint64(keys[i]) - np.uint64(low)
    other_values, other = np.empty(n, np.uint64), np.empty(n, np.int32)
    counts = np.empty(2049, np.int64)
    shift = np.uint64(0)
    while shift < np.uint64(64) and (spread >> shift) > np.uint64(0):
        counts[:] = 0
        for i in range(n):
            counts[np.int64((values[i] >> shift) & np.uint64(2047)) + 1] += 1
        for digit in range(2048):
            counts[digit + 1] += counts[digit]
        for i in range(n):
            digit = np.int64((values[i] >> shift) & np.uint64(2047))
            at = counts[digit]
            counts[digit] += 1
            other_values[at] = values[i]
            other[at] = order[i]
        values, other_values = other_values, values
        order, other = other, order
        shift += np.uint64(11)
    return order


@_jit
def _first_common(bits, i, j):
    """Smallest vertex adjacent to both i and j, or -1."""
    for word in range(bits.shape[1]):
        common = bits[i, word] & bits[j, word]
        if common != np.uint64(0):
            lowest = common & (~common + np.uint64(1))
            position = 0
            while lowest > np.uint64(1):
                lowest >>= np.uint64(1)
                position += 1
            return word * 64 + position
    return -1


@_jit
def _push(heap, size, key):
    if size == heap.size:
        grown = np.empty(2 * heap.size, np.int64)
        grown[:size] = heap
        heap = grown
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if heap[parent] <= key:
            break
        heap[at] = heap[parent]
        at = parent
    heap[at] = key
    return heap, size + 1


@_jit
def _pop(heap, size):
    top = heap[0]
    size -= 1
    last = heap[size]
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[at] = heap[child]
        at = child
    heap[at] = last
    return top, size


@_jit
def _pop_pivot(heap, size):
    """Smallest key that occurs an odd number of times, or -1; keys of even count vanish."""
    while size > 0:
        key, size = _pop(heap, size)
        if size > 0 and heap[0] == key:
            _, size = _pop(heap, size)
            continue
        return key, size
    return np.int64(-1), size


@_jit
def _triangle_key(rank, i, j, r, c):
    latest = max(r, rank[i, c], rank[j, c])
    # The third vertex is the one opposite of the latest edge.
    opposite = c
    if latest != r:
        opposite = j if latest == rank[i, c] else i
    return ((np.int64(latest) + 1) << 32) + opposite


@_jit
def _add_coboundary(heap, size, rank, cone_key, ends, edge_at, r):
    """Pushes every relation that contains the edge of rank r."""
    i, j = ends[edge_at[r], 0], ends[edge_at[r], 1]
    for c in range(rank.shape[0]):
        if c != i and c != j:
            heap, size = _push(heap, size, _triangle_key(rank, i, j, r, c))
    return _push(heap, size, cone_key[r])


@_jit
def _reduce(small, large, small_keys, large_keys):
    """Bars of H₁(K, L), see `relative_bars`; the keys (m,) are integers in the order of the values of K and L."""
    n = small.shape[0]
    m = n * (n - 1) // 2
    ends = np.empty((m, 2), np.int32)
    edge = 0
    for i in range(n):
        for j in range(i + 1, n):
            ends[edge, 0], ends[edge, 1] = i, j
            edge += 1
    edge_at = _argsort(small_keys)

    # Ranks, and one sweep that finds the columns that are not paired at birth.
    rank = np.full((n, n), -1, np.int32)
    first = np.empty(m, np.int32)
    bits = np.zeros((n, (n + 63) // 64), np.uint64)
    columns = np.empty(m, np.int32)
    n_columns = 0
    for r in range(m):
        i, j = ends[edge_at[r], 0], ends[edge_at[r], 1]
        rank[i, j] = rank[j, i] = r
        if large[i, j] <= small[i, j]:
            first[r] = _BY_CONE
        else:
            first[r] = _first_common(bits, i, j)
            if first[r] == _NO_TRIANGLE:
                columns[n_columns] = r
                n_columns += 1
        bits[i, j >> 6] |= np.uint64(1) << np.uint64(j & 63)
        bits[j, i >> 6] |= np.uint64(1) << np.uint64(i & 63)

    # Keys of the cones, by rank of their edge; cones of edges with L = K are never met.
    cone_key = np.full(m, -1, np.int64)
    cone_order = np.empty(m, np.int32)
    large_order = _argsort(large_keys)
    below, n_cones = 0, 0
    for edge in large_order:
        i, j = ends[edge, 0], ends[edge, 1]
        value = large[i, j]
        while below < m and small[ends[edge_at[below], 0], ends[edge_at[below], 1]] < value:
            below += 1
        if value > small[i, j]:
            cone_key[rank[i, j]] = (np.int64(below) << 32) + _CONE + n_cones
            cone_order[n_cones] = rank[i, j]
            n_cones += 1

    # Which column owns a pivot: open addressing, at most half full.
    slots = 64
    while slots < 2 * n_columns + 2:
        slots *= 2
    owner_key = np.full(slots, -1, np.int64)
    owner_column = np.empty(slots, np.int32)
    # What was added to make each column: ranks of edges, in one growing array.
    made_from = np.empty(max(16, 4 * n_columns), np.int32)
    made_start = np.empty(n_columns + 1, np.int64)
    made_end = np.empty(n_columns + 1, np.int64)
    made_size = 0

    bars = np.empty((n_columns, 5), np.int64)
    n_bars = 0
    heap = np.empty(1024, np.int64)
    added = np.empty(256, np.int64)
    for column in range(n_columns - 1, -1, -1):
        r = columns[column]
        i, j = ends[edge_at[r], 0], ends[edge_at[r], 1]
        pivot = cone_key[r]
        for c in range(n):
            if c != i and c != j:
                pivot = min(pivot, _triangle_key(rank, i, j, r, c))
        made_start[column] = made_size
        size = 0
        n_added = 0
        while True:
            # Who owns this pivot?
            source = np.int64(-1)
            if (pivot & _LOW) < _CONE:
                latest = (pivot >> 32) - 1
                if first[latest] == (pivot & _LOW):
                    source = m + latest
            if source < 0:
                slot = (pivot * np.int64(0x9E3779B97F4A7C1)) >> 20 & (slots - 1)
                while owner_key[slot] != -1 and owner_key[slot] != pivot:
                    slot = (slot + 1) & (slots - 1)
                if owner_key[slot] == -1:
                    owner_key[slot] = pivot
                    owner_column[slot] = column
                    break
                source = np.int64(owner_column[slot])
            if size == 0 and n_added == 0:
                heap, size = _add_coboundary(heap, size, rank, cone_key, ends, edge_at, r)
            else:
                heap, size = _push(heap, size, pivot)
            if source >= m:
                start, end = 0, 1
            else:
                start, end = made_start[source], made_end[source] + 1
            for k in range(start, end):
                if source >= m:
                    other = source - m
                elif k == made_end[source]:
                    other = np.int64(columns[source])
                else:
                    other = np.int64(made_from[k])
                heap, size = _add_coboundary(heap, size, rank, cone_key, ends, edge_at, other)
                if n_added == added.size:
                    grown = np.empty(2 * added.size, np.int64)
                    grown[:n_added] = added
                    added = grown
                added[n_added] = other
                n_added += 1
            pivot, size = _pop_pivot(heap, size)
        # An edge that was added twice was not added.
        ordered = np.sort(added[:n_added])
        k = 0
        while k < n_added:
            repeat = 1
            while k + repeat < n_added and ordered[k + repeat] == ordered[k]:
                repeat += 1
            if repeat % 2 == 1:
                if made_size == made_from.size:
                    grown_ranks = np.empty(2 * made_from.size, np.int32)
                    grown_ranks[:made_size] = made_from
                    made_from = grown_ranks
                made_from[made_size] = ordered[k]
                made_size += 1
            k += repeat
        made_end[column] = made_size

        by_cone = (pivot & _LOW) >= _CONE
        death_rank = cone_order[(pivot & _LOW) - _CONE] if by_cone else (pivot >> 32) - 1
        a, b = ends[edge_at[death_rank], 0], ends[edge_at[death_rank], 1]
        death = large[a, b] if by_cone else small[a, b]
        if death > small[i, j]:
            bars[n_bars, 0], bars[n_bars, 1] = i, j
            bars[n_bars, 2], bars[n_bars, 3] = a, b
            bars[n_bars, 4] = 1 if by_cone else 0
            n_bars += 1
    return bars[:n_bars]


@_jit
def _bars(w, v, of_maximum, bits):
    """`relative_bars` on values with integer images `bits` = (those of w, those of v) in the same order."""
    n = w.shape[0]
    w_bits, v_bits = bits
    small, large = np.empty_like(w), np.empty_like(w)
    small_keys = np.empty(n * (n - 1) // 2, w_bits.dtype)
    large_keys = np.empty_like(small_keys)
    edge = 0
    for i in range(n):
        for j in range(i + 1, n):
            least = w_bits[i, j] <= v_bits[i, j]
            if of_maximum:
                small[i, j], small_keys[edge] = v[i, j], v_bits[i, j]
                large[i, j] = v[i, j] if least else w[i, j]
                large_keys[edge] = v_bits[i, j] if least else w_bits[i, j]
            else:
                small[i, j] = w[i, j] if least else v[i, j]
                small_keys[edge] = w_bits[i, j] if least else v_bits[i, j]
                large[i, j], large_keys[edge] = w[i, j], w_bits[i, j]
            small[j, i], large[j, i] = small[i, j], large[i, j]
            edge += 1
    return _reduce(small, large, small_keys, large_keys)


def relative_bars(w: np.ndarray, v: np.ndarray, mode: str) -> np.ndarray:
    """Bars of H₁(K, L) with K = min(w, v), L = w (mode "min") or K = v, L = max(w, v) (mode "max").

    Args:
        w, v: (n, n) float32 or float64 matrices of one type, symmetric, finite, not negative, C-contiguous.
    Returns:
        (bars, 5) int64: i and j of the birth edge, i and j of the death edge, and 1 if the death is a value of L,
        else 0. Bars of length zero are left out.
    """
    unsigned = np.uint32 if w.dtype == np.float32 else np.uint64
    # The bits of non-negative floats are ordered as their values; adding zero turns -0.0, whose bits are not, into 0.0.
    zero = w.dtype.type(0)
    w, v = w + zero, v + zero
    return _bars(w, v, mode == "max", (w.view(unsigned), v.view(unsigned)))
