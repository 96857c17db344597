"""MED: disentanglement of DCI with mutual information for importance (Cao et al., NeurIPS 2022)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, labelled
from vae.metrics.dci import disentanglement
from vae.metrics.information import information_of


def med(codes: ArrayLike, factors: ArrayLike, *, bins: int = 20, factor_bins: int | None = None) -> float:
    """1 - entropy of the factors within each code, codes weighted by their importance; in [0, 1].

    Importance is mutual information as a share of what all codes know of a factor: no model is fitted.

    Args:
        codes: (N, D).
        factors: (N, F) integers.
        bins: of the histogram of each code.
        factor_bins: of a continuous factor; see `vae.metrics`.
    """
    return med_of(information_of(labelled(codes, factors, factor_bins), bins))


def med_of(information: Array) -> float:
    """The score of mutual information (D, f)."""
    sums = information.sum(axis=0)
    return disentanglement(information / np.where(sums > 0, sums, 1))
