"""RTD and displacement of every direction of a basis, on one fixed batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.directions import shift_latents
from ganwalk.discovery.view import View, features, mean_change, sample_latents
from ganwalk.generators.base import Generator, device_of
from ganwalk.rtd import Barcode, RTDLoss, cross_barcode, distance_matrix, normalized


@dataclass(frozen=True)
class BasisScores:
    """Scores of n directions: `rtd` and `displacement`, each (n,), means over both signs."""

    rtd: Tensor
    displacement: Tensor

    @property
    def mean_rtd(self) -> float:
        return float(self.rtd.mean())

    @property
    def mean_displacement(self) -> float:
        return float(self.displacement.mean())


def score_basis(
    generator: Generator,
    view: View,
    steps: Tensor,
    loss: RTDLoss,
    *,
    batch: int,
    seed: int,
) -> BasisScores:
    """Scores the latent steps (n, d), each already as long as it is to be walked.

    The same batch and noise serve every direction and both signs, so that bases scored with one seed compare.
    """
    rtd, displacement = [], []
    with torch.no_grad():
        latents = sample_latents(generator, view, batch, seed)
        reference = features(generator, view, latents, seed)
        for step in steps.to(device_of(generator)):
            both = [
                features(generator, view, shift_latents(latents, sign * step, view.layers), seed) for sign in (1, -1)
            ]
            rtd.append(loss(reference, both).mean())
            displacement.append(torch.stack([mean_change(reference, shifted) for shifted in both]).mean())
    return BasisScores(torch.stack(rtd).cpu(), torch.stack(displacement).cpu())


def shift_barcodes(generator: Generator, view: View, steps: Tensor, *, batch: int, seed: int) -> list[Barcode]:
    """Cross-barcodes (mode "min") between a batch and its shift by each latent step (d,) of `steps` (n, d).

    The batch is that of `score_basis` for the same seed; distances are in units of their 0.9 quantile, as in RTD.
    """
    with torch.no_grad():
        latents = sample_latents(generator, view, batch, seed)
        reference = normalized(distance_matrix(features(generator, view, latents, seed)), 0.9)
        barcodes = []
        for step in steps.to(device_of(generator)):
            shifted = features(generator, view, shift_latents(latents, step, view.layers), seed)
            barcodes.append(cross_barcode(reference, normalized(distance_matrix(shifted), 0.9), mode="min"))
    return barcodes
