"""The settings of a report. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.options import check_settings, option
from ganwalk.ranges import LAYERS, SEEDS

if TYPE_CHECKING:
    from ganwalk.samples import Samples


@dataclass(frozen=True)
class ReportSettings:
    """Options of `ganwalk report`.

    Raises:
        GanwalkError: on construction, if there is nothing to show, or too much for one strip.
    """

    seeds: tuple[int, ...] = option((1, 2), "Samples that every direction is shown on.", text=SEEDS)
    amplitude: float = option(3.0, "Ends of the strips, in standard deviations along a direction.", above=0)
    steps: int = option(13, "Pictures from end to end.", at_least=2, at_most=101)
    truncation_psi: float = option(1.0, "Truncation psi of the samples.", "--truncation")
    truncation_cutoff: int | None = option(None, "Truncate only this many first layers.", at_least=1, shown="all")
    class_index: int | None = option(
        None, "Class of a conditional generator.", "--class", at_least=0, shown="as discovered"
    )
    layers: tuple[int, int] | None = option(None, "Shift only these layers.", text=LAYERS, shown="as discovered")
    hidden: bool = option(False, "Show the hidden directions, too.", "--hidden")
    batch: int = option(8, "Images at once (memory).", at_least=1)

    def __post_init__(self) -> None:
        check_settings(self)
        if not self.seeds:
            raise GanwalkError("a report needs at least one sample: give --seeds such as 1-2")

    @property
    def samples(self) -> Samples:
        """What every direction is shown on."""
        from ganwalk.samples import DrawnSamples

        return DrawnSamples(self.seeds, self.truncation_psi, self.truncation_cutoff, self.class_index)
