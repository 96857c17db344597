"""Representation Topology Divergence as a differentiable loss."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ganwalk.rtd.barcode import check_engine, check_sizes, term_finder
from ganwalk.rtd.choices import ENDS, SCALE_GRADIENTS, Engine
from ganwalk.rtd.distances import EntryQuantile, check_cloud, host_distances, locate_quantile
from ganwalk.rtd.given import as_clouds, as_square, checked_distances, like_given
from ganwalk.rtd.relative import check_points

_T = TypeVar("_T")
_R = TypeVar("_R")
# Handing a barcode of few points to another thread takes longer than computing it.
_SERIAL_POINTS = 96
# All terms of a pair are worth it, where there are pairs enough to go round.
_PARALLEL_PAIRS = 8


def rtd(
    P: Any,
    Q: Any,
    *,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool = True,
    symmetric: bool = True,
    normalize: float | None = 0.9,
    scale_gradient: str = "exact",
    engine: Engine = "relative",
    threads: int | None = None,
) -> Any:
    """RTD of two clouds of points in one-to-one correspondence: a tensor, or a number of arrays; see `RTDLoss`."""
    return RTDLoss(
        p=p,
        card=card,
        minimax=minimax,
        symmetric=symmetric,
        normalize=normalize,
        scale_gradient=scale_gradient,
        engine=engine,
        threads=threads,
    )(P, Q)


def rtd_from_distances(
    w: Any,
    v: Any,
    *,
    p: float = 1.0,
    card: int | None = None,
    minimax: bool = True,
    symmetric: bool = True,
    normalize: float | None = None,
    scale_gradient: str = "exact",
    engine: Engine = "relative",
    threads: int | None = None,
) -> Any:
    """RTD of two (n, n) distance matrices, which by default are taken as they are; see `RTDLoss.from_distances`."""
    loss = RTDLoss(
        p=p,
        card=card,
        minimax=minimax,
        symmetric=symmetric,
        normalize=normalize,
        scale_gradient=scale_gradient,
        engine=engine,
        threads=threads,
    )
    return loss.from_distances([(w, v)], normalize=normalize)[0]


class RTDLoss(nn.Module):
    """RTD between clouds (batches of images, features, points), with its gradient to both, by default the exact one.

    Barannikov et al. (ICML 2022); the minimax form and its use as a loss: Balabin et al. (ICML 2024). The full loss
    is half of the sum of four terms, min and max, P→Q and Q→P. Without `symmetric` only the two P→Q terms count, whole;
    without `minimax` only the min terms. So every combination is a mean over directions of the sum over modes.

    Args:
        p: power of the bar lengths.
        card: keep only this many longest bars of each term (the authors' code keeps 50); None keeps all.
        minimax: add the max terms.
        symmetric: average over both directions.
        normalize: quantile of its entries that each distance matrix is divided by; None takes distances as they are.
        scale_gradient: "exact" differentiates the scale too, through the entries of its quantile; "constant" takes it
            as a number, as the authors' code does.
        ends: "exact", or "immovable" for comparisons with the authors' code, which is not RTD: a death at an entry of
            min(w, v) that is w's is read from v.
        engine: "relative" is our own; "ripser" is the slow reference, in single precision; see `cross_barcode`.
        threads: threads for the terms and pairs; None takes all cores.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        card: int | None = None,
        minimax: bool = True,
        symmetric: bool = True,
        normalize: float | None = 0.9,
        scale_gradient: str = "exact",
        ends: str = "exact",
        engine: Engine = "relative",
        threads: int | None = None,
    ):
        super().__init__()
        if p <= 0:
            raise ValueError(f"p must be positive, not {p}")
        if card is not None and card < 1:
            raise ValueError(f"card must be at least 1, not {card}")
        if normalize is not None and not 0 < normalize <= 1:
            raise ValueError(f"normalize must be a quantile in (0, 1], not {normalize}")
        if scale_gradient not in SCALE_GRADIENTS:
            choices = " or ".join(map(repr, SCALE_GRADIENTS))
            raise ValueError(f"unknown scale_gradient {scale_gradient!r}: use {choices}")
        if ends not in ENDS:
            raise ValueError(f"unknown ends {ends!r}: use {' or '.join(map(repr, ENDS))}")
        check_engine(engine)
        if threads is not None and threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.p, self.card, self.minimax, self.symmetric = p, card, minimax, symmetric
        self.normalize, self.scale_gradient, self.ends = normalize, scale_gradient, ends
        self.engine, self.threads = engine, threads

    def forward(self, P: Any, Q: Any) -> Any:
        """Divergence of two clouds, or of several pairs at once.

        Args:
            P: a cloud (n, …); or a sequence of b clouds, of which each is compared with the cloud of Q at its place.
            Q: a cloud (n, …), of any shape of points; or a sequence of b clouds, or b clouds of the shape of P stacked
                as (b, n, …), which are all compared with P. The distances of P are computed once.
            Clouds are tensors, arrays, or lists of numbers.
        Returns:
            A scalar for two clouds, else (b,): a tensor if there is one among the clouds, else numbers of numpy.
        Raises:
            ValueError: the clouds of a pair have different numbers of points or lie on different devices, or values
                are not finite or no numbers, or the sequences are empty or not of one length; more than 16,384 points.
        """
        first, second = as_clouds(P), as_clouds(Q)
        single = isinstance(first, Tensor) and isinstance(second, Tensor) and not _is_stack(first, second)
        firsts = [first] if isinstance(first, Tensor) else first
        seconds = [second] if isinstance(second, Tensor) and single else list(second)
        if isinstance(first, Tensor):
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
        _check_pairs(clouds, pairs)
        distances = [host_distances(cloud) for cloud in clouds]
        arrays = [matrix.detach().numpy() for matrix in distances]
        values = _Divergence.apply(_Options(self, pairs, self.normalize, clouds[0].device), arrays, *distances)
        return like_given(values[0] if single else values, P, Q)

    def from_distances(self, pairs: Sequence[tuple[Any, Any]], *, normalize: float | None = None) -> Any:
        """Divergences (b,) of b pairs of distance matrices as `cross_barcode` takes them, by default not normalised.

        The gradient stands above the diagonal of each matrix. A matrix that occurs in several pairs as the same object
        is normalised once. A tensor if there is one among the matrices, else an array.

        Raises:
            ValueError: a pair is not one of distance matrices of one size, or there is none.
        """
        given = {id(matrix): (matrix, name) for pair in pairs for matrix, name in zip(pair, "wv", strict=True)}
        squares = {key: as_square(matrix, name) for key, (matrix, name) in given.items()}
        for w, v in pairs:
            check_sizes(squares[id(w)], squares[id(v)])
        places = {key: place for place, key in enumerate(squares)}
        indices = [(places[id(w)], places[id(v)]) for w, v in pairs]
        stack = list(squares.values())
        _check_pairs(stack, indices)
        arrays = [checked_distances(square, given[key][1]) for key, square in squares.items()]
        values = _Divergence.apply(_Options(self, indices, normalize, stack[0].device), arrays, *stack)
        return like_given(values, *(matrix for matrix, _ in given.values()))


