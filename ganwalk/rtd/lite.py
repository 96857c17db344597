"""The lite variants: bars of spanning trees, in O(n²) and without cycles.

Tulchinskii et al., "RTD-Lite" (AISTATS 2025). The edges of a minimum spanning tree of K are added by rising value. Each
is born with its own value in K, and dies with the smallest value at which L, together with the edges before it, joins
its ends. The deaths are the edges of a minimum spanning tree of L, so that the bars add up to the difference of the
weights of both trees. Bars of length zero are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganwalk.compute.compiled import entry, jit
from ganwalk.rtd.edges import check_points


def lite_positions(w: np.ndarray, v: np.ndarray, kinds: Sequence[tuple[str, bool]]) -> list[np.ndarray]:
    """Bars of several terms of a pair, as `ganwalk.rtd.relative.terms_positions` gives them, with the same K and L.

    Args:
        w, v: (n, n) float32 or float64 matrices of one type, symmetric, finite, not negative.
    """
    check_points(len(w))
    matrices = {"w": w, "v": v}
    for name, combined in (("min", np.minimum), ("max", np.maximum)):
        if any(name in _names(*kind) for kind in kinds):
            matrices[name] = combined(w, v)
    used = {name for kind in kinds for name in _names(*kind)}
    trees = {name: spanning_tree(matrix) for name, matrix in matrices.items() if name in used}
    found = []
    for kind in kinds:
        small, large = _names(*kind)
        deaths = trees[large][_deaths(trees[small], trees[large], matrices[large])]
        ends = []
        for name, edges in ((small, trees[small]), (large, deaths)):
            i, j = edges.T
            ends.append((np.where(_comes_from_v(name, w[i, j], v[i, j]), len(w), 0) + i) * len(w) + j)
        lasting = matrices[small][tuple(trees[small].T)] < matrices[large][tuple(deaths.T)]
        found.append(np.stack(ends)[:, lasting])
    return found


def _names(mode: str, swapped: bool) -> tuple[str, str]:
    """Which matrices K and L are."""
    small = "min" if mode != "max" else "w" if swapped else "v"
    large = "max" if mode != "min" else "v" if swapped else "w"
    return small, large


def _comes_from_v(name: str, of_w: np.ndarray, of_v: np.ndarray) -> np.ndarray:
    """Whether entries of a matrix are those of v rather than those of w."""
    if name in ("w", "v"):
        return np.full(of_w.shape, name == "v")
    return of_v < of_w if name == "min" else of_v > of_w


def spanning_tree(matrix: np.ndarray) -> np.ndarray:
    """Edges (n - 1, 2) of a minimum spanning tree of a distance matrix (n, n), by rising value, i < j."""
    if len(matrix) < 2:
        return np.empty((0, 2), np.int64)
    edges = np.sort(_prim(matrix), axis=1)
    return edges[np.argsort(matrix[tuple(edges.T)], kind="stable")]


@entry
def _prim(matrix):
    """Edges of a minimum spanning tree (Prim, 1957)."""
    n = matrix.shape[0]
    near = matrix[0].copy()
    via = np.zeros(n, np.int64)
    left = np.arange(1, n)
    edges = np.empty((n - 1, 2), np.int64)
    for step in range(n - 1):
        place = 0
        for k in range(1, n - 1 - step):
            if near[left[k]] < near[left[place]]:
                place = k
        new = left[place]
        left[place] = left[n - 2 - step]
        edges[step, 0], edges[step, 1] = via[new], new
        for k in range(n - 2 - step):
            other = left[k]
            if matrix[new, other] < near[other]:
                near[other] = matrix[new, other]
                via[other] = new
    return edges


@entry
def _deaths(births, deaths, large):
    """For each edge of a tree, joined in order, the place of the edge of the other tree that it makes superfluous.

    On the path between the ends of the edge, that is the longest one of the other tree that is left there.
    """
    n = births.shape[0] + 1
    # The tree of deaths, rooted at 0; `edge` is the place of the edge to the parent, -1 of one that was born.
    parent = np.full(n, -1, np.int64)
    edge = np.full(n, -1, np.int64)
    for k in range(n - 1):
        _join(parent, edge, deaths[k, 0], deaths[k, 1], k)
    found = np.empty(n - 1, np.int64)
    for k in range(n - 1):
        i, j = births[k, 0], births[k, 1]
        _root(parent, edge, i)
        longest, at = j, j
        while at != i:
            # Places are by rising value.
            if edge[at] > edge[longest]:
                longest = at
            at = parent[at]
        found[k] = edge[longest]
        parent[longest], edge[longest] = -1, -1
        _join(parent, edge, i, j, -1)
    return found


@jit
def _root(parent, edge, vertex):
    """Makes a vertex the root of its tree."""
    above, above_edge = np.int64(-1), np.int64(-1)
    while vertex >= 0:
        next_vertex, next_edge = parent[vertex], edge[vertex]
        parent[vertex], edge[vertex] = above, above_edge
        above, above_edge, vertex = vertex, next_edge, next_vertex


@jit
def _join(parent, edge, i, j, place):
    """Joins the trees of i and j by an edge."""
    _root(parent, edge, j)
    parent[j], edge[j] = i, place
