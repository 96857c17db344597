"""The settings of automatic names. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.options import check_settings, option

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator

# Samples up to this many pixels on a side, and above, where an image takes a second or more.
_LARGE = 128
_SAMPLES, _FEW = 100, 6


@dataclass(frozen=True)
class NamingSettings:
    """Options of `ganwalk name --auto`; None means: chosen for the generator.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    by: str = option(
        "auto",
        "What names are after: factors, or the look of the pictures. auto: factors, where any are read.",
        choices=("auto", "factors", "look"),
    )
    samples: int | None = option(
        None,
        "Samples to shift.",
        at_least=2,
        why="one alone has nothing to vary",
        shown=f"{_SAMPLES}, or {_FEW} above {_LARGE} px",
    )
    amplitude: float = option(
        1.0, "Length of a shift in standard deviations along the direction.", above=0, at_most=1000
    )
    purity: float = option(
        0.4,
        "Share of a direction's effects that its factor must have; with less it is called unclear.",
        at_least=0,
        at_most=1,
    )
    truncation_psi: float = option(1.0, "Truncation psi of the samples.", "--truncation")
    truncation_cutoff: int | None = option(None, "Truncate only this many first layers.", at_least=1, shown="all")
    class_index: int | None = option(
        None, "Class of a conditional generator.", "--class", at_least=0, shown="as discovered"
    )
    batch: int = option(8, "Images at once (memory).", at_least=1)
    seed: int = option(0, "Seed of the samples.", at_least=0, at_most=2**32)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.truncation_psi == 0:
            raise GanwalkError("truncation must not be 0, where all images are one")

    def resolve(self, generator: Generator) -> NamingSettings:
        """These settings with the samples filled in."""
        samples = _SAMPLES if generator.resolution <= _LARGE else _FEW
        return replace(self, samples=samples if self.samples is None else self.samples)
