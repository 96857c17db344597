"""What an encoder's posterior uses: KL divergence per dimension and active units."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, checked_codes


def kl_per_dimension(means: ArrayLike, log_variances: ArrayLike) -> Array:
    """KL divergence (D,) in nats of the posteriors from N(0, 1), mean over N, from means and log σ² (N, D)."""
    mu, logvar = (checked_codes(values).astype(np.float64) for values in (means, log_variances))
    if mu.shape != logvar.shape:
        raise GanwalkError(f"means {mu.shape} and log variances {logvar.shape} must have one shape")
    return 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).mean(axis=0)


def active_codes(means: ArrayLike, *, threshold: float = 0.01) -> Array:
    """Mask (D,) of the dimensions whose posterior mean (N, D) has a variance over the data above the threshold
    (Burda et al., ICLR 2016, section 5.2)."""
    return checked_codes(means).astype(np.float64).var(axis=0) > threshold


def active_units(means: ArrayLike, *, threshold: float = 0.01) -> int:
    """Number of active dimensions of posterior means (N, D), as `active_codes` has them."""
    return int(active_codes(means, threshold=threshold).sum())
