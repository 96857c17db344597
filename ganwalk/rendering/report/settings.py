"""The settings of a report. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.options import FILES, check_settings, option
from ganwalk.options.latents import amplitude_field, class_field, cutoff_field, psi_field
from ganwalk.options.ranges import LAYERS, SEED_STYLES, SEEDS

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator
    from ganwalk.samples import Samples

# By pixels on a side up to which it holds: the samples, and the pictures of each, that a report shows if nobody says.
_SHOWN = ((128, (1, 2), 13), (512, (1,), 5))
_SHOWN_OF_LARGER = ((1,), 3)


@dataclass(frozen=True)
class ReportSettings:
    """Options of `ganwalk report`; None means: chosen for the generator.

    Raises:
        GanwalkError: on construction, if there is nothing to show, or too much for one strip.
    """

    seeds: tuple[int, ...] | None = option(
        None, "Samples that every direction is shown on.", text=SEEDS, shown="1,2, or 1 above 128 px"
    )
    amplitude: float = amplitude_field(3.0, "Ends of the strips, in standard deviations along a direction.")
    steps: int | None = option(
        None, "Pictures from end to end.", at_least=2, at_most=101, shown="13, or 5 above 128 px, 3 above 512"
    )
    truncation_psi: float = psi_field("samples")
    truncation_cutoff: int | None = cutoff_field()
    class_index: int | None = class_field()
    layers: tuple[int, int] | tuple[tuple[int, int], ...] | None = option(
        None, "Shift only these layers.", text=LAYERS, shown="as discovered"
    )
    hidden: bool = option(False, "Show the hidden directions, too.", "--hidden")
    batch: int = option(8, "Images at once (memory).", at_least=1)
    latents: tuple[Path, ...] = option(
        (), "File of latents to show instead of seeds, such as of ganwalk project; may be repeated.", text=FILES
    )
    seed_style: str = option(
        "torch",
        "Whose codes seeds stand for: torch's, or those of NVIDIA's scripts, in which pictures are published.",
        choices=SEED_STYLES,
    )

    def __post_init__(self) -> None:
        check_settings(self)
        if self.seeds == ():
            raise GanwalkError("a report needs at least one sample: give --seeds such as 1-2")
        if self.latents and (self.seeds is not None or self.seed_style != SEED_STYLES[0]):
            raise GanwalkError("--latents are shown instead of seeds: leave out --seeds and --seed-style")

    def resolve(self, generator: Generator) -> ReportSettings:
        """These settings with the samples and steps filled in."""
        sized = ((seeds, steps) for limit, seeds, steps in _SHOWN if generator.resolution <= limit)
        seeds, steps = next(sized, _SHOWN_OF_LARGER)
        return replace(
            self,
            seeds=seeds if self.seeds is None and not self.latents else self.seeds,
            steps=steps if self.steps is None else self.steps,
        )

    def named(self) -> ReportSettings:
        """These settings with files by their names alone, as what is sent to others tells them."""
        return replace(self, latents=tuple(Path(file.name) for file in self.latents))

    def samples(self, generator: Generator) -> Samples:
        """What every direction is shown on; of resolved settings. GanwalkError if latents do not fit."""
        from ganwalk.interchange.latents import latent_samples, read_latents
        from ganwalk.samples import DrawnSamples

        truncation = self.truncation_psi, self.truncation_cutoff
        if self.latents:
            files = [read_latents(file) for file in self.latents]
            return latent_samples(files, generator, *truncation, self.class_index)
        assert self.seeds is not None
        return DrawnSamples(self.seeds, *truncation, self.class_index, self.seed_style)
