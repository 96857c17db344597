"""DAVA: a capacity that grows while a discriminator cannot tell images of permuted codes from reconstructions.

Estermann & Wattenhofer, ICLR 2023. If the dimensions of the codes are independent, codes whose dimensions come from
different images are codes too, and decode to images like any other. A discriminator of images that can tell them apart
gives a gradient to the encoder, in proportion to its accuracy, and takes capacity away.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganwalk.compute import parallel
from vae.objectives.base import Context, Encoded, Objective, Terms
from vae.objectives.factor import permute_dims
from vae.objectives.settings import DavaSettings

# Accuracy up to which the capacity grows, and above which it shrinks.
_GROWS, _SHRINKS = 0.501, 0.51
# Convolutions halve the images until this size.
_LAST_SIZE = 4


class Dava(Objective):
    """γ ((KL - C) / z_dim)⁴ and two adversarial terms, one for the encoder and one for the decoder."""

    capacity: Tensor
    accuracy: Tensor

    def __init__(self, settings: DavaSettings, z_dim: int, image_shape: tuple[int, int, int]):
        super().__init__()
        self.settings = settings
        self.register_buffer("capacity", torch.zeros(()))
        self.register_buffer("accuracy", torch.full((), 0.5))
        self.discriminator = make_discriminator(image_shape, settings.width)
        self.optimizer = torch.optim.Adam(self.discriminator.parameters(), settings.discriminator_lr, fused=True)

    def forward(self, context: Context) -> Terms:
        settings, batch = self.settings, context.batch
        kl = batch.kl.sum(dim=1).mean()
        distance = (kl - self.capacity) / batch.z.shape[1]
        loss = settings.capacity_weight * distance**4
        # A discriminator that is no better than chance weighs nothing; the device is not asked whether it is.
        points = 100 * (self.accuracy - 0.5).clamp(min=0)
        if settings.encoder_weight:
            loss = loss + self._fool_by_encoder(batch, points * settings.encoder_weight)
        if settings.decoder_weight:
            images = context.decode(permute_dims(batch.z.detach(), context.rng)).sigmoid()
            fooled = F.softplus(-self.discriminator(images)).mean()
            loss = loss + points.clamp(max=1) * settings.decoder_weight * fooled
        return Terms(loss, {"capacity": self.capacity.clone()})

    def _fool_by_encoder(self, batch: Encoded, weight: Tensor) -> Tensor:
        """Cross-entropy of reconstructions passing for images of permuted codes; its gradient leaves the decoder out.

        At the codes it is never longer than the gradient of the reconstruction. The authors clip both, each in an
        optimisation step of its own, to the same length.
        """
        assert batch.logits is not None
        images = batch.logits.sigmoid()
        cross_entropy = weight * F.softplus(self.discriminator(images)).mean()
        (at_logits,) = torch.autograd.grad(cross_entropy, batch.logits)
        residual = (images.detach() - batch.images) / len(images)
        (adversarial,) = torch.autograd.grad(batch.logits, batch.z, at_logits, retain_graph=True)
        (reconstruction,) = torch.autograd.grad(batch.logits, batch.z, residual, retain_graph=True)
        longest = reconstruction.norm() / adversarial.norm().clamp(min=torch.finfo(adversarial.dtype).tiny)
        share = longest.clamp(max=1)
        return share * (cross_entropy.detach() + (adversarial * (batch.z - batch.z.detach())).sum())

    def update(self, context: Context) -> dict[str, Tensor]:
        z, confidence = context.batch.z.detach(), self.settings.confidence
        n = len(z)
        with torch.no_grad():
            images = context.decode(torch.cat([z, permute_dims(z, context.rng)])).sigmoid()
        # Labels are 1 for reconstructions and 0 for the others, moved towards one another by as much as `confidence`.
        labels = torch.cat([torch.ones(n), torch.zeros(n)])
        targets = (labels + confidence * torch.rand(2 * n, generator=context.rng) * (1 - 2 * labels)).to(images.device)
        logits = self.discriminator(images).flatten()
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        self.optimise(loss)

        verdicts = logits.sigmoid() >= confidence
        (accuracy,) = parallel.average([(verdicts == (labels > 0.5).to(verdicts.device)).float().mean()])
        self.accuracy.copy_(accuracy)
        growth = self.settings.capacity_growth / context.steps
        change = growth * ((accuracy <= _GROWS).float() - (accuracy > _SHRINKS).float())
        self.capacity.copy_((self.capacity + change).clamp(min=0))
        return {"discriminator": loss.detach(), "discriminator_accuracy": accuracy}


def make_discriminator(image_shape: tuple[int, int, int], width: int) -> nn.Sequential:
    """A network from images (n, C, H, W) to a logit (n, 1) of being a reconstruction.

    Convolutions like the encoder's with instance normalisation, down to 4×4, and one hidden layer. Of several images
    each is judged for itself, whatever batch it is in.
    """
    channels, size, _ = image_shape
    widths = [channels]
    while size > _LAST_SIZE:
        widths.append(width if len(widths) < 3 else 2 * width)
        size //= 2
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Conv2d(before, after, 4, 2, 1), nn.ReLU(), nn.InstanceNorm2d(after)]
    hidden = 8 * width
    layers += [nn.Flatten(), nn.Linear(widths[-1] * size**2, hidden), nn.ReLU(), nn.Linear(hidden, 1)]
    return nn.Sequential(*layers)
