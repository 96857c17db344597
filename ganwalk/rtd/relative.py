"""The engine "relative": H₁ of a pair of flag filtrations on n points, by one sweep over its presentation.

The cross-barcode of two clouds is usually computed on a filtration of 2n points. In dimension one it is the barcode of
the relative homology H₁(K, L) of two edge filtrations K ≤ L on the n points themselves, which has a presentation with

- a generator for every edge e, born at K(e);
- a relation `cone(e)`: e = 0 from L(e) on;
- a relation `triangle(t)`: the sum of its three edges = 0 from the largest K of them on.

The sweep goes through edges and cones by rising value and writes every edge as a sum of living classes, a vector of
bits. An edge with L = K is zero. An edge with a common neighbour equals the sum of the other two sides of that
triangle; every further common neighbour gives a relation, which mostly holds already. Only an edge without a common
neighbour, O(n) of them in practice, opens a class. A relation that does not hold kills the youngest class in it, which
is then replaced by the rest of the relation wherever it occurs: that is the reduction of persistence, in a form where a
column is a few words and most columns are zero. Bits of dead classes are used again.

Of values that are equal, cones come first and edges come by their index: bars of length zero depend on that, and are
left out.
"""

from __future__ import annotations

import numba
import numpy as np

_jit = numba.njit(cache=True, nogil=True)

# Where the only bit of a word stands, by the word modulo 67 (2 is a primitive root of it).
_POSITIONS = np.zeros(67, np.int64)
for _bit in range(64):
    _POSITIONS[pow(2, _bit, 67)] = _bit


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
def _lowest(word):
    """Position of the lowest bit of a word that is not zero."""
    return _POSITIONS[(word & (~word + np.uint64(1))) % np.uint64(67)]


@_jit
def _flip(bits, i, j):
    bits[i, j >> 6] ^= np.uint64(1) << np.uint64(j & 63)
    bits[j, i >> 6] ^= np.uint64(1) << np.uint64(i & 63)


@_jit
def _youngest(relation, class_rank):
    """The bit of a relation whose class was born last, or -1 if the relation is zero."""
    youngest = -1
    for plane in range(relation.size):
        word = relation[plane]
        while word != np.uint64(0):
            bit = plane * 64 + _lowest(word)
            if youngest < 0 or class_rank[bit] > class_rank[youngest]:
                youngest = bit
            word &= word - np.uint64(1)
    return youngest


@_jit
def _substitute(sums, nonzero, relation, bit):
    """Adds a relation to every edge whose sum holds a bit of it, so that no sum holds that bit any more."""
    plane, mask = bit >> 6, np.uint64(1) << np.uint64(bit & 63)
    for i in range(nonzero.shape[0]):
        for word in range(i >> 6, nonzero.shape[1]):
            rest = nonzero[i, word]
            while rest != np.uint64(0):
                j = word * 64 + _lowest(rest)
                rest &= rest - np.uint64(1)
                if j > i and sums[plane, i, j] & mask != np.uint64(0):
                    left = np.uint64(0)
                    for k in range(relation.size):
                        value = sums[k, i, j] ^ relation[k]
                        sums[k, i, j] = sums[k, j, i] = value
                        left |= value
                    if left == np.uint64(0):
                        _flip(nonzero, i, j)


@_jit
def _record(bars, n_bars, ends, birth_edge, death_edge, by_cone):
    bars[n_bars, 0], bars[n_bars, 1] = ends[birth_edge, 0], ends[birth_edge, 1]
    bars[n_bars, 2], bars[n_bars, 3] = ends[death_edge, 0], ends[death_edge, 1]
    bars[n_bars, 4] = by_cone
    return n_bars + 1


