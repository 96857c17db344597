"""The engine "relative": H₁ of a pair of flag filtrations on n points, by one sweep over its presentation.

The cross-barcode of two clouds is usually computed on a filtration of 2n points. In dimension one it is the barcode of
the relative homology H₁(K, L) of two edge filtrations K ≤ L on the n points themselves, which has a presentation with

- a generator for every edge e, born at K(e);
- a relation `cone(e)`: e = 0 from L(e) on;
- a relation `triangle(t)`: the sum of its three edges = 0 from the largest K of them on.

The sweep goes through the entries of both matrices by rising value and writes every edge as a sum of living classes, a
vector of bits, in the form φ(i) + φ(j) + ψ(ij): a potential of the vertices and a remainder. An edge that joins two
components of K moves the potential of one of them, so that its remainder is zero; an edge with a common neighbour c has
the remainder ψ(ic) + ψ(jc). Around a triangle the potentials cancel: it relates remainders only, and nearly all of them
are zero, because only an edge that closes a cycle without a common neighbour starts one. A relation that does not hold
kills the youngest class in it, which is then replaced by the rest of the relation wherever it occurs: that is the
reduction of persistence, in a form where a column is a few words and most columns are empty.

Once a vertex c is joined to all others in K, ψ(ij) = ψ(ic) + ψ(jc) can be absorbed into the potentials: no class is
born any more, and only cones are left. Once no class lives either, the rest of the filtration is empty. That is so at
the latest at the smallest α at which one vertex is joined to all others in both matrices: larger entries are not even
sorted, and one sort serves all four terms of the symmetric divergence.

The order of equal values is of no consequence but for bars of length zero, which are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ganwalk.compiled import entry, jit

# An event is one entry of a matrix: (i << 18) + (j << 4) + its kind.
MAX_POINTS = 1 << 14
_VERTEX = np.uint32(MAX_POINTS - 1)
_KIND = np.uint32(7)
_SMALLER_W, _SMALLER_V, _LARGER_W, _LARGER_V, _EQUAL = range(5)

# What an event does to the pair: nothing, the birth of an edge with K < L, that of an edge with K = L, a cone.
_NOTHING, _BIRTH, _ZERO_BIRTH, _CONE = range(4)

# By term (mode, swapped): the effect of each kind of event, and the matrix (0: w, 1: v) of an entry that is in both.
_EFFECTS = {
    ("min", False): (np.array([_ZERO_BIRTH, _BIRTH, _CONE, _NOTHING, _ZERO_BIRTH], np.int8), 0),
    ("max", False): (np.array([_NOTHING, _BIRTH, _CONE, _ZERO_BIRTH, _ZERO_BIRTH], np.int8), 1),
    ("min", True): (np.array([_BIRTH, _ZERO_BIRTH, _NOTHING, _CONE, _ZERO_BIRTH], np.int8), 1),
    ("max", True): (np.array([_BIRTH, _NOTHING, _ZERO_BIRTH, _CONE, _ZERO_BIRTH], np.int8), 0),
    ("symmetric", False): (np.array([_BIRTH, _BIRTH, _CONE, _CONE, _ZERO_BIRTH], np.int8), 0),
    ("symmetric", True): (np.array([_BIRTH, _BIRTH, _CONE, _CONE, _ZERO_BIRTH], np.int8), 1),
}

_ONE, _ZERO = np.uint64(1), np.uint64(0)
# Where the only bit of a word stands, by the word modulo 67 (2 is a primitive root of it).
_POSITIONS = np.zeros(67, np.int64)
for _bit in range(64):
    _POSITIONS[pow(2, _bit, 67)] = _bit


@jit
def _sort(keys, values):
    """`keys` in order, and `values` in the same order: radix sort, least significant digit first."""
    n = keys.size
    low, high = keys[0], keys[0]
    for key in keys:
        low, high = min(low, key), max(high, key)
    spread = np.uint64(high) - np.uint64(low)
    bits = 0
    while bits < 64 and spread >> np.uint64(bits) > _ZERO:
        bits += 1
    passes = (bits + 10) // 11
    if passes == 0:
        return keys, values
    width = (bits + passes - 1) // passes
    mask = (_ONE << np.uint64(width)) - _ONE
    other_keys, other_values = np.empty_like(keys), np.empty_like(values)
    counts = np.empty((1 << width) + 1, np.int64)
    for step in range(passes):
        shift = np.uint64(step * width)
        counts[:] = 0
        for i in range(n):
            counts[np.int64(((np.uint64(keys[i]) - np.uint64(low)) >> shift) & mask) + 1] += 1
        for digit in range(1 << width):
            counts[digit + 1] += counts[digit]
        for i in range(n):
            digit = np.int64(((np.uint64(keys[i]) - np.uint64(low)) >> shift) & mask)
            at = counts[digit]
            counts[digit] = at + 1
            other_keys[at] = keys[i]
            other_values[at] = values[i]
        keys, other_keys = other_keys, keys
        values, other_values = other_values, values
    return keys, values


@entry
def _events(w, v):
    """Entries that matter, by rising value, and the rank of each one's value; w and v are integers in its order."""
    n = w.shape[0]
    limit = w[0, 0]
    for i in range(n):
        farthest = w[0, 0]
        for j in range(n):
            farthest = max(farthest, w[i, j], v[i, j])
        limit = farthest if i == 0 else min(limit, farthest)
    # Written without branches: the place is taken only if the entry is kept.
    keys = np.empty(n * (n - 1) + 2, w.dtype)
    events = np.empty(keys.size, np.uint32)
    size = 0
    for i in range(n):
        for j in range(i + 1, n):
            a, b = w[i, j], v[i, j]
            pair = (i << 18) + (j << 4)
            keys[size] = a
            events[size] = pair + (_EQUAL if a == b else _LARGER_W if a > b else _SMALLER_W)
            size += a <= limit
            keys[size] = b
            events[size] = pair + (_LARGER_V if b > a else _SMALLER_V)
            size += (b <= limit) & (a != b)
    keys, events = _sort(keys[:size], events[:size])
    ranks = np.empty(size, np.int32)
    rank = 0
    for k in range(size):
        if k > 0 and keys[k] != keys[k - 1]:
            rank += 1
        ranks[k] = rank
    return events, ranks