def _is_stack(P: Tensor, Q: Tensor) -> bool:
    return Q.ndim == P.ndim + 1 and Q.shape[1:] == P.shape


@dataclass(frozen=True)
class _Options:
    loss: RTDLoss
    pairs: list[tuple[int, int]]
    normalize: float | None
    device: torch.device


def _check_pairs(tensors: list[Tensor], pairs: list[tuple[int, int]]) -> None:
    """Raises ValueError if there is no pair, or if the clouds or distances of one lie on two devices."""
    if not pairs:
        raise ValueError("there is no pair of clouds to compare")
    for first, second in pairs:
        if tensors[first].device != tensors[second].device:
            raise ValueError(f"the clouds lie on {tensors[first].device} and {tensors[second].device}")


class _Divergence(torch.autograd.Function):
    """From distance matrices to divergences (b,): the gradient is a scatter of few entries, known with the bars.

    What is computed with are the arrays; the tensors that they were made of say where their gradients go.
    """

    @staticmethod
    def forward(ctx: Any, options: _Options, arrays: list[np.ndarray], *matrices: Tensor) -> Tensor:
        loss = options.loss
        scales = [_scale(array, options.normalize) for array in arrays]
        arrays = [
            array if scale is None else array / array.dtype.type(scale.value)
            for array, scale in zip(arrays, scales, strict=True)
        ]
        values, gradients = [], []
        for (first, second), terms in zip(options.pairs, _bars(loss, arrays, options.pairs), strict=True):
            value, entries = _value_and_gradient(loss, arrays[first], arrays[second], terms)
            values.append(value)
            gradients.append(entries)
        ctx.options, ctx.scales, ctx.gradients = options, scales, gradients
        ctx.likes = [
            (matrix.shape, array.dtype, matrix.dtype, matrix.device)
            for matrix, array in zip(matrices, arrays, strict=True)
        ]
        # The device may have no double precision.
        doubled = any(matrices[k].dtype == torch.float64 for k in options.pairs[0])
        return torch.tensor(values, dtype=torch.float64 if doubled else torch.float32).to(options.device)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        weights = gradient.detach().cpu().double().numpy()
        needed = ctx.needs_input_grad[2:]
        totals = [
            np.zeros(shape[0] ** 2) if need else None for (shape, *_), need in zip(ctx.likes, needed, strict=True)
        ]
        for weight, pair, sides in zip(weights, ctx.options.pairs, ctx.gradients, strict=True):
            for matrix, (positions, coefficients, stretch) in zip(pair, sides, strict=True):
                total, scale = totals[matrix], ctx.scales[matrix]
                if total is None:
                    continue
                if scale is None:
                    np.add.at(total, positions, weight * coefficients)
                else:
                    np.add.at(total, positions, weight / scale.value * coefficients)
                if scale is not None and ctx.options.loss.scale_gradient == "exact":
                    # Σ coefficient · entry / scale falls as the scale grows.
                    np.add.at(total, list(scale.positions), -weight * stretch / scale.value * np.array(scale.weights))
        return (
            None,
            None,
            *(
                torch.from_numpy(total.reshape(shape).astype(computed)).to(device, dtype) if total is not None else None
                for total, (shape, computed, dtype, device) in zip(totals, ctx.likes, strict=True)
            ),
        )


