"""Cross-barcodes of two distance matrices: the interface of both engines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganwalk.rtd.choices import ENGINES, MODES, Engine, Mode, check_word
from ganwalk.rtd.given import as_square, check_sizes, checked_distances
from ganwalk.rtd.terms import bar_positions


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
        mode: "min" takes K = min(w, v), L = w; "max" takes K = v, L = max(w, v): swap the arguments for the other
            two terms of the symmetric divergence. "symmetric" takes K = min(w, v), L = max(w, v), whose bars SRTD adds
            up.
        engine: "relative" is our own; "ripser" runs ripser.py on 2n points, slowly, in single precision.
    Raises:
        ValueError: the matrices are not square, differ in shape, or hold negative, infinite or undefined values, a
            diagonal other than zero, or values that are not symmetric, beyond rounding; sparse ones; more than 16,384
            points; an unknown mode or engine.
    """
    check_word("engine", engine, ENGINES)
    return _barcode(w, v, mode, engine, lite=False)


def lite_barcode(w: Any, v: Any, mode: Mode = "min") -> Barcode:
    """Barcode of the spanning trees of K ≤ L, in O(n²): the lite variant of `cross_barcode`, whose K and L they are.

    Tulchinskii et al., "RTD-Lite" (AISTATS 2025). Every edge of a minimum spanning tree of K is a bar, from its value
    in K to that at which L, with the edges before it, joins its ends; those of length zero are left out. The bars add
    up to the weight of the tree of L less that of K.
    """
    return _barcode(w, v, mode, "relative", lite=True)


def _barcode(w: Any, v: Any, mode: Mode, engine: Engine, *, lite: bool) -> Barcode:
    check_word("mode", mode, MODES)
    w, v = as_distances(w, v)
    positions, _ = bar_positions(w, v, [(mode, False)], engine=engine, lite=lite)
    births, deaths = np.stack([w, v]).ravel()[positions]
    order = np.lexsort((births, births - deaths))
    entries = np.stack(np.unravel_index(positions[:, order], (2, *w.shape)), axis=2)[:, :, [1, 2, 0]]
    return Barcode(births[order], deaths[order], entries[0], entries[1])


def as_distances(w: Any, v: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two distance matrices as C-contiguous numpy arrays of one floating type, checked, free of rounding."""
    squares = as_square(w, "w"), as_square(v, "v")
    check_sizes(*squares)
    first, second = (checked_distances(matrix, name) for matrix, name in zip(squares, "wv", strict=True))
    dtype = np.result_type(first, second)
    return first.astype(dtype, copy=False), second.astype(dtype, copy=False)
