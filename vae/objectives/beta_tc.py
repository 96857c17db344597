"""β-TCVAE: the KL divergence in three parts, of which the total correlation weighs more (Chen et al., NeurIPS 2018)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from vae.objectives.base import Context, Objective, Terms
from vae.objectives.settings import BetaTCSettings


class BetaTC(Objective):
    """MI + β · TC + dimension-wise KL.

    The logged parts are those of the minibatch: weighted sampling sees no MI above the log of its size.
    """

    def __init__(self, settings: BetaTCSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings

    def forward(self, context: Context) -> Terms:
        batch = context.batch
        log_weights = sampling_weights(len(batch.z), context.data_size, self.settings.sampling).log().to(batch.z.device)
        mi, tc, dwkl = decompose(batch.z, batch.mean, batch.log_variance, log_weights)
        return Terms(mi + self.settings.beta * tc + dwkl, {"mi": mi, "tc": tc, "dwkl": dwkl})


def sampling_weights(n: int, data_size: int, sampling: str) -> Tensor:
    """Weights (n, n) of the posteriors in the aggregate posterior at code i; every row sums to 1.

    `weighted` counts all alike, without the factor 1 / data_size of the paper, which adds to MI and to TC a number that
    no gradient sees. `stratified` gives a code's own posterior its share 1 / data_size of the data set, and lets one of
    the others make up for what the batch leaves out, so that the estimate has no bias (appendix C). On the CPU.
    """
    if sampling == "weighted":
        return torch.full((n, n), 1 / n)
    if n < 2:
        raise GanwalkError("stratified sampling compares the images of a batch: take a batch of at least 2")
    others, size = n - 1, max(data_size, n)
    weights = torch.full((n, n), 1 / others)
    rows = torch.arange(n)
    weights[rows, rows] = 1 / size
    weights[rows, (rows + 1) % n] = (size - others) / (size * others)
    return weights


def decompose(z: Tensor, mean: Tensor, log_variance: Tensor, log_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mutual information, total correlation and dimension-wise KL divergence in nats; Chen et al., equation 2.

    Their sum is the mean of log q(z|x) - log p(z), whatever the weights.

    Args:
        z, mean, log_variance: codes (n, d) and the posteriors that each was drawn from.
        log_weights: (n, n) log of the weight of posterior j at code i.
    """
    densities = _log_normal(z[:, None], mean[None], log_variance[None])
    conditional = densities.diagonal().sum(dim=0)
    joint = torch.logsumexp(log_weights + densities.sum(dim=2), dim=1)
    marginals = torch.logsumexp(log_weights[:, :, None] + densities, dim=1).sum(dim=1)
    prior = _log_normal(z, torch.zeros_like(z), torch.zeros_like(z)).sum(dim=1)
    return (conditional - joint).mean(), (joint - marginals).mean(), (marginals - prior).mean()


def _log_normal(z: Tensor, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Log-density of normal distributions, elementwise."""
    return -((z - mean).square() * (-log_variance).exp() + log_variance + math.log(2 * math.pi)) / 2
