"""From what was measured along directions to how far they reach: pure functions of curves over a grid of amplitudes.

A sample *leaves* the distribution at the first amplitude at which its distance from it passes 1, between two of the
grid by a straight line. It *fades* at the amplitude from which on, to the end of the grid, its picture changes per σ by
less than a tenth of the most that it does anywhere on that side: farther on there is nothing to see. It *ends* at
whichever comes first, at the end of the grid if neither does. The reach on one side is the quantile of these amplitudes
at a stated share, of the samples that are within the distribution unshifted: by then that share of them has ended.

The pace inverts the picture's change along the path, C(a) = Σ ‖x(aₖ) - x(aₖ₋₁)‖ as a mean over the samples, up to the
reach r: entry k of m is the amplitude at which C is (k + 1)/m · C(r).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganwalk.directions.reach import Reach

# Steps of a pace on either side.
PACE_STEPS = 16
# Change per σ, as a share of the largest one, below which it has faded.
_FADED = 0.1
# Change along a whole side, as a share of the deviation of pictures, that is but rounding.
_DEAD = 1e-4


@dataclass(frozen=True)
class Curves:
    """What was measured of n directions, both ways (backwards first), on a grid of m + 1 amplitudes from 0.

    Attributes:
        amplitudes: (m + 1,) in σ, rising.
        distances: (n, 2, m + 1, samples) from unshifted samples, of styles and pictures together, in the units of
            `Cloud`; beyond 1 a sample is outside of the distribution.
        changes: (n, 2, m, samples) change of the picture between neighbours of the grid, root mean square, per σ.
        clamped: (n, 2, m + 1, samples) share of the picture's values at black or white or beyond; None of features.
        clamped_limit: share that 0.95 of unshifted samples have at most.
        deviation: standard deviation of the pictures that change.
    """

    amplitudes: Tensor
    distances: Tensor
    changes: Tensor
    clamped: Tensor | None
    clamped_limit: float
    deviation: float

    @property
    def inside(self) -> Tensor:
        """Which samples are within the distribution unshifted, (n, 2, samples)."""
        return self.distances[:, :, 0] <= 1

    @property
    def endings(self) -> Tensor:
        """Amplitudes (n, 2, samples) at which each sample ends."""
        amplitudes = self.amplitudes
        return torch.minimum(exits(self.distances, amplitudes), fading(self.changes, amplitudes))

    @property
    def ended(self) -> Tensor:
        """Shares (n, 2, m + 1) that have ended, of the samples that are within the distribution unshifted."""
        over = self.endings[:, :, None] < self.amplitudes[:, None]
        counted = self.inside[:, :, None]
        return (over & counted).float().sum(dim=3) / counted.float().sum(dim=3).clamp_min(1)

    @property
    def saturated(self) -> Tensor | None:
        """Shares (n, 2, m + 1) of samples with more clamped values than is natural, or None of features."""
        return None if self.clamped is None else (self.clamped > self.clamped_limit).float().mean(dim=3)

    @property
    def change(self) -> Tensor:
        """Mean change (n, 2, m) per σ over the samples."""
        return self.changes.mean(dim=3)


def reach_of(curves: Curves, share: float) -> Reach:
    """The reach and the pace of the directions, as described above."""
    amplitudes = curves.amplitudes
    ends = torch.tensor(
        [
            [_quantile(side[counted], share) for side, counted in zip(*direction, strict=True)]
            for direction in zip(curves.endings, curves.inside, strict=True)
        ]
    )
    widths = amplitudes.diff()
    travelled = torch.cat([torch.zeros(*ends.shape, 1), (curves.change * widths).cumsum(dim=2)], dim=2)
    pace = torch.stack(
        [
            torch.stack(
                [
                    even_pace(along, amplitudes, float(end), still=_DEAD * curves.deviation)
                    for along, end in zip(*direction, strict=True)
                ]
            )
            for direction in zip(travelled, ends, strict=True)
        ]
    )
    return Reach(ends, pace, limit=float(amplitudes[-1]), share=share)


def exits(distances: Tensor, amplitudes: Tensor) -> Tensor:
    """Where each sample leaves (…, samples), from distances (…, m + 1, samples); the last amplitude if it stays."""
    outside = distances > 1
    # The first that is outside, and the one before it.
    after = outside.int().argmax(dim=-2)
    before = (after - 1).clamp_min(0)
    low, high = (distances.gather(-2, k.unsqueeze(-2)).squeeze(-2) for k in (before, after))
    # A step to infinity is left where it begins.
    part = ((1 - low) / (high - low).clamp_min(1e-12)).nan_to_num(0.0).clamp(0, 1)
    where = amplitudes[before] + part * (amplitudes[after] - amplitudes[before])
    return torch.where(outside.any(dim=-2), where, amplitudes[-1])


def fading(changes: Tensor, amplitudes: Tensor) -> Tensor:
    """From where on each picture hardly changes (…, samples), from changes per σ (…, m, samples)."""
    alive = (changes >= _FADED * changes.amax(dim=-2, keepdim=True)).int()
    # From the far end: how many intervals there are up to the last one in which something happens.
    count = alive.shape[-2] - alive.flip(-2).argmax(dim=-2)
    return amplitudes[count]


def even_pace(travelled: Tensor, amplitudes: Tensor, end: float, *, still: float) -> Tensor:
    """Amplitudes (`PACE_STEPS`,) up to an end between which equal parts of the way to it lie.

    Args:
        travelled: (m + 1,) change of the picture from 0 to each amplitude, along the path.
        still: way to the end that is but rounding: then the amplitudes are even.
    """
    way, grid = travelled.double().numpy(), amplitudes.double().numpy()
    whole = float(np.interp(end, grid, way))
    shares = np.arange(1, PACE_STEPS + 1) / PACE_STEPS
    found = shares * end
    if whole > still:
        found = np.minimum(np.interp(shares * whole, way, grid), end)
        found[-1] = end
    return torch.from_numpy(found).float()


def _quantile(values: Tensor, share: float) -> float:
    """Between two values by a straight line; 0 of none."""
    return float(values.quantile(share)) if len(values) > 0 else 0.0
