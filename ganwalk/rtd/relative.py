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

Once any two vertices have a common neighbour in K, or are joined, and no remainder is left, no class is born any more,
and only cones are left. Once no class lives either, the rest of the filtration is empty. That is so at the latest at
the smallest α at which one vertex is joined to all others in both matrices. The orders of both are merged as far as the
sweeps ask for events, and serve all four terms of the symmetric divergence.

The order of equal values is of no consequence but for bars of length zero, which are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from ganwalk.compute.compiled import entry, jit
from ganwalk.rtd.edges import COLUMN, MAX_POINTS, ROW, Edges

# An event is one entry of a matrix: its edge and its kind.
_ROW, _COLUMN, _VERTEX = np.uint32(ROW), np.uint32(COLUMN), np.uint32(MAX_POINTS - 1)
_KIND = np.uint32(7)
_SMALLER_W, _SMALLER_V, _LARGER_W, _LARGER_V, _EQUAL = range(5)
# By the matrix it is from (0: v, 1: w) and which of both has the smaller one (0: w, 1: v, or they are the same).
_SAME = 2
_KINDS = np.array([[_LARGER_V, _SMALLER_V, _EQUAL], [_SMALLER_W, _LARGER_W, _EQUAL]], np.uint32)

# What an event does to the pair, as bits: an edge is born, and it is zero from here on. Both: an edge with K = L.
_NOTHING, _BIRTH, _CONE, _ZERO_BIRTH = (np.uint64(bits) for bits in range(4))

# By term (mode, swapped): the effect of each kind of event, and the matrix (0: w, 1: v) of an entry that is in both.
_EFFECTS = {
    ("min", False): (np.array([_ZERO_BIRTH, _BIRTH, _CONE, _NOTHING, _ZERO_BIRTH], np.uint64), 0),
    ("max", False): (np.array([_NOTHING, _BIRTH, _CONE, _ZERO_BIRTH, _ZERO_BIRTH], np.uint64), 1),
    ("min", True): (np.array([_BIRTH, _ZERO_BIRTH, _NOTHING, _CONE, _ZERO_BIRTH], np.uint64), 1),
    ("max", True): (np.array([_BIRTH, _NOTHING, _ZERO_BIRTH, _CONE, _ZERO_BIRTH], np.uint64), 0),
    ("symmetric", False): (np.array([_BIRTH, _BIRTH, _CONE, _CONE, _ZERO_BIRTH], np.uint64), 0),
    ("symmetric", True): (np.array([_BIRTH, _BIRTH, _CONE, _CONE, _ZERO_BIRTH], np.uint64), 1),
}

_ONE, _ZERO = np.uint64(1), np.uint64(0)
# How many events there are at least between two looks at whether any class can still be born.
_STEP = 64
# Where the only bit of a word stands: the highest six bits of its product with a de Bruijn sequence tell.
_SEQUENCE = np.uint64(0x03F79D71B4CB0A89)
_POSITIONS = np.zeros(64, np.int64)
for _bit in range(64):
    _POSITIONS[((int(_SEQUENCE) << _bit) % 2**64) >> 58] = _bit


@entry
def _compare(w, w_lengths, w_farthest, w_scale, w_values, v, v_lengths, v_farthest, v_scale, v_values, order):
    """Divides lengths, each in its own type, and writes which entry of both is smaller, above the diagonal.

    Returns:
        The value after which nothing happens.
    """
    n = w.shape[0]
    for k in range(w_lengths.size):
        w_values[k] = w_lengths[k] / w_scale
        v_values[k] = v_lengths[k] / v_scale
    for i in range(n):
        for j in range(i + 1, n):
            of_w, of_v = w[i, j] / w_scale, v[i, j] / v_scale
            order[i, j] = 0 if of_w < of_v else 1 if of_w > of_v else _SAME
    limit = max(w_farthest[0] / w_scale, v_farthest[0] / v_scale)
    for i in range(1, n):
        limit = min(limit, max(w_farthest[i] / w_scale, v_farthest[i] / v_scale))
    return np.float64(limit)


