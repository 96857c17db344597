"""How far directions may be walked, and how fast: what `ganwalk.calibration` measures and a directions file keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from ganwalk.errors import GanwalkError

if TYPE_CHECKING:
    from torch import Tensor

# Values of a pace that a file may hold: of a thousand directions far more than is ever measured.
_MAX_STEPS = 1000
# Of two amplitudes that are one but for rounding.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class Reach:
    """How far each direction may be walked before pictures leave the distribution, and an even pace up to there.

    Attributes:
        ends: (n, 2) amplitudes in σ, not negative: how far backwards, and how far forwards.
        pace: (n, 2, m) amplitudes that rise to `ends`: entry k is where the picture has changed by (k + 1)/m of all
            that it changes on the way to the end.
        limit: amplitude up to which was measured; an end that is there may be farther away.
        share: of the samples, that has left the distribution at the ends.
    Raises:
        GanwalkError: on construction, if the values do not agree with this.
    """

    ends: Tensor
    pace: Tensor
    limit: float
    share: float

    def __post_init__(self) -> None:
        ends, pace = self.ends, self.pace
        if ends.ndim != 2 or ends.shape[1] != 2 or len(ends) == 0:
            raise GanwalkError(f"the reach must be two numbers per direction, not of shape {tuple(ends.shape)}")
        if pace.ndim != 3 or pace.shape[:2] != ends.shape or not 1 <= pace.shape[2] <= _MAX_STEPS:
            raise GanwalkError(f"the pace must be (n, 2, m), not of shape {tuple(pace.shape)}")
        if not (0 < self.limit < float("inf") and 0 < self.share < 1):
            raise GanwalkError(f"the reach is measured up to {self.limit} σ, of a share of {self.share}")
        for name, values in (("reach", ends), ("pace", pace)):
            if values.dtype != torch.float32 or not torch.isfinite(values).all():
                raise GanwalkError(f"the {name} holds values that are no finite float32")
        if (ends < 0).any() or (ends > self.limit * (1 + _ROUNDING)).any():
            raise GanwalkError(f"the reach must be from 0 to {self.limit:g} σ")
        if (pace < 0).any() or (pace.diff(dim=2) < 0).any():
            raise GanwalkError("the pace must not turn back")
        if (pace[..., -1] - ends).abs().max() > _ROUNDING * self.limit:
            raise GanwalkError("the pace must end at the reach")

    def __len__(self) -> int:
        return len(self.ends)

    def ends_of(self, index: int) -> tuple[float, float]:
        """The amplitudes at both ends: the first one is not positive, the second one not negative."""
        back, forth = self.ends[index].tolist()
        return -back, forth

    def amplitude(self, index: int, position: float) -> float:
        """The amplitude at a position from -1 to 1, where equal steps on either side of 0 change pictures alike."""
        if not -1 <= position <= 1:
            raise GanwalkError(f"a position is from -1 to 1, not {position:g}")
        knots = self.knots(index)
        place = (position + 1) / 2 * (len(knots) - 1)
        below = min(int(place), len(knots) - 2)
        return knots[below] + (place - below) * (knots[below + 1] - knots[below])

    def knots(self, index: int) -> list[float]:
        """The amplitudes (2 m + 1) of an even pace from end to end, 0 in the middle."""
        back, forth = self.pace[index].tolist()
        return [*(-amplitude for amplitude in reversed(back)), 0.0, *forth]

    def words(self, index: int) -> str:
        """Such as "−2.4 to +3.1 σ"; ends at which pictures were still in the distribution have a ≥ or ≤."""
        back, forth = self.ends_of(index)
        beyond = self.limit * (1 - _ROUNDING)
        first = f"{'≤ ' if -back >= beyond else ''}{-abs(back):.1f}".replace("-", "−")
        return f"{first} to {'≥ ' if forth >= beyond else ''}+{forth:.1f} σ"

    def select(self, indices: Sequence[int]) -> Reach:
        """That of the directions at `indices`, in that order."""
        rows = torch.tensor(list(indices), dtype=torch.long, device=self.ends.device)
        return replace(self, ends=self.ends[rows], pace=self.pace[rows])

    def flipped(self, indices: Sequence[int]) -> Reach:
        """That of the directions, those at `indices` the other way round."""
        ends, pace = self.ends.clone(), self.pace.clone()
        for index in set(indices):
            ends[index], pace[index] = ends[index].flip(0), pace[index].flip(0)
        return replace(self, ends=ends, pace=pace)

    def to(self, device: torch.device | str) -> Reach:
        """The same with its tensors on another device."""
        return replace(self, ends=self.ends.to(device), pace=self.pace.to(device))


def merged(parts: Sequence[Reach | None]) -> Reach | None:
    """That of the directions of several files one after another; None unless all were measured alike."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({(part.limit, part.share, part.pace.shape[2]) for part in known}) > 1:
        return None
    ends, pace = (torch.cat([getattr(part, name).cpu() for part in known]) for name in ("ends", "pace"))
    return replace(known[0], ends=ends, pace=pace)