@jit
def _lowest(word):
    """Position of the lowest bit of a word that is not zero."""
    return _POSITIONS[(word & (~word + _ONE)) % np.uint64(67)]


@jit
def _flip(bits, i, j):
    bits[i, j >> 6] ^= _ONE << np.uint64(j & 63)
    bits[j, i >> 6] ^= _ONE << np.uint64(i & 63)


@jit
def _has(bits, i, j):
    return (bits[i, j >> 6] >> np.uint64(j & 63)) & _ONE != _ZERO


@jit
def _add(total, nonzero, slot, remainders, i, j):
    """Adds ψ(ij) to a vector."""
    if _has(nonzero, i, j):
        row = remainders[slot[i, j]]
        for k in range(total.size):
            total[k] ^= row[k]


@jit
def _any(vector):
    union = _ZERO
    for word in vector:
        union |= word
    return union != _ZERO


@jit
def _youngest(relation, class_event):
    """The bit of a relation, which is not zero, whose class was born last."""
    youngest = -1
    for plane in range(relation.size):
        word = relation[plane]
        while word != _ZERO:
            bit = plane * 64 + _lowest(word)
            if youngest < 0 or class_event[bit] > class_event[youngest]:
                youngest = bit
            word &= word - _ONE
    return youngest


@jit
def _kill(relation, event, ranks, class_event, potential, remainders, owners, n_rows, slot, nonzero, hot, bars, n_bars):
    """Kills the youngest class of a relation at an event; returns its bit and the new numbers of rows and bars."""
    bit = _youngest(relation, class_event)
    if ranks[event] > ranks[class_event[bit]]:
        bars[n_bars, 0], bars[n_bars, 1] = class_event[bit], event
        n_bars += 1
    plane, mask = bit >> 6, _ONE << np.uint64(bit & 63)
    for i in range(potential.shape[0]):
        if potential[i, plane] & mask != _ZERO:
            for k in range(relation.size):
                potential[i, k] ^= relation[k]
    row = 0
    while row < n_rows:
        if remainders[row, plane] & mask != _ZERO:
            for k in range(relation.size):
                remainders[row, k] ^= relation[k]
            if not _any(remainders[row]):
                # The last row moves into the place of the one that is gone.
                i, j = owners[row, 0], owners[row, 1]
                _flip(nonzero, i, j)
                hot[i] -= 1
                hot[j] -= 1
                n_rows -= 1
                if row < n_rows:
                    remainders[row] = remainders[n_rows]
                    i, j = owners[n_rows, 0], owners[n_rows, 1]
                    owners[row, 0], owners[row, 1] = i, j
                    slot[i, j] = slot[j, i] = row
                continue
        row += 1
    return bit, n_rows, n_bars