@jit
def _merge(order, w_names, w_values, v_names, v_values, limit, places, events, values, wanted):
    """Adds events and their values by rising value until there are as many as wanted, or no more to come.

    Args:
        places: the next entries of w and of v, and the number of events.
    """
    at_w, at_v, size = places[0], places[1], places[2]
    while size < wanted:
        # Written without branches: which of both is next is as good as random.
        from_w = w_values[at_w] <= v_values[at_v]
        value = min(w_values[at_w], v_values[at_v])
        if value > limit:
            break
        w_name, v_name = w_names[at_w], v_names[at_v]
        name = w_name if from_w else v_name
        smaller = order[name >> _ROW, (name >> _COLUMN) & _VERTEX]
        events[size] = name | _KINDS[np.int64(from_w), smaller]
        values[size] = value
        # What is in both is there already, as w's.
        size += from_w | (smaller != _SAME)
        at_w += from_w
        at_v += not from_w
    places[0], places[1], places[2] = at_w, at_v, size


@jit
def _lowest(word):
    """Position of the lowest bit of a word that is not zero."""
    return _POSITIONS[((word & (~word + _ONE)) * _SEQUENCE) >> np.uint64(58)]


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
        row = slot[i, j]
        for k in range(total.size):
            total[k] ^= remainders[row, k]


@jit
def _any(vector):
    union = _ZERO
    for word in vector:
        union |= word
    return union != _ZERO


@jit
def _youngest(relation, class_event):
    """The bit of a relation, which is not zero, whose class was born last."""
    youngest, latest = -1, -1
    for plane in range(relation.size):
        word = relation[plane]
        while word != _ZERO:
            bit = _lowest(word)
            if class_event[plane, bit] > latest:
                youngest, latest = plane * 64 + bit, class_event[plane, bit]
            word &= word - _ONE
    return youngest


@jit
def _shift(potential, relation, marks):
    """Adds a relation to the potentials of the vertices that are marked, with all bits of a word."""
    for k in range(relation.size):
        word = relation[k]
        if word != _ZERO:
            for i in range(marks.size):
                potential[k, i] ^= word & marks[i]


@jit
def _kill(
    relation, event, class_event, potential, marks, remainders, owners, n_rows, slot, nonzero, hot, bars, n_bars
):  # fmt: skip
    """Kills the youngest class of a relation at an event; returns its bit and the new numbers of rows and bars."""
    bit = _youngest(relation, class_event)
    bars[n_bars, 0], bars[n_bars, 1] = class_event[bit >> 6, bit & 63], event
    n_bars += 1
    plane, shift = bit >> 6, np.uint64(bit & 63)
    planes, n = potential.shape
    for i in range(n):
        marks[i] = _ZERO - ((potential[plane, i] >> shift) & _ONE)
    _shift(potential, relation, marks)
    row = 0
    while row < n_rows:
        if (remainders[row, plane] >> shift) & _ONE != _ZERO:
            left = _ZERO
            for k in range(planes):
                remainders[row, k] ^= relation[k]
                left |= remainders[row, k]
            if left == _ZERO:
                # The last row moves into the place of the one that is gone.
                i, j = owners[row, 0], owners[row, 1]
                _flip(nonzero, i, j)
                hot[i] -= 1
                hot[j] -= 1
                n_rows -= 1
                if row < n_rows:
                    for k in range(planes):
                        remainders[row, k] = remainders[n_rows, k]
                    i, j = owners[n_rows, 0], owners[n_rows, 1]
                    owners[row, 0], owners[row, 1] = i, j
                    slot[i, j] = slot[j, i] = row
                continue
        row += 1
    return bit, n_rows, n_bars


