"""Orthonormal matrices as a function of free parameters, for gradient descent that never leaves them."""

from __future__ import annotations

import torch
from torch import Tensor

from ganwalk.compute.seeds import rng_of


def random_rotation(n: int, seed: int) -> Tensor:
    """A uniformly distributed orthogonal matrix (n, n), float64 (Mezzadri 2007)."""
    rng = rng_of(seed)
    q, r = torch.linalg.qr(torch.randn(n, n, generator=rng, dtype=torch.float64))
    return q * r.diagonal().sign()


def rotate(base: Tensor, skew: Tensor) -> Tensor:
    """base·exp(S) for the skew-symmetric S with the upper triangle `skew`.

    The exponential parametrisation of the orthogonal group (Lezcano-Casado & Martínez-Rubio, ICML 2019).

    Args:
        base: (n, k) orthonormal rows, float64.
        skew: (k (k - 1) / 2,) entries above the diagonal, row by row; zeros give `base`.
    Returns:
        (n, k) orthonormal rows, differentiable in `skew`.
    """
    k = base.shape[1]
    upper = torch.triu_indices(k, k, offset=1, device=base.device)
    s = base.new_zeros(k, k).index_put((upper[0], upper[1]), skew)
    return base @ torch.linalg.matrix_exp(s - s.T)
