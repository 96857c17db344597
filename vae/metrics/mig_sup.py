"""MIG-sup: the mutual information gap seen from the codes (Li et al., ICLR 2020, section 4)."""

from __future__ import annotations

from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, gap, labelled
from vae.metrics.information import factor_entropies, information_of
from vae.metrics.posterior import active_codes


def mig_sup(
    codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, active: float = 0.01, factor_bins: int | None = None
) -> float:
    """Mean over active codes of normalised I with the best factor minus that with the next, in [0, 1].

    Normalised by the factor's entropy. MIG punishes a factor in several codes, this one a code with several factors.
    0 if no code is active; where one factor varies there is no next one.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: of the histogram of each code.
        active: variance above which a code counts.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    given = labelled(codes, factors, factor_bins)
    counted = active_codes(given.codes, threshold=active)
    return mig_sup_of(information_of(given, bins), factor_entropies(given), counted)


def mig_sup_of(information: Array, entropies: Array, counted: Array) -> float:
    """The score of mutual information (D, f) and the factors' entropies (f,), over the active codes (D,)."""
    return float(gap(information / entropies, axis=1)[counted].mean()) if counted.any() else 0.0