@jit
def _advance(event, end, events, effects, born, hot, nonzero, potential, planes, closed):
    """Carries out events as long as no class is born or dies and no remainder is in sight; the first other event.

    Nearly all events end here. What they do is mixed as at random: where processors would guess it, often wrongly, all
    of it is computed, and masked. Of potentials only the first planes are looked at.
    """
    last_word = born.shape[1] - 1
    births = _ZERO if closed else _ONE
    for at in range(event, end):
        effect = effects[events[at] & _KIND]
        birth, zero = effect & births, effect >> _ONE
        i = np.int64(events[at] >> _ROW)
        j = np.int64((events[at] >> _COLUMN) & _VERTEX)
        i_bit, j_bit = np.uint64(i & 63), np.uint64(j & 63)
        different = ((nonzero[i, j >> 6] >> j_bit) & _ONE) | (potential[0, i] ^ potential[0, j])
        plane = 1
        while plane < planes:
            different |= potential[plane, i] ^ potential[plane, j]
            plane += 1
        # Without a birth, as if there were a common neighbour.
        common = (born[i, 0] & born[j, 0]) | (birth - _ONE)
        word = 0
        while common == _ZERO and word < last_word:
            word += 1
            common = born[i, word] & born[j, word]
        lost = _ONE if different != _ZERO else _ZERO
        busy = _ONE if hot[i] + hot[j] > 0 or common == _ZERO else _ZERO
        if (zero & lost) | (birth & busy) != _ZERO:
            if zero & lost != _ZERO:
                return at
            # A remainder at one of its ends matters if a common neighbour is at the other.
            linked, marked = _ZERO, _ZERO
            for word in range(last_word + 1):
                common = born[i, word] & born[j, word]
                linked |= common
                marked |= common & (nonzero[i, word] | nonzero[j, word])
            if linked == _ZERO or marked != _ZERO:
                return at
        born[i, j >> 6] ^= birth << j_bit
        born[j, i >> 6] ^= birth << i_bit
    return end


@jit
def _far(born, vertex, reached):
    """The first vertex, from one on and around, that is more than two edges away from another; -1 if there is none."""
    n, words = born.shape
    for step in range(n):
        i = (vertex + step) % n
        for k in range(words):
            reached[k] = born[i, k]
        reached[i >> 6] |= _ONE << np.uint64(i & 63)
        if n & 63 != 0:
            # As if those were reached whose bits stand for no vertex.
            reached[words - 1] |= ~_ZERO << np.uint64(n & 63)
        whole = False
        for word in range(words):
            rest = born[i, word]
            while rest != _ZERO and not whole:
                c = word * 64 + _lowest(rest)
                rest &= rest - _ONE
                every = ~_ZERO
                for k in range(words):
                    reached[k] |= born[c, k]
                    every &= reached[k]
                whole = every == ~_ZERO
        if not whole:
            return i
    return -1


