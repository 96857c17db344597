"""What can be said of directions without labels, from the changes that they make to images or features.

Throughout, a direction's change Δᵢ(x) is the difference between the features of a latent shifted along it by the
amplitude and those of the latent itself, and all directions are tried on the same latents. A direction whose change is
only rounding has no character to measure: its values are NaN (null in files), and means leave it out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery.scores import BasisScores, score_basis
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.generators.base import Generator, device_of
from ganwalk.rtd import Barcode, RTDLoss

# Steps that the path along a direction is cut into (even: halfway is no shift), and the partners each direction is
# combined with.
PATH_STEPS = 4
PARTNERS = 2
# Mean change, relative to the standard deviation of the features of an image, below which nothing happens.
_DEAD = 1e-4
_TINY = 1e-30
# Values held at once for the changes of all directions: 128 MB.
_BLOCK_VALUES = 2**25


@dataclass(frozen=True)
class ChangeScores:
    """Character of the changes that n directions make, each (n,).

    NaN for a direction that changes nothing; interaction and distinctness also where no other direction does anything.

    Attributes:
        straightness: length of the chord over that of the path, from -amplitude to amplitude in `PATH_STEPS` equal
            steps, mean over the latents. 1: every step changes the features by the same difference.
        interaction: error of commuting: ‖(Δᵢ₊ⱼ - Δⱼ) - Δᵢ‖ / ‖Δᵢ‖, mean over the latents and partners j. 0: direction
            i does the same whether or not j was walked before.
        distinctness: one minus the mean |cosine| of Δᵢ and Δⱼ over the latents and the other directions j. 1: no other
            direction makes a similar change to the same image.
    """

    straightness: Tensor
    interaction: Tensor
    distinctness: Tensor


def topology_scores(
    generator: Generator,
    directions: Directions,
    view: View,
    *,
    batch: int = 64,
    amplitude: float = 1.0,
    seed: int = 0,
    threads: int | None = None,
    on_share: Callable[[float], None] | None = None,
) -> tuple[BasisScores, list[Barcode]]:
    """RTD, displacement and barcode of every direction at one amplitude, on a batch as discovery holds one back."""
    steps = directions.shifts(amplitude, num_layers=generator.num_layers).to(device_of(generator))
    loss = RTDLoss(threads=threads)
    how: dict[str, Any] = {"batch": batch, "seed": seed, "with_barcodes": True, "on_share": on_share}
    scores = score_basis(generator, view, steps, loss, **how)
    return scores, scores.barcodes


def latents_of_topology(n: int, batch: int) -> int:
    """Latents that `topology_scores` of n directions synthesises: both signs of each."""
    return batch * (1 + 2 * n)


def change_scores(
    generator: Generator,
    directions: Directions,
    view: View,
    *,
    samples: int = 16,
    amplitude: float = 1.0,
    seed: int = 0,
    on_share: Callable[[float], None] | None = None,
) -> ChangeScores:
    """Straightness, interaction and distinctness of directions, on one seeded batch in bounded memory.

    Interaction stands where "i after j against j after i" would: shifts of one latent space are additions, so their
    order cannot matter, and the literal commutator of linear directions is zero whatever they do. That holds for
    directions meant for some layers too: their shifts are additions to the styles of these layers. Only directions that
    depend on the place (vector fields), or a shift in z followed by one in w, would have one. What can fail to commute
    is the effect: the change made by i after j differs from the change made by i alone. To second order this is the
    mixed term of the Hessian that the Hessian penalty (Peebles et al., ECCV 2020) drives to zero.

    Each direction is combined with the `PARTNERS` that follow it, the first following the last.
    """
    n = len(directions)
    pairs = _pairs(n)
    straightness, change = (torch.zeros(n, dtype=torch.float64) for _ in range(2))
    cosine, interaction = (torch.zeros(n, n, dtype=torch.float64) for _ in range(2))
    deviation = 0.0
    with torch.no_grad():
        latents = sample_latents(generator, view, samples, seed)
        steps = directions.shifts(amplitude, num_layers=generator.num_layers).to(latents)
        values = features(generator, view, latents[:1], seed).numel()
        block = max(1, min(view.chunk, _BLOCK_VALUES // (n * values)))
        for start in range(0, samples, block):
            part = latents[start : start + block]

            def look(step: Tensor | None = None, part: Tensor = part, start: int = start) -> Tensor:
                shifted = part if step is None else part + step
                return features(generator, view, shifted, seed + start).flatten(1)

            reference = look()
            deltas = torch.stack([look(step) - reference for step in steps])
            lengths = deltas.norm(dim=2)
            deviation += float(reference.std(dim=1).sum()) * values**0.5
            change += lengths.sum(dim=1).cpu().double()
            products = torch.bmm(deltas.transpose(0, 1), deltas.permute(1, 2, 0)).abs()
            norms = (lengths.T[:, :, None] * lengths.T[:, None, :]).clamp_min(_TINY)
            cosine += (products / norms).sum(dim=0).cpu().double()
            for i, step in enumerate(steps):
                straightness[i] += float(_straightness(look, step, reference, reference + deltas[i]).sum())
            for i, j in pairs:
                mixed = (look(steps[i] + steps[j]) - reference - deltas[i] - deltas[j]).norm(dim=1)
                # The mixed term is the same for i after j and for j after i.
                interaction[i, j] += float((mixed / lengths[i].clamp_min(_TINY)).sum())
                interaction[j, i] += float((mixed / lengths[j].clamp_min(_TINY)).sum())
            if on_share is not None:
                on_share(min(1.0, (start + block) / samples))
    alive = change > _DEAD * deviation
    paired = torch.zeros(n, n, dtype=torch.bool)
    for i, j in pairs:
        paired[i, j] = paired[j, i] = True
    return ChangeScores(
        straightness=torch.where(alive, straightness / samples, torch.nan).float(),
        interaction=_mean_over(interaction / samples, alive, paired),
        distinctness=1 - _mean_over(cosine / samples, alive, ~torch.eye(n, dtype=torch.bool)),
    )


def latents_of_changes(n: int, samples: int) -> int:
    """Latents that `change_scores` of n directions synthesises; the first tells how large features are."""
    return 1 + samples * (1 + n + n * (PATH_STEPS - 1) + len(_pairs(n)))


def _pairs(n: int) -> list[tuple[int, int]]:
    """Each of n directions with its partners."""
    pairs = {
        (min(i, j), max(i, j)) for i in range(n) for j in ((i + k) % n for k in range(1, min(PARTNERS, n - 1) + 1))
    }
    return sorted(pairs)


def _straightness(look: Callable[[Tensor], Tensor], step: Tensor, middle: Tensor, end: Tensor) -> Tensor:
    """Chord over path (b,) from minus the step to the step, given the features unshifted and at the end."""
    start = previous = look(-step)
    length = torch.zeros(len(end), device=end.device)
    known = {PATH_STEPS // 2: middle, PATH_STEPS: end}
    for k in range(1, PATH_STEPS + 1):
        here = known[k] if k in known else look((2 * k / PATH_STEPS - 1) * step)
        length += (here - previous).norm(dim=1)
        previous = here
    return (end - start).norm(dim=1) / length.clamp_min(_TINY)


def _mean_over(values: Tensor, alive: Tensor, chosen: Tensor) -> Tensor:
    """Mean (n,) of the chosen entries of each row, of living directions with living ones; NaN if there are none."""
    counted = chosen & alive[:, None] & alive
    counts = counted.sum(dim=1)
    return torch.where(counts > 0, (values * counted).sum(dim=1) / counts.clamp_min(1), torch.nan).float()
