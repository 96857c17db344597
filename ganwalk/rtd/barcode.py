"""Cross-barcodes of two distance matrices: the interface of both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from torch import Tensor

from ganwalk.rtd.choices import ENGINES, Engine
from ganwalk.rtd.given import as_square, checked_distances
from ganwalk.rtd.reference import reference_positions
from ganwalk.rtd.relative import sorted_events, term_positions

Mode = Literal["min", "max"]


@dataclass(frozen=True)
class Barcode:
    """Bars of a cross-barcode and the matrix entries that their ends come from, longest first.

    Attributes:
        births, deaths: (k,) values.
        birth_entries, death_entries: (k, 3) int64 rows (i, j, which), i < j: the value is entry (i, j) of w if
            which = 0, of v if which = 1.
    """

    births: np.ndarray
    deaths: np.ndarray
    birth_entries: np.ndarray
    death_entries: np.ndarray

    def __len__(self) -> int:
        return len(self.births)

    @property
    def lengths(self) -> np.ndarray:
        """Length (k,) of every bar."""
        return self.deaths - self.births

    def total(self, p: float = 1.0) -> float:
        """RTD of this term: the sum of the lengths to the power p."""
        return float((self.lengths**p).sum())


def cross_barcode(w: Any, v: Any, mode: Mode = "min", engine: Engine = "relative") -> Barcode:
    """Barcode of H₁ of the pair of Vietoris-Rips filtrations K ≤ L of two distance matrices.

    Barannikov et al., "Representation Topology Divergence" (ICML 2022) for mode "min"; Balabin et al.,
    "Disentanglement Learning via Topology" (ICML 2024) for mode "max".

    Args:
        w, v: (n, n) distance matrices, or what stands above the diagonal of one, row after row, (n(n - 1)/2,), of
            points in one-to-one correspondence; numpy, torch or lists. What other libraries' rounding leaves on the
            diagonal and of asymmetry, relative to the largest entry, is cleared: entries above the diagonal count.
        mode: "min" takes K = min(w, v), L = w; "max" takes K = v, L = max(w, v). Swap the arguments for the other
            two terms of the symmetric divergence.
        engine: "relative" is our own; "ripser" runs ripser.py on 2n points, slowly, in single precision.
    Raises:
        ValueError: the matrices are not square, differ in shape, or hold negative, infinite or undefined values, a
            diagonal other than zero, or values that are not symmetric, beyond rounding; more than 16,384 points; an
            unknown mode or engine.
    """
    if mode not in ("min", "max"):
        raise ValueError(f"unknown mode {mode!r}: use 'min' or 'max'")
    check_engine(engine)
    w, v = as_distances(w, v)
    positions = term_finder(w, v, engine)(mode)
    births, deaths = np.stack([w, v]).ravel()[positions]
    order = np.lexsort((births, births - deaths))
    entries = np.stack(np.unravel_index(positions[:, order], (2, *w.shape)), axis=2)[:, :, [1, 2, 0]]
    return Barcode(births[order], deaths[order], entries[0], entries[1])


def check_engine(engine: str) -> None:
    """Raises ValueError unless there is an engine of that name."""
    if engine not in ENGINES:
        raise ValueError(f"unknown engine {engine!r}: use {' or '.join(map(repr, ENGINES))}")


def term_finder(w: np.ndarray, v: np.ndarray, engine: Engine) -> Callable[..., np.ndarray]:
    """A function of (mode, swapped=False) that finds the bars of one term as `relative.term_positions` gives them.

    Args:
        w, v: as `as_distances` returns them; what all their terms share is computed here, once.
    """
    if engine == "relative":
        return partial(term_positions, sorted_events(w, v))
    return partial(reference_positions, w, v)


def as_distances(w: Any, v: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two distance matrices as C-contiguous numpy arrays of one floating type, checked, free of rounding."""
    squares = as_square(w, "w"), as_square(v, "v")
    check_sizes(*squares)
    first, second = (checked_distances(matrix, name) for matrix, name in zip(squares, "wv", strict=True))
    dtype = np.result_type(first, second)
    return first.astype(dtype, copy=False), second.astype(dtype, copy=False)


def check_sizes(w: Tensor, v: Tensor) -> None:
    """Raises ValueError unless the matrices of a pair are of as many points."""
    if w.shape != v.shape:
        raise ValueError(f"the matrices differ in shape: {tuple(w.shape)} and {tuple(v.shape)}")