@jit
def _run(
    order, w_names, w_values, v_names, v_values, limit, places, events, values, effects, state, born, hot, component,
    potential, marks, remainders, owners, slot, nonzero, relation, common, class_event, taken, bars,
):  # fmt: skip
    """Carries out events until nothing is left to happen, True, or a table may be too small for the next one, False.

    (A function of its own because arrays that are replaced cost numba a count of references in every iteration.)
    """
    n, words = born.shape
    planes = potential.shape[0]
    event, end, n_rows, n_live, n_bars, far = state[0], state[1], state[2], state[3], state[4], state[5]
    closed = far < 0
    used = planes
    while True:
        if n_live == 64 * planes or n_rows == owners.shape[0] or n_bars + 64 * planes >= bars.shape[0]:
            state[0], state[1], state[2], state[3], state[4], state[5] = event, end, n_rows, n_live, n_bars, far
            return False
        # Classes take the first bits that are free: most planes are soon empty again.
        while used > 1 and taken[used - 1] == _ZERO:
            used -= 1
        event = _advance(event, end, events, effects, born, hot, nonzero, potential, used, closed)
        if event == end:
            if n_rows == 0 and not closed:
                # Where all are that near each other, every edge to come has a common neighbour, and no remainder.
                far = _far(born, far, common)
                closed = far < 0
            if closed and n_live == 0:
                break
            end += _STEP + n * n // _STEP
            if places[2] < end:
                _merge(order, w_names, w_values, v_names, v_values, limit, places, events, values, end)
                end = min(end, places[2])
                if event == end:
                    break
            continue
        effect = effects[events[event] & _KIND]
        i = np.int64(events[event] >> _ROW)
        j = np.int64((events[event] >> _COLUMN) & _VERTEX)

        linked = False
        remainder = False
        if effect & _BIRTH != _ZERO and not closed:
            source, plain = np.int64(-1), False
            for word in range(words):
                common[word] = born[i, word] & born[j, word]
                if common[word] != _ZERO and not plain:
                    # Best a triangle whose other sides have no remainder: nor has this edge then.
                    best = common[word] & ~(nonzero[i, word] | nonzero[j, word])
                    plain = best != _ZERO
                    source = word * 64 + _lowest(common[word])
            linked = source >= 0
            if linked and not plain:
                relation[:] = _ZERO
                _add(relation, nonzero, slot, remainders, i, source)
                _add(relation, nonzero, slot, remainders, j, source)
                remainder = _any(relation)
            _flip(born, i, j)

            if not linked:
                joins = component[i] != component[j]
                if effect == _BIRTH:
                    # The class is that of e + φ(i) + φ(j): as young as e, and written with one bit.
                    plane = 0
                    while taken[plane] == ~_ZERO:
                        plane += 1
                    bit = _lowest(~taken[plane])
                    class_event[plane, bit] = event
                    relation[:] = _ZERO
                    relation[plane] = _ONE << np.uint64(bit)
                    taken[plane] |= relation[plane]
                    used = max(used, plane + 1)
                    n_live += 1
                else:
                    for k in range(planes):
                        relation[k] = potential[k, i] ^ potential[k, j]
                if joins:
                    old, new = component[j], component[i]
                    for c in range(n):
                        marks[c] = ~_ZERO if component[c] == old else _ZERO
                        component[c] = new if component[c] == old else component[c]
                    _shift(potential, relation, marks)
                else:
                    remainder = _any(relation)
            if remainder:
                for k in range(planes):
                    remainders[n_rows, k] = relation[k]
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
                                relation, event, class_event, potential, marks, remainders, owners, n_rows, slot,
                                nonzero, hot, bars, n_bars,
                            )  # fmt: skip
                            taken[bit >> 6] ^= _ONE << np.uint64(bit & 63)
                            n_live -= 1

        # A cone, or an edge that is zero from the start; that of an edge without a common neighbour holds already.
        if effect == _CONE or (effect == _ZERO_BIRTH and (linked or closed)):
            for k in range(planes):
                relation[k] = potential[k, i] ^ potential[k, j]
            _add(relation, nonzero, slot, remainders, i, j)
            if _any(relation):
                bit, n_rows, n_bars = _kill(
                    relation, event, class_event, potential, marks, remainders, owners, n_rows, slot, nonzero, hot,
                    bars, n_bars,
                )  # fmt: skip
                taken[bit >> 6] ^= _ONE << np.uint64(bit & 63)
                n_live -= 1

        if closed and n_live == 0:
            break
        event += 1
    state[4] = n_bars
    return True


@jit
def _sweep(order, w_names, w_values, v_names, v_values, limit, places, events, values, effects):
    """Bars (k, 2) of one term: the events of birth and of death. Events that are not there yet are merged as needed."""
    n = order.shape[0]
    words = (n + 63) // 64
    planes = 1
    born = np.zeros((n, words), np.uint64)
    # Of each vertex the number of edges with a remainder.
    hot = np.zeros(n, np.int64)
    component = np.arange(n)
    potential = np.zeros((planes, n), np.uint64)
    marks = np.empty(n, np.uint64)
    # The remainders that are not zero are rows of a table: `owners` are their edges, `slot` leads back from an edge.
    remainders = np.zeros((64, planes), np.uint64)
    owners = np.empty((64, 2), np.int64)
    slot = np.empty((n, n), np.int32)
    nonzero = np.zeros((n, words), np.uint64)
    common = np.zeros(words, np.uint64)
    class_event = np.zeros((planes, 64), np.int64)
    # The bits of living classes.
    taken = np.zeros(planes, np.uint64)
    bars = np.empty((256, 2), np.int64)
    # The next event, the number of those in sight, of rows, of living classes and of bars; a vertex of `_far`.
    state = np.zeros(6, np.int64)
    while not _run(
        order, w_names, w_values, v_names, v_values, limit, places, events, values, effects, state, born, hot,
        component, potential, marks, remainders, owners, slot, nonzero, np.zeros(planes, np.uint64), common,
        class_event, taken, bars,
    ):  # fmt: skip
        if state[3] == 64 * planes:
            taken = np.zeros(2 * planes, np.uint64)
            taken[:planes] = ~_ZERO
            planes *= 2
            potential = _enlarged(potential, planes, n)
            class_event = _enlarged(class_event, planes, 64)
        rows = 2 * owners.shape[0] if state[2] == owners.shape[0] else owners.shape[0]
        remainders, owners = _enlarged(remainders, rows, planes), _enlarged(owners, rows, 2)
        bars = _enlarged(bars, 2 * bars.shape[0] + 64 * planes, 2)
    return _enlarged(bars, state[4], 2)