@_jit
def _reduce(n, small_keys, large_keys):
    """Bars of H₁(K, L), see `relative_bars`; the keys at the edges are integers in the order of K and of L."""
    m = small_keys.size
    ends = np.empty((m, 2), np.int32)
    edge = 0
    for i in range(n):
        for j in range(i + 1, n):
            ends[edge, 0], ends[edge, 1] = i, j
            edge += 1
    births = _argsort(small_keys)
    # Cones of edges with L = K change nothing: those edges are zero from the start.
    coned = np.nonzero(large_keys > small_keys)[0]
    cones = coned[_argsort(large_keys[coned])]

    words = (n + 63) // 64
    planes = 1
    sums = np.zeros((planes, n, n), np.uint64)
    born = np.zeros((n, words), np.uint64)
    nonzero = np.zeros((n, words), np.uint64)
    common = np.empty(words, np.uint64)
    relation = np.empty(planes, np.uint64)
    free = np.arange(64 * planes)[::-1].copy()
    n_free = free.size
    class_edge = np.empty(64 * planes, np.int64)
    class_rank = np.empty(64 * planes, np.int64)
    bars = np.empty((m, 5), np.int64)
    n_bars = 0
    cone = 0
    for rank in range(m + 1):
        if rank < m:
            edge = births[rank]
        while cone < cones.size and (rank == m or large_keys[cones[cone]] <= small_keys[edge]):
            i, j = ends[cones[cone], 0], ends[cones[cone], 1]
            if nonzero[i, j >> 6] >> np.uint64(j & 63) & np.uint64(1):
                for k in range(planes):
                    relation[k] = sums[k, i, j]
                bit = _youngest(relation, class_rank)
                if large_keys[cones[cone]] > small_keys[class_edge[bit]]:
                    n_bars = _record(bars, n_bars, ends, class_edge[bit], cones[cone], 1)
                _substitute(sums, nonzero, relation, bit)
                free[n_free] = bit
                n_free += 1
            cone += 1
        if rank == m:
            break

        i, j = ends[edge, 0], ends[edge, 1]
        # Best a triangle whose other sides are zero ("plain"): this edge is then zero as well.
        plain, live = np.uint64(0), np.uint64(0)
        for word in range(words):
            both = born[i, word] & born[j, word]
            either = nonzero[i, word] | nonzero[j, word]
            common[word] = both
            plain |= both & ~either
            live |= both & either
        _flip(born, i, j)
        is_zero = plain != np.uint64(0) or large_keys[edge] <= small_keys[edge]
        if is_zero and live == np.uint64(0):
            continue
        if not is_zero:
            if live != np.uint64(0):
                word = 0
                while common[word] == np.uint64(0):
                    word += 1
                source = word * 64 + _lowest(common[word])
                left = np.uint64(0)
                for k in range(planes):
                    value = sums[k, i, source] ^ sums[k, j, source]
                    sums[k, i, j] = sums[k, j, i] = value
                    left |= value
                is_zero = left == np.uint64(0)
            else:
                if n_free == 0:
                    grown = np.zeros((2 * planes, n, n), np.uint64)
                    grown[:planes] = sums
                    sums = grown
                    free = np.empty(128 * planes, np.int64)
                    for k in range(64 * planes):
                        free[k] = 128 * planes - 1 - k
                    n_free = 64 * planes
                    class_edge = np.concatenate((class_edge, np.empty(64 * planes, np.int64)))
                    class_rank = np.concatenate((class_rank, np.empty(64 * planes, np.int64)))
                    planes *= 2
                    relation = np.empty(planes, np.uint64)
                n_free -= 1
                bit = free[n_free]
                class_edge[bit], class_rank[bit] = edge, rank
                sums[bit >> 6, i, j] = sums[bit >> 6, j, i] = np.uint64(1) << np.uint64(bit & 63)
            if not is_zero:
                _flip(nonzero, i, j)

        for word in range(words):
            rest = common[word]
            if is_zero:
                rest &= nonzero[i, word] | nonzero[j, word]
            while rest != np.uint64(0):
                c = word * 64 + _lowest(rest)
                rest &= rest - np.uint64(1)
                left = np.uint64(0)
                for k in range(planes):
                    left |= sums[k, i, c] ^ sums[k, j, c] ^ sums[k, i, j]
                if left == np.uint64(0):
                    continue
                for k in range(planes):
                    relation[k] = sums[k, i, c] ^ sums[k, j, c] ^ sums[k, i, j]
                bit = _youngest(relation, class_rank)
                if small_keys[edge] > small_keys[class_edge[bit]]:
                    n_bars = _record(bars, n_bars, ends, class_edge[bit], edge, 0)
                _substitute(sums, nonzero, relation, bit)
                free[n_free] = bit
                n_free += 1
    return bars[:n_bars].copy()


@_jit
def _bars(w_keys, v_keys, of_maximum):
    """`relative_bars` on integers (n, n) in the order of the values of w and v."""
    n = w_keys.shape[0]
    small = np.empty(n * (n - 1) // 2, w_keys.dtype)
    large = np.empty_like(small)
    edge = 0
    for i in range(n):
        for j in range(i + 1, n):
            a, b = w_keys[i, j], v_keys[i, j]
            if of_maximum:
                small[edge], large[edge] = b, max(a, b)
            else:
                small[edge], large[edge] = min(a, b), a
            edge += 1
    return _reduce(n, small, large)


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
    return _bars(w.view(unsigned), v.view(unsigned), mode == "max")