@jit
def _wider(table):
    """A table of vectors with twice as many words."""
    wider = np.zeros((table.shape[0], 2 * table.shape[1]), np.uint64)
    wider[:, : table.shape[1]] = table
    return wider


@jit
def _advance(event, events, effects, born, degree, nonzero, hot, potential, has_center):
    """Carries out events as long as no class is born or dies and no remainder is in sight; the first other event.

    Nearly all events end here. (A loop of its own because arrays that are replaced cost numba a count of references in
    every iteration.)
    """
    full = born.shape[0] - 2
    for at in range(event, events.size):
        effect = effects[events[at] & _KIND]
        if effect == _NOTHING or (has_center and effect == _BIRTH):
            continue
        i = np.int64(events[at] >> np.uint32(18))
        j = np.int64((events[at] >> np.uint32(4)) & _VERTEX)
        if effect != _BIRTH:
            different = _ZERO
            for k in range(potential.shape[1]):
                different |= potential[i, k] ^ potential[j, k]
            if different != _ZERO or _has(nonzero, i, j):
                return at
        if effect != _CONE and not has_center:
            if hot[i] + hot[j] > 0 or degree[i] == full or degree[j] == full:
                return at
            linked = False
            for word in range(born.shape[1]):
                if born[i, word] & born[j, word] != _ZERO:
                    linked = True
                    break
            if not linked:
                return at
            _flip(born, i, j)
            degree[i] += 1
            degree[j] += 1
    return events.size


