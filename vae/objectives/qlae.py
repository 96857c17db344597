"""QLAE: an autoencoder whose codes take a few learned levels in each dimension (Hsu et al., NeurIPS 2023)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from vae.models import VAE
from vae.objectives.base import Context, Latent, Objective, Terms
from vae.objectives.settings import QlaeSettings


class Qlae(Objective):
    """Levels drawn to codes, and codes to levels; the decoder gets levels, whose gradient passes on to the codes.

    There is no divergence from a prior: what is logged as one is half of the mean square of the codes. The weights of
    convolutions decay, apart from Adam, as the authors' do.
    """

    def __init__(self, settings: QlaeSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        # The authors' losses are means over the values of an image and over dimensions, the reconstruction here is a
        # sum over values: weights are what they are to each other there.
        self._values = math.prod(image_shape)

    def latent(self, model: VAE, mean: Tensor, log_variance: Tensor, noise: Tensor) -> Latent:
        levels = model.quantise(mean)
        return Latent(mean, torch.zeros_like(log_variance), mean + (levels - mean).detach(), levels)

    def forward(self, context: Context) -> Terms:
        codes, levels = context.batch.mean, context.batch.levels
        assert levels is not None
        quantisation = F.mse_loss(levels, codes.detach())
        commitment = F.mse_loss(codes, levels.detach())
        weighted = self.settings.quantisation * quantisation + self.settings.commitment * commitment
        return Terms(self._values * weighted, {"quantisation": quantisation})

    def decay(self, model: VAE, lr: float) -> None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("weight"):
                    parameter.mul_(1 - lr * self.settings.weight_decay)
