"""FactorVAE: total correlation by the density-ratio trick (Kim & Mnih, ICML 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae.objectives.base import Context, Objective, Terms
from vae.objectives.settings import FactorSettings

# Of the paper; the VAE's own are those of the training.
_ADAM_BETAS = (0.5, 0.9)


class Factor(Objective):
    """KL + γ · TC, where a discriminator tells codes from codes whose dimensions were permuted over the batch."""

    needs_second = True

    def __init__(self, settings: FactorSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        layers: list[nn.Module] = []
        for before in [z_dim, *[settings.width] * (settings.depth - 1)]:
            layers += [nn.Linear(before, settings.width), nn.LeakyReLU(0.2)]
        self.discriminator = nn.Sequential(*layers, nn.Linear(settings.width, 1))
        self.optimizer = torch.optim.Adam(
            self.discriminator.parameters(), settings.discriminator_lr, _ADAM_BETAS, fused=True
        )

    def forward(self, context: Context) -> Terms:
        # The discriminator's logit of "not permuted" is the log of the density ratio (Kim & Mnih, equation 3).
        correlation = self.discriminator(context.batch.z).mean()
        kl = context.batch.kl.sum(dim=1).mean()
        return Terms(kl + self.settings.gamma * correlation, {"tc": correlation})

    def update(self, context: Context) -> dict[str, Tensor]:
        assert context.second is not None
        codes = context.batch.z.detach()
        permuted = permute_dims(context.second.z.detach(), context.rng)
        logits = self.discriminator(torch.cat([codes, permuted])).flatten()
        labels = torch.cat([torch.ones(len(codes)), torch.zeros(len(permuted))]).to(logits.device)
        loss = F.binary_cross_entropy_with_logits(logits, labels)
        self.optimise(loss)
        accuracy = ((logits > 0) == (labels > 0.5)).float().mean()
        return {"discriminator": loss.detach(), "discriminator_accuracy": accuracy}


def permute_dims(z: Tensor, rng: torch.Generator) -> Tensor:
    """Codes (n, d) with every dimension permuted over the batch by itself (Kim & Mnih, algorithm 1)."""
    orders = torch.rand(z.shape, generator=rng).argsort(dim=0).to(z.device)
    return z.gather(0, orders)