@jit
def _sweep(n, events, ranks, effects):
    """Bars (k, 2) of one term: the events of birth and of death."""
    words = (n + 63) // 64
    planes = 1
    born = np.zeros((n, words), np.uint64)
    degree = np.zeros(n, np.int64)
    component = np.arange(n)
    potential = np.zeros((n, planes), np.uint64)
    # The remainders that are not zero are rows of a table: `owners` are their edges, `slot` leads back from an edge.
    remainders = np.zeros((64, planes), np.uint64)
    owners = np.empty((64, 2), np.int64)
    n_rows = 0
    slot = np.empty((n, n), np.int32)
    nonzero = np.zeros((n, words), np.uint64)
    hot = np.zeros(n, np.int64)
    relation = np.zeros(planes, np.uint64)
    common = np.zeros(words, np.uint64)
    class_event = np.zeros(64 * planes, np.int64)
    free = np.arange(64 * planes)[::-1].copy()
    n_free = free.size
    bars = np.empty((64, 2), np.int64)
    n_bars = 0
    has_center = False

    event = np.int64(-1)
    while True:
        event = _advance(event + 1, events, effects, born, degree, nonzero, hot, potential, has_center)
        if event == events.size:
            break
        effect = effects[events[event] & _KIND]
        i = np.int64(events[event] >> np.uint32(18))
        j = np.int64((events[event] >> np.uint32(4)) & _VERTEX)
        if bars.shape[0] < n_bars + n + 1:
            longer = np.empty((2 * (n_bars + n + 1), 2), np.int64)
            longer[:n_bars] = bars[:n_bars]
            bars = longer

        linked = False
        remainder = False
        if effect != _CONE and not has_center:
            source, plain = np.int64(-1), False
            for word in range(words):
                common[word] = born[i, word] & born[j, word]
                if common[word] != _ZERO and not plain:
                    # Best a triangle whose other sides have no remainder: nor has this edge then.
                    plain = common[word] & ~(nonzero[i, word] | nonzero[j, word]) != _ZERO
                    source = word * 64 + _lowest(common[word])
            linked = source >= 0
            if linked and not plain:
                relation[:] = _ZERO
                _add(relation, nonzero, slot, remainders, i, source)
                _add(relation, nonzero, slot, remainders, j, source)
                remainder = _any(relation)
            _flip(born, i, j)
            degree[i] += 1
            degree[j] += 1

            if not linked:
                joins = component[i] != component[j]
                relation[:] = _ZERO
                if effect == _BIRTH:
                    if n_free == 0:
                        potential, remainders = _wider(potential), _wider(remainders)
                        free = np.arange(64 * planes, 128 * planes)[::-1].copy()
                        n_free = free.size
                        free = np.concatenate((free, np.empty(64 * planes, np.int64)))
                        class_event = np.concatenate((class_event, np.zeros(64 * planes, np.int64)))
                        planes *= 2
                        relation = np.zeros(planes, np.uint64)
                    # The class is that of e + φ(i) + φ(j): as young as e, and written with one bit.
                    n_free -= 1
                    bit = free[n_free]
                    class_event[bit] = event
                    relation[bit >> 6] = _ONE << np.uint64(bit & 63)
                else:
                    for k in range(planes):
                        relation[k] = potential[i, k] ^ potential[j, k]
                if joins:
                    old, new = component[j], component[i]
                    for c in range(n):
                        if component[c] == old:
                            component[c] = new
                            for k in range(planes):
                                potential[c, k] ^= relation[k]
                else:
                    remainder = _any(relation)
            if remainder:
                if n_rows == remainders.shape[0]:
                    remainders = np.concatenate((remainders, np.zeros_like(remainders)))
                    owners = np.concatenate((owners, np.empty_like(owners)))
                remainders[n_rows] = relation
                owners[n_rows, 0], owners[n_rows, 1] = i, j
                slot[i, j] = slot[j, i] = n_rows
                n_rows += 1
                _flip(nonzero, i, j)
                hot[i] += 1
                hot[j] += 1

            if linked:
                for word in range(words):
                    rest = common[word]
                    if not remainder:
                        rest &= nonzero[i, word] | nonzero[j, word]
                    while rest != _ZERO:
                        c = word * 64 + _lowest(rest)
                        rest &= rest - _ONE
                        relation[:] = _ZERO
                        _add(relation, nonzero, slot, remainders, i, j)
                        _add(relation, nonzero, slot, remainders, i, c)
                        _add(relation, nonzero, slot, remainders, j, c)
                        if _any(relation):
                            bit, n_rows, n_bars = _kill(
                                relation, event, ranks, class_event, potential, remainders, owners, n_rows, slot,
                                nonzero, hot, bars, n_bars,
                            )  # fmt: skip
                            free[n_free] = bit
                            n_free += 1

        # A cone, or an edge that is zero from the start; that of an edge without a common neighbour holds already.
        if effect == _CONE or (effect == _ZERO_BIRTH and (linked or has_center)):
            different = False
            for k in range(planes):
                relation[k] = potential[i, k] ^ potential[j, k]
                different |= relation[k] != _ZERO
            if n_rows > 0 and _has(nonzero, i, j):
                _add(relation, nonzero, slot, remainders, i, j)
                different = _any(relation)
            if different:
                bit, n_rows, n_bars = _kill(
                    relation, event, ranks, class_event, potential, remainders, owners, n_rows, slot, nonzero, hot,
                    bars, n_bars,
                )  # fmt: skip
                free[n_free] = bit
                n_free += 1

        if not has_center and (degree[i] == n - 1 or degree[j] == n - 1):
            has_center = True
            center = i if degree[i] == n - 1 else j
            for row in range(n_rows):
                if owners[row, 0] == center or owners[row, 1] == center:
                    c = owners[row, 0] + owners[row, 1] - center
                    for k in range(planes):
                        potential[c, k] ^= remainders[row, k]
            n_rows = 0
            nonzero[:] = _ZERO
        if has_center and n_free == 64 * planes:
            break
    return bars[:n_bars]


