"""Ada-GVAE: pairs of images that share factors, and posteriors that share what the factors are (Locatello et al., ICML
2020)."""

from __future__ import annotations

import torch
from torch import Tensor

from vae.data.base import ImageData
from vae.data.pairs import Pairs
from vae.models import VAE, sample
from vae.objectives.base import Context, Latent, Objective, Terms
from vae.objectives.settings import AdaGvaeSettings


class AdaGvae(Objective):
    """β · KL of posteriors that are averaged over each pair, in the dimensions that seem to be shared.

    The halves of a batch are pairs. A dimension counts as shared if the divergence between its two posteriors is below
    the middle of the smallest and the largest of the pair.
    """

    of_pairs = True

    def __init__(self, settings: AdaGvaeSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings

    def source(self, data: ImageData) -> ImageData:
        return Pairs(data, self.settings.changes)

    def latent(self, model: VAE, mean: Tensor, log_variance: Tensor, noise: Tensor) -> Latent:
        mean, log_variance = averaged(mean, log_variance)
        return Latent(mean, log_variance, sample(mean, log_variance, noise))

    def forward(self, context: Context) -> Terms:
        batch = context.batch
        halves = batch.mean.detach().chunk(2)
        shared = (halves[0] == halves[1]).float().mean()
        return Terms(self.settings.beta * batch.kl.sum(dim=1).mean(), {"shared": shared})


def averaged(mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Posteriors (n, d) of pairs, row i and row i + n / 2, with the mean of the two where a dimension is shared.

    Of one dimension the smallest divergence is the largest, too, and nothing is shared.
    """
    (m, other_m), (v, other_v) = mean.chunk(2), log_variance.exp().chunk(2)
    with torch.no_grad():
        # Twice the divergence of the first posterior from the second.
        divergence = v / other_v + (other_m - m).square() / other_v - 1 + (other_v / v).log()
        low, high = divergence.amin(dim=1, keepdim=True), divergence.amax(dim=1, keepdim=True)
        shared = (divergence < (low + high) / 2).repeat(2, 1)
    middle = ((m + other_m) / 2).repeat(2, 1)
    variance = ((v + other_v) / 2).repeat(2, 1)
    return torch.where(shared, middle, mean), torch.where(shared, variance.log(), log_variance)
