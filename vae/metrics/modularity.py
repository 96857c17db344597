"""Modularity (Ridgeway & Mozer, NeurIPS 2018, section 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, labelled
from vae.metrics.information import information_of


def modularity(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, factor_bins: int | None = None) -> float:
    """Mean over the codes of 1 - (squared information with all factors but the best) / ((F - 1) · best squared).

    In [0, 1]. A code without information on any factor counts 0, as in disentanglement_lib; where one factor varies,
    each informative code counts 1.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: of the histogram of each code.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    return modularity_of(information_of(labelled(codes, factors, factor_bins), bins))


def modularity_of(information: Array) -> float:
    """The score of mutual information (D, f)."""
    squares = information**2
    best = squares.max(axis=1)
    others = (squares.sum(axis=1) - best) / max(1, squares.shape[1] - 1)
    return float(np.where(best > 0, 1 - others / np.where(best > 0, best, 1), 0.0).mean())