@jit
def _enlarged(table, rows, columns):
    """A table of other sizes, with what there is of one, as far as there is room, and zeros."""
    found = np.zeros((rows, columns), table.dtype)
    for i in range(min(rows, table.shape[0])):
        for j in range(min(columns, table.shape[1])):
            found[i, j] = table[i, j]
    return found


@entry
def _positions(order, w_names, w_values, v_names, v_values, limit, effects, which_if_equal):
    """Flat positions (2, k) in the stacked (w, v) of the births and the deaths of several terms, and where each ends.

    Args:
        effects, which_if_equal: (terms, kinds) and (terms,), rows of `_EFFECTS`.
    """
    n = order.shape[0]
    # As many as there may be: few of them are ever written.
    events, values = np.empty(n * (n - 1), np.uint32), np.empty(n * (n - 1))
    places = np.zeros(3, np.int64)
    ends = np.empty(effects.shape[0], np.int64)
    positions = np.empty((2, 8 * n), np.int64)
    size = 0
    for term in range(effects.shape[0]):
        bars = _sweep(order, w_names, w_values, v_names, v_values, limit, places, events, values, effects[term])
        if positions.shape[1] < size + bars.shape[0]:
            positions = _enlarged(positions, 2, 2 * (size + bars.shape[0]))
        for bar in range(bars.shape[0]):
            if values[bars[bar, 0]] == values[bars[bar, 1]]:
                continue
            for end in range(2):
                event = events[bars[bar, end]]
                kind = event & _KIND
                which = np.int64(kind & np.uint32(1)) if kind != _EQUAL else which_if_equal[term]
                i, j = np.int64(event >> _ROW), np.int64((event >> _COLUMN) & _VERTEX)
                positions[end, size] = (which * n + i) * n + j
            size += 1
        ends[term] = size
    return positions[:, :size], ends


def terms_positions(
    w: Edges, w_scale: np.floating, v: Edges, v_scale: np.floating, kinds: Sequence[tuple[str, bool]]
) -> tuple[np.ndarray, np.ndarray]:
    """Bars of H₁(K, L) of several terms of a pair.

    K = min(w, v), L = w (mode "min"); K = v, L = max(w, v) (mode "max"); or K = min(w, v), L = max(w, v) ("symmetric").

    Args:
        w, v: the edges of both matrices (n, n).
        w_scale, v_scale: what these are divided by, of their types.
        kinds: (mode, swapped) of each term; swapped exchanges the roles of w and v.
    Returns:
        (2, bars) int64: the entries of births and of deaths, as flat positions in the stacked matrices (w, v), above
        the diagonal; and (terms,) where the bars of each term end. Bars of length zero are left out.
    """
    effects, which_if_equal = _rows(tuple(kinds))
    if len(w.matrix) < 2:
        return np.empty((2, 0), np.int64), np.zeros(len(kinds), np.int64)
    order = np.empty(w.matrix.shape, np.uint8)
    w_values, v_values = np.empty(len(w.lengths)), np.empty(len(v.lengths))
    of_w = (w.matrix, w.lengths, w.farthest, w_scale, w_values)
    limit = _compare(*of_w, v.matrix, v.lengths, v.farthest, v_scale, v_values, order)
    return _positions(order, w.names, w_values, v.names, v_values, limit, effects, which_if_equal)


@cache
def _rows(kinds: tuple[tuple[str, bool], ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([_EFFECTS[kind][0] for kind in kinds]), np.array([_EFFECTS[kind][1] for kind in kinds], np.int64)
