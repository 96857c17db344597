"""RTD and image change of every direction of a basis, on one fixed batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ganwalk.compute import parallel
from ganwalk.directions import shift_latents
from ganwalk.discovery.view import View, features, mean_change, sample_latents
from ganwalk.generators.base import Generator, device_of
from ganwalk.progress.callbacks import OnShare
from ganwalk.rtd import Barcode, RTDLoss, cross_barcode, distance_matrix, normalized


@dataclass(frozen=True)
class Changes:
    """Image change of n directions, (n,): the mean over both signs."""

    displacement: Tensor


@dataclass(frozen=True)
class BasisScores:
    """Scores of n directions: `rtd` and `displacement`, each (n,), means over both signs; barcodes if wanted.

    A barcode is the cross-barcode (mode "min") between the batch and its shift in the positive direction; distances are
    in units of their 0.9 quantile, as in RTD.
    """

    rtd: Tensor
    displacement: Tensor
    barcodes: list[Barcode] = field(default_factory=list)

    @property
    def mean_rtd(self) -> float:
        return float(self.rtd.mean())

    @property
    def mean_displacement(self) -> float:
        return float(self.displacement.mean())

    def ordered(self, order: Tensor) -> BasisScores:
        """The same scores of directions in another order (n,)."""
        barcodes = [self.barcodes[k] for k in order.tolist()] if self.barcodes else []
        return BasisScores(self.rtd[order], self.displacement[order], barcodes)


def image_changes(
    generator: Generator, view: View, steps: Tensor, *, batch: int, seed: int, on_share: OnShare | None = None
) -> Changes:
    """How much each latent step (n, d) changes the features, without its topology; otherwise as `score_basis`."""

    def measure(reference: Tensor, both: list[Tensor]) -> Tensor:
        return torch.stack([mean_change(reference, shifted) for shifted in both]).mean().cpu()

    return Changes(torch.stack(_measured(generator, view, steps, measure, batch, seed, on_share)))


def score_basis(
    generator: Generator,
    view: View,
    steps: Tensor,
    loss: RTDLoss,
    *,
    batch: int,
    seed: int,
    with_barcodes: bool = False,
    on_share: OnShare | None = None,
) -> BasisScores:
    """Scores the latent steps, (n, d) or layer by layer (n, num_layers, d), already as long as they are to be walked.

    The same batch and noise serve every direction and both signs, so that bases scored with one seed compare. Several
    processes share the directions, and each gets all scores.

    Args:
        with_barcodes: of each direction, from the same images.
        on_share: called with the share of the synthesis that is done.
    """
    distances: list[Tensor] = []

    def measure(reference: Tensor, both: list[Tensor]) -> tuple[Tensor, Tensor, Barcode | None]:
        rtd = loss(reference, both).mean()
        displacement = torch.stack([mean_change(reference, shifted) for shifted in both]).mean()
        barcode = None
        if with_barcodes:
            if not distances:
                distances.append(normalized(distance_matrix(reference), 0.9))
            barcode = cross_barcode(distances[0], normalized(distance_matrix(both[0]), 0.9), mode="min")
        return rtd.cpu(), displacement.cpu(), barcode

    rows = _measured(generator, view, steps, measure, batch, seed, on_share)
    rtd, displacement = (torch.stack([row[k] for row in rows]) for k in (0, 1))
    return BasisScores(rtd, displacement, [row[2] for row in rows] if with_barcodes else [])


def _measured(
    generator: Generator,
    view: View,
    steps: Tensor,
    measure: Callable[[Tensor, list[Tensor]], Any],
    batch: int,
    seed: int,
    on_share: OnShare | None,
) -> list[Any]:
    """What is measured on the features of a batch and on those of its shifts both ways, for each step."""
    mine = {}
    with torch.no_grad():
        latents = sample_latents(generator, view, batch, seed)
        shifts = steps.to(device_of(generator))
        chosen = range(parallel.rank(), len(steps), parallel.processes())
        batches = itertools.count(1)

        def made(latents: Tensor) -> Tensor:
            made = features(generator, view, latents, seed)
            if on_share is not None:
                on_share(next(batches) / (1 + 2 * len(chosen)))
            return made

        reference = made(latents)
        for index in chosen:
            both = [made(shift_latents(latents, sign * shifts[index], view.layers)) for sign in (1, -1)]
            mine[index] = measure(reference, both)
    found = {index: value for part in parallel.gather_objects(mine) for index, value in part.items()}
    return [found[index] for index in range(len(steps))]
