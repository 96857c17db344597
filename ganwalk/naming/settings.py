"""The settings of automatic names. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.options import check_settings, option
from ganwalk.options.latents import amplitude_field, check_images_differ, class_field, cutoff_field, psi_field

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
    amplitude: float = amplitude_field(1.0, "Length of a shift in standard deviations along the direction.")
    purity: float = option(
        0.4,
        "Share of a direction's effects that its factor must have; with less it is called unclear.",
        at_least=0,
        at_most=1,
    )
    truncation_psi: float = psi_field("samples")
    truncation_cutoff: int | None = cutoff_field()
    class_index: int | None = class_field()
    batch: int = option(8, "Images at once (memory).", at_least=1)
    seed: int = option(0, "Seed of the samples.", at_least=0, at_most=2**32)

    def __post_init__(self) -> None:
        check_settings(self)
        check_images_differ(self.truncation_psi)

    def resolve(self, generator: Generator) -> NamingSettings:
        """These settings with the samples filled in."""
        samples = _SAMPLES if generator.resolution <= _LARGE else _FEW
        return replace(self, samples=samples if self.samples is None else self.samples)
