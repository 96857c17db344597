"""From distance matrices to divergences and their gradients, in numpy: what arrays and tensors share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np

from ganwalk.rtd.distances import EntryQuantile, locate_quantile
from ganwalk.rtd.lite import lite_positions
from ganwalk.rtd.reference import reference_positions
from ganwalk.rtd.relative import sorted_events, terms_positions
from ganwalk.rtd.settings import Settings

_T = TypeVar("_T")
_R = TypeVar("_R")
# Handing a barcode of few points to another thread takes longer than computing it; so do few barcodes.
_SERIAL_POINTS, _SERIAL_PAIRS = 96, 8

Kinds = Sequence[tuple[str, bool]]
# Places and slopes of entries of one matrix, and Σ slope · entry.
_Side = tuple[np.ndarray, np.ndarray, float]


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
    scales = [
        None if settings.normalize is None else locate_quantile(a, settings.normalize, settings.over) for a in arrays
    ]
    scaled = [
        array if scale is None else array / array.dtype.type(scale.value)
        for array, scale in zip(arrays, scales, strict=True)
    ]
    values: list[float] = []
    found: list[np.ndarray] = []
    for pair, positions in zip(pairs, _positions(scaled, pairs, settings), strict=True):
        value, sides = _value_and_slopes(scaled[pair[0]], scaled[pair[1]], positions, settings)
        values.append(value)
        if gradients:
            found += [
                _gradient(side, arrays[k].shape, scales[k], settings) for k, side in zip(pair, sides, strict=True)
            ]
    return values, found


def bar_positions(w: np.ndarray, v: np.ndarray, kinds: Kinds, *, engine: str, lite: bool) -> list[np.ndarray]:
    """Bars of several terms of one pair, as `relative.terms_positions` gives them; what terms share is done once."""
    if lite:
        return lite_positions(w, v, kinds)
    if engine == "relative":
        return terms_positions(sorted_events(w, v), kinds)
    return [reference_positions(w, v, *kind) for kind in kinds]


def _positions(
    arrays: Sequence[np.ndarray], pairs: Sequence[tuple[int, int]], settings: Settings
) -> Iterable[list[np.ndarray]]:
    """Bars of the terms of each pair."""
    kinds = settings.kinds
    threads = settings.threads or os.cpu_count() or 1

    def of_pair(pair: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        w, v = (arrays[k] for k in pair)
        return (w, v) if w.dtype == v.dtype else (w.astype(np.float64), v.astype(np.float64))

    def all_terms(pair: tuple[int, int]) -> list[np.ndarray]:
        return bar_positions(*of_pair(pair), kinds, engine=settings.engine, lite=settings.lite)

    if len(pairs) < _SERIAL_PAIRS and all(len(array) <= _SERIAL_POINTS for array in arrays):
        threads = 1
    if len(pairs) >= threads or settings.engine != "relative" or settings.lite:
        return mapped(all_terms, pairs, threads)
    # Fewer pairs than threads share the work of their terms.
    events = mapped(lambda pair: sorted_events(*of_pair(pair)), pairs, threads)
    tasks = [(each, kind) for each in events for kind in kinds]
    found = mapped(lambda task: terms_positions(task[0], [task[1]])[0], tasks, threads)
    return [found[k : k + len(kinds)] for k in range(0, len(found), len(kinds))]


def _value_and_slopes(
    w: np.ndarray, v: np.ndarray, terms: list[np.ndarray], settings: Settings
) -> tuple[float, list[_Side]]:
    """The divergence; and for each matrix the positions and slopes of its entries, and Σ slope · entry."""
    flat = np.concatenate((w.ravel(), v.ravel()))
    if settings.card is not None:
        terms = [_longest(term, flat, settings.card) for term in terms]
    if settings.ends == "immovable":
        terms = [
            _immovable(term, w, v) if mode == "min" else term
            for term, (mode, _) in zip(terms, settings.kinds, strict=True)
        ]
    positions = np.concatenate(terms, axis=1)
    births, deaths = flat[positions].astype(np.float64)
    lengths = deaths - births
    p, share = settings.p, settings.share
    slopes = np.full(len(lengths), share) if p == 1 else share * p * lengths ** (p - 1)
    value = share * float((lengths if p == 1 else lengths**p).sum())
    positions = positions.ravel()
    coefficients = np.concatenate((-slopes, slopes))
    of_v = positions >= w.size
    sides = []
    for mine, offset, matrix in ((~of_v, 0, w), (of_v, w.size, v)):
        at, slope = positions[mine] - offset, coefficients[mine]
        sides.append((at, slope, float(np.dot(slope, matrix.ravel()[at]))))
    return value, sides


def _immovable(term: np.ndarray, w: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Positions of a min term with the deaths at entries of min(w, v) moved from w to v, as in the authors' code.

    There a death is read from the second cloud wherever the reduction found it at the minimum. Where w is smaller the
    minimum's entry in the term P→Q is L's too: it counts as the minimum's.
    """
    births, deaths = term
    in_w = deaths < w.size
    smaller = np.zeros(len(deaths), bool)
    smaller[in_w] = (w.ravel() < v.ravel())[deaths[in_w]]
    return np.stack((births, np.where(smaller, deaths + w.size, deaths)))


def _gradient(side: _Side, shape: tuple[int, ...], scale: EntryQuantile | None, settings: Settings) -> np.ndarray:
    """The gradient (n, n) by the distances before they were divided by their scale."""
    positions, slopes, stretch = side
    gradient = np.zeros(shape[0] * shape[1])
    np.add.at(gradient, positions, slopes if scale is None else 1 / scale.value * slopes)
    if scale is not None and settings.scale_gradient == "exact":
        # Σ slope · entry / scale falls as the scale grows.
        np.add.at(gradient, list(scale.positions), -stretch / scale.value * np.array(scale.weights))
    return gradient.reshape(shape)


def _longest(term: np.ndarray, flat: np.ndarray, card: int) -> np.ndarray:
    """The `card` longest bars of a term."""
    if term.shape[1] <= card:
        return term
    births, deaths = flat[term]
    return term[:, np.argsort(births - deaths, kind="stable")[:card]]


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
def _pool(threads: int) -> ThreadPoolExecutor:
    """One pool for each number of threads: starting threads costs more than a small barcode."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rtd")