@entry
def _positions(n, events, ranks, effects, which_if_equal):
    """Flat positions (2, k) in the stacked (w, v) of the births and the deaths of several terms, and where each ends.

    Args:
        effects, which_if_equal: (terms, kinds) and (terms,), rows of `_EFFECTS`.
    """
    ends = np.empty(effects.shape[0], np.int64)
    positions = np.empty((2, 8 * n), np.int64)
    size = 0
    for term in range(effects.shape[0]):
        bars = _sweep(n, events, ranks, effects[term])
        if positions.shape[1] < size + bars.shape[0]:
            longer = np.empty((2, 2 * (size + bars.shape[0])), np.int64)
            longer[:, :size] = positions[:, :size]
            positions = longer
        for bar in range(bars.shape[0]):
            for end in range(2):
                event = events[bars[bar, end]]
                kind = event & _KIND
                which = np.int64(kind & np.uint32(1)) if kind != _EQUAL else which_if_equal[term]
                i, j = np.int64(event >> np.uint32(18)), np.int64((event >> np.uint32(4)) & _VERTEX)
                positions[end, size] = (which * n + i) * n + j
            size += 1
        ends[term] = size
    return positions[:, :size], ends


Events = tuple[int, np.ndarray, np.ndarray]


def check_points(n: int) -> None:
    """Raises ValueError if there are more points than the engine can number."""
    if n > MAX_POINTS:
        raise ValueError(f"RTD takes at most {MAX_POINTS} points, not {n}: draw a sample of them")


def sorted_events(w: np.ndarray, v: np.ndarray) -> Events:
    """What all terms of a pair share: the number of points, the entries of w and v in order, the ranks of their values.

    Args:
        w, v: (n, n) float32 or float64 matrices of one type, symmetric, finite, not negative, C-contiguous.
    Raises:
        ValueError: there are more points than the engine can number.
    """
    n = len(w)
    check_points(n)
    if n < 2:
        return n, np.empty(0, np.uint32), np.empty(0, np.int32)
    unsigned = np.uint32 if w.dtype == np.float32 else np.uint64
    # The bits of non-negative floats are ordered as their values; adding zero turns -0.0, whose bits are not, into 0.0.
    zero = w.dtype.type(0)
    return n, *_events((w + zero).view(unsigned), (v + zero).view(unsigned))


def terms_positions(events: Events, kinds: Sequence[tuple[str, bool]]) -> list[np.ndarray]:
    """Bars of H₁(K, L) of several terms of a pair.

    K = min(w, v), L = w (mode "min"); K = v, L = max(w, v) (mode "max"); or K = min(w, v), L = max(w, v) ("symmetric").

    Args:
        events: of `sorted_events(w, v)`.
        kinds: (mode, swapped) of each term; swapped exchanges the roles of w and v.
    Returns:
        Of each term (2, bars) int64: the entries of births and of deaths, as flat positions in the stacked matrices
        (w, v), above the diagonal. Bars of length zero are left out.
    """
    effects, which_if_equal = _rows(tuple(kinds))
    positions, ends = _positions(*events, effects, which_if_equal)
    return np.split(positions, ends[:-1], axis=1)


@cache
def _rows(kinds: tuple[tuple[str, bool], ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([_EFFECTS[kind][0] for kind in kinds]), np.array([_EFFECTS[kind][1] for kind in kinds], np.int64)
