"""Cross-barcodes of two distance matrices: the interface of both engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
import torch

from ganwalk.rtd.choices import ENGINES, Engine
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
        w, v: (n, n) distance matrices, numpy or torch, of points in one-to-one correspondence.
        mode: "min" takes K = min(w, v), L = w; "max" takes K = v, L = max(w, v). Swap the arguments for the other
            two terms of the symmetric divergence.
        engine: "relative" is our own; "ripser" runs ripser.py on 2n points, slowly, in single precision.
    Raises:
        ValueError: the matrices are not square, differ in shape, or hold negative, infinite or undefined values, a
            diagonal other than zero, or values that are not symmetric; more than 16,384 points; an unknown mode or
            engine.
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
    """Two distance matrices as C-contiguous numpy arrays of one floating type, checked."""
    arrays = [_as_numpy(w), _as_numpy(v)]
    for name, matrix in zip("wv", arrays, strict=True):
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"{name} is not a square matrix: its shape is {matrix.shape}")
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"the matrices differ in shape: {arrays[0].shape} and {arrays[1].shape}")
    dtype = np.float32 if all(matrix.dtype == np.float32 for matrix in arrays) else np.float64
    checked = [np.ascontiguousarray(matrix, dtype) for matrix in arrays]
    for name, matrix in zip("wv", checked, strict=True):
        if not np.isfinite(matrix).all():
            raise ValueError(f"{name} holds a value that is not finite")
        if matrix.size and matrix.min() < 0:
            raise ValueError(f"{name} holds a negative distance")
        if matrix.diagonal().any():
            raise ValueError(f"the diagonal of {name} is not zero")
        if not np.array_equal(matrix, matrix.T):
            raise ValueError(f"{name} is not symmetric")
    return checked[0], checked[1]


def _as_numpy(matrix: Any) -> np.ndarray:
    if isinstance(matrix, torch.Tensor):
        matrix = matrix.detach().cpu()
        return (matrix.float() if matrix.dtype in (torch.float16, torch.bfloat16) else matrix).numpy()
    array = np.asarray(matrix)
    return array.astype(np.float32) if array.dtype == np.float16 else array
