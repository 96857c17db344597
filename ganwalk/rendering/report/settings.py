"""The settings of a report."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganwalk.errors import GanwalkError
from ganwalk.samples import DrawnSamples, Samples

MAX_STEPS = 101


@dataclass(frozen=True)
class ReportSettings:
    """Options of `ganwalk report`.

    Attributes:
        seeds: samples that every direction is shown on.
        amplitude: ends of the strips, in standard deviations along a direction.
        steps: pictures from end to end.
        truncation_psi, truncation_cutoff, class_index: of the samples.
        layers: layers to shift; None takes the directions' own range.
        hidden: show directions that are hidden, too.
        batch: images synthesised at once.
    Raises:
        GanwalkError: on construction, if there is nothing to show, or too much for one strip.
    """

    seeds: tuple[int, ...] = (1, 2)
    amplitude: float = 3.0
    steps: int = 13
    truncation_psi: float = 1.0
    truncation_cutoff: int | None = None
    class_index: int | None = None
    layers: tuple[int, int] | None = None
    hidden: bool = False
    batch: int = 8

    def __post_init__(self) -> None:
        if not self.seeds:
            raise GanwalkError("a report needs at least one sample: give --seeds such as 1-2")
        if not 0 < self.amplitude < math.inf:
            raise GanwalkError(f"amplitude must be positive and finite, not {self.amplitude:g}")
        if not 2 <= self.steps <= MAX_STEPS:
            raise GanwalkError(f"steps must lie between 2 and {MAX_STEPS}, not {self.steps}")

    @property
    def samples(self) -> Samples:
        """What every direction is shown on."""
        return DrawnSamples(self.seeds, self.truncation_psi, self.truncation_cutoff, self.class_index)
