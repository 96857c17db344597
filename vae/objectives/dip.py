"""DIP-VAE I and II: codes whose covariance over the data is drawn to the identity (Kumar et al., ICLR 2018)."""

from __future__ import annotations

import torch
from torch import Tensor

from vae.objectives.base import Context, Objective, Terms
from vae.objectives.settings import DipSettings


class Dip(Objective):
    """KL + λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii - 1)², C the covariance of the means (I), or of samples (II)."""

    def __init__(self, settings: DipSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings

    def forward(self, context: Context) -> Terms:
        batch, settings = context.batch, self.settings
        matrix = covariance(batch.mean)
        if settings.dip == "ii":
            # Of samples: the covariance of the means and the mean of the covariances.
            matrix = matrix + batch.log_variance.exp().mean(dim=0).diag()
        own = matrix.diagonal()
        apart = matrix - own.diag()
        # The share of the diagonal that the authors take.
        share = settings.diagonal if settings.diagonal is not None else (10.0 if settings.dip == "i" else 1.0)
        loss = settings.off_diagonal * (apart.square().sum() + share * (own - 1).square().sum())
        return Terms(batch.kl.sum(dim=1).mean() + loss, {"dip": loss})


def covariance(codes: Tensor) -> Tensor:
    """Covariance (d, d) of codes (n, d) over the batch, divided by n."""
    centred = codes - codes.mean(dim=0)
    return torch.einsum("ni,nj->ij", centred, centred) / len(codes)
