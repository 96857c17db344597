"""From distance matrices to divergences and their gradients: what arrays and tensors share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np

from ganwalk.compute.compiled import entry
from ganwalk.rtd.edges import EntryQuantile, locate_quantile, sorted_edges
from ganwalk.rtd.lite import lite_positions
from ganwalk.rtd.reference import reference_positions
from ganwalk.rtd.relative import terms_positions
from ganwalk.rtd.settings import Settings

_T = TypeVar("_T")
_R = TypeVar("_R")
# Handing a barcode of few points to another thread takes longer than computing it; so do few barcodes.
_SERIAL_POINTS, _SERIAL_PAIRS = 96, 8

Kinds = Sequence[tuple[str, bool]]
# The entries of births and of deaths (2, k) of the bars of several terms, as `relative.terms_positions` gives them; and
# where those of each term end.
Bars = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class _Side:
    """A distance matrix (n, n) of a pair, and the quantile that it is divided by; None if it is taken as it is."""

    matrix: np.ndarray
    quantile: EntryQuantile | None

    @property
    def scale(self) -> float:
        return 1.0 if self.quantile is None else self.quantile.value

    @property
    def divisor(self) -> np.floating:
        """The scale in the type of the matrix, in which it is divided."""
        return self.matrix.dtype.type(self.scale)

    @property
    def scaled(self) -> np.ndarray:
        return self.matrix if self.quantile is None else self.matrix / self.divisor


def divergences(
    arrays: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]], settings: Settings, *, gradients: bool
) -> tuple[list[float], list[np.ndarray]]:
    """Divergences of pairs of distance matrices.

    Args:
        arrays: (n, n), float32 or float64, as `checked_distances` returns them.
        pairs: places of w and v among them.
        gradients: whether these are wanted.
    Returns:
        The values; and of every pair, one after another, the gradients by w and by v: (n, n) float64, above the
        diagonal. Without `gradients`, none.
    """
    threads = settings.threads or _cores()
    if len(pairs) < _SERIAL_PAIRS and all(len(array) <= _SERIAL_POINTS for array in arrays):
        threads = 1
    swept, q = settings.engine == "relative" and not settings.lite, settings.normalize
    edges = mapped(sorted_edges, arrays, threads) if swept or q is not None else []
    quantiles = [None] * len(arrays) if q is None else [locate_quantile(each, q, settings.over) for each in edges]
    sides = [_Side(array, quantile) for array, quantile in zip(arrays, quantiles, strict=True)]
    # Fewer pairs than threads share the work of their terms.
    kinds = settings.kinds
    size = min(len(kinds), -(-len(kinds) * len(pairs) // threads)) if swept else len(kinds)
    tasks = [(w, v, kinds[k : k + size]) for w, v in pairs for k in range(0, len(kinds), size)]

    def bars_of(task: tuple[int, int, Kinds]) -> Bars:
        w, v, some = task
        if swept:
            return terms_positions(edges[w], sides[w].divisor, edges[v], sides[v].divisor, some)
        return bar_positions(sides[w].scaled, sides[v].scaled, some, engine=settings.engine, lite=settings.lite)

    parts = mapped(bars_of, tasks, threads)
    groups = len(tasks) // len(pairs)

    def divergence_of(place: int) -> tuple[float, list[np.ndarray]]:
        w, v = pairs[place]
        bars = _joined(parts[place * groups : (place + 1) * groups])
        return _divergence(sides[w], sides[v], bars, settings, gradients=gradients)

    found = mapped(divergence_of, range(len(pairs)), threads)
    return [value for value, _ in found], [gradient for _, both in found for gradient in both]


def bar_positions(w: np.ndarray, v: np.ndarray, kinds: Kinds, *, engine: str, lite: bool) -> Bars:
    """Bars of several terms of a pair of matrices (n, n)."""
    if engine == "relative" and not lite:
        return terms_positions(sorted_edges(w), w.dtype.type(1), sorted_edges(v), v.dtype.type(1), kinds)
    dtype = np.result_type(w, v)
    w, v = w.astype(dtype, copy=False), v.astype(dtype, copy=False)
    terms = lite_positions(w, v, kinds) if lite else [reference_positions(w, v, *kind) for kind in kinds]
    return np.concatenate(terms, axis=1), np.cumsum([term.shape[1] for term in terms])


def _joined(parts: Sequence[Bars]) -> Bars:
    """Bars of several groups of terms, one after another."""
    if len(parts) == 1:
        return parts[0]
    before = np.cumsum([0] + [positions.shape[1] for positions, _ in parts])
    ends = [ends + start for (_, ends), start in zip(parts, before, strict=False)]
    return np.concatenate([positions for positions, _ in parts], axis=1), np.concatenate(ends)


def _divergence(
    w: _Side, v: _Side, bars: Bars, settings: Settings, *, gradients: bool
) -> tuple[float, list[np.ndarray]]:
    """The divergence and, if they are wanted, its gradients by both matrices before they are divided."""
    shape = w.matrix.shape if gradients else (0, 0)
    by_w, by_v = np.zeros(shape), np.zeros(shape)
    of_w, of_v = (w.matrix, w.divisor, 1 / w.scale, by_w), (v.matrix, v.divisor, 1 / v.scale, by_v)
    positions = _chosen(w, v, bars, settings)
    total, w_stretch, v_stretch = _add_up(positions, *of_w, *of_v, float(settings.p), settings.share, gradients)
    if not gradients:
        return total, []
    if settings.scale_gradient == "exact":
        for side, gradient, stretch in ((w, by_w, w_stretch), (v, by_v, v_stretch)):
            if side.quantile is not None:
                # Σ slope · entry / scale falls as the scale grows.
                for at, weight in zip(side.quantile.positions, side.quantile.weights, strict=True):
                    gradient.ravel()[at] -= weight * stretch / side.scale
    return total, [by_w, by_v]


@entry
def _add_up(positions, w, w_scale, w_rate, w_gradient, v, v_scale, v_rate, v_gradient, p, share, slopes):
    """The sum of the lengths of bars to the power p; and Σ slope · entry of w and of v.

    Args:
        w_scale, w_rate: what w is divided by, of its type, and the inverse in double precision.
        w_gradient: (n, n), to which slopes are added.
        slopes: whether they are wanted.
    """
    n = w.shape[0]
    total = w_stretch = v_stretch = 0.0
    ends = np.empty(2)
    for bar in range(positions.shape[1]):
        for end in range(2):
            row, j = positions[end, bar] // n, positions[end, bar] % n
            ends[end] = w[row, j] / w_scale if row < n else v[row - n, j] / v_scale
        length = ends[1] - ends[0]
        total += length if p == 1 else length**p
        if slopes:
            slope = -share if p == 1 else -share * p * length ** (p - 1)
            for end in range(2):
                row, j = positions[end, bar] // n, positions[end, bar] % n
                if row < n:
                    w_gradient[row, j] += slope * w_rate
                    w_stretch += slope * ends[end]
                else:
                    v_gradient[row - n, j] += slope * v_rate
                    v_stretch += slope * ends[end]
                slope = -slope
    return share * total, w_stretch, v_stretch


def _chosen(w: _Side, v: _Side, bars: Bars, settings: Settings) -> np.ndarray:
    """The bars (2, k) of all terms that count."""
    positions, ends = bars
    if settings.card is None and settings.ends == "exact":
        return positions
    terms = np.split(positions, ends[:-1], axis=1)
    of_w, of_v = (side.scaled.ravel() for side in (w, v))
    if settings.card is not None:
        flat = np.concatenate((of_w, of_v))
        terms = [_longest(term, flat, settings.card) for term in terms]
    if settings.ends == "immovable":
        terms = [
            _immovable(term, of_w < of_v) if mode == "min" else term
            for term, (mode, _) in zip(terms, settings.kinds, strict=True)
        ]
    return np.concatenate(terms, axis=1)


def _longest(term: np.ndarray, flat: np.ndarray, card: int) -> np.ndarray:
    """The `card` longest bars of a term."""
    if term.shape[1] <= card:
        return term
    births, deaths = flat[term]
    return term[:, np.argsort(births - deaths, kind="stable")[:card]]


def _immovable(term: np.ndarray, smaller: np.ndarray) -> np.ndarray:
    """A min term with the deaths at entries of min(w, v) moved from w to v, as in the authors' code.

    There a death is read from the second cloud wherever the reduction found it at the minimum. Where w is smaller the
    minimum's entry in the term P→Q is L's too: it counts as the minimum's.

    Args:
        smaller: (n²,) whether w is smaller.
    """
    births, deaths = term
    return np.stack(
        (births, deaths + np.where(smaller[deaths % smaller.size] & (deaths < smaller.size), smaller.size, 0))
    )


def mapped(function: Callable[[_T], _R], items: Iterable[_T], threads: int) -> list[_R]:
    """A function of each of several items, by several threads, each of which takes its items one after another."""
    items = list(items)
    threads = min(threads, len(items))
    if threads <= 1:
        return [function(item) for item in items]
    size = -(-len(items) // (4 * threads))
    parts = [items[k : k + size] for k in range(0, len(items), size)]
    return [each for part in _pool(threads).map(lambda part: [function(item) for item in part], parts) for each in part]


@cache
def _cores() -> int:
    return os.cpu_count() or 1


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """One pool for each number of threads: starting threads costs more than a small barcode."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rtd")


# A forked process has the pools, and none of their threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