def _scale(array: np.ndarray, q: float | None) -> EntryQuantile | None:
    """What a matrix is divided by, or None if it is taken as it is."""
    if q is None or array.size == 0:
        return None
    quantile = locate_quantile(array, q)
    return quantile if quantile.value > 0 else None


def _bars(loss: RTDLoss, arrays: list[np.ndarray], pairs: list[tuple[int, int]]) -> list[list[np.ndarray]]:
    """Positions (2, bars) of births and deaths of the terms of each pair."""
    kinds = [
        (mode, swapped)
        for swapped in ((False, True) if loss.symmetric else (False,))
        for mode in (("min", "max") if loss.minimax else ("min",))
    ]

    def prepare(pair: tuple[int, int]) -> Callable[..., np.ndarray]:
        w, v = (arrays[k] for k in pair)
        if w.dtype != v.dtype:
            w, v = w.astype(np.float64), v.astype(np.float64)
        return term_finder(w, v, loss.engine)

    threads = loss.threads or os.cpu_count() or 1
    small = all(len(array) <= _SERIAL_POINTS for array in arrays)
    if small and len(pairs) >= _PARALLEL_PAIRS:
        return _map(lambda pair: [find(*kind) for find in [prepare(pair)] for kind in kinds], pairs, threads)
    if small:
        threads = 1
    finders = _map(prepare, pairs, threads)
    tasks = [(find, *kind) for find in finders for kind in kinds]
    found = _map(lambda task: task[0](*task[1:]), tasks, threads)
    return [found[k : k + len(kinds)] for k in range(0, len(found), len(kinds))]


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


def _value_and_gradient(
    loss: RTDLoss, w: np.ndarray, v: np.ndarray, terms: list[np.ndarray]
) -> tuple[float, list[tuple[np.ndarray, np.ndarray, float]]]:
    """The divergence; and for each matrix the positions and coefficients of its gradient, and Σ coefficient · entry."""
    flat = np.concatenate((w.ravel(), v.ravel()))
    if loss.card is not None:
        terms = [_longest(term, flat, loss.card) for term in terms]
    if loss.ends == "immovable":
        # Every second term is a min term, or every one.
        modes = 2 if loss.minimax else 1
        terms = [term if place % modes else _immovable(term, w, v) for place, term in enumerate(terms)]
    positions = np.concatenate(terms, axis=1)
    births, deaths = flat[positions].astype(np.float64)
    lengths = deaths - births
    share = 0.5 if loss.symmetric else 1.0
    slopes = np.full(len(lengths), share) if loss.p == 1 else share * loss.p * lengths ** (loss.p - 1)
    value = share * float((lengths if loss.p == 1 else lengths**loss.p).sum())
    positions = positions.ravel()
    coefficients = np.concatenate((-slopes, slopes))
    of_v = positions >= w.size
    sides = []
    for mine, offset, matrix in ((~of_v, 0, w), (of_v, w.size, v)):
        at, slope = positions[mine] - offset, coefficients[mine]
        sides.append((at, slope, float(np.dot(slope, matrix.ravel()[at]))))
    return value, sides


def _longest(term: np.ndarray, flat: np.ndarray, card: int) -> np.ndarray:
    """The `card` longest bars of a term."""
    if term.shape[1] <= card:
        return term
    births, deaths = flat[term]
    return term[:, np.argsort(births - deaths, kind="stable")[:card]]


def _map(function: Callable[[_T], _R], items: Iterable[_T], threads: int) -> list[_R]:
    items = list(items)
    threads = min(threads, len(items))
    return [function(item) for item in items] if threads <= 1 else list(_pool(threads).map(function, items))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """One pool for each number of threads: starting threads costs more than a small barcode."""
    return ThreadPoolExecutor(threads, thread_name_prefix="rtd")
