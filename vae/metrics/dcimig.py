"""DCIMIG: information gaps of the codes, credited to factors (Sepliarskaia et al., 2019, arXiv:1910.05587)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, gap, labelled
from vae.metrics.information import factor_entropies, information_of


def dcimig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, factor_bins: int | None = None) -> float:
    """Sum over the factors of the best gap among the codes that know it best / sum of the factors' entropies.

    The gap of a code is its information on its best factor minus that on the next. In [0, 1]: a factor that is the
    best of no code adds nothing. Where one factor varies there is no next one.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: of the histogram of each code.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    given = labelled(codes, factors, factor_bins)
    return dcimig_of(information_of(given, bins), factor_entropies(given))


def dcimig_of(information: Array, entropies: Array) -> float:
    """The score of mutual information (D, f) and the factors' entropies (f,), both in nats."""
    gaps = np.zeros_like(information)
    codes = np.arange(len(information))
    gaps[codes, information.argmax(axis=1)] = gap(information, axis=1)
    return float(gaps.max(axis=0).sum() / entropies.sum())
