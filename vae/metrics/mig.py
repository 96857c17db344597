"""Mutual information gap (Chen et al., NeurIPS 2018, equation 6)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, gap, labelled
from vae.metrics.information import factor_entropies, information_of


def mig(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, factor_bins: int | None = None) -> float:
    """Mean over the factors of (I of the most informative code - I of the next) / entropy of the factor, in [0, 1].

    A single code has no next one: its information counts in full. Constant factors are left out.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: of the histogram of each code.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    given = labelled(codes, factors, factor_bins)
    return mig_of(information_of(given, bins), factor_entropies(given))


def mig_of(information: Array, entropies: Array) -> float:
    """The score of mutual information (D, f) and the factors' entropies (f,), both in nats."""
    return float((gap(information, axis=0) / entropies).mean())
