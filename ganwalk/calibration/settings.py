"""The settings of a measurement of the reach. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.options import check_settings, option
from ganwalk.options.latents import check_images_differ, class_field, cutoff_field, psi_field

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator

# Beyond it, nothing is a picture any more.
_MAX_LIMIT = 100.0


@dataclass(frozen=True)
class Sizes:
    """How much is made of a generator if nobody says.

    Attributes:
        samples: that are walked.
        steps: amplitudes on either side.
        natural: unshifted samples that the distribution is known by.
        held: others, whose distances from these are what is natural.
    """

    samples: int
    steps: int
    natural: int
    held: int


_SMALL = Sizes(32, 16, 1024, 256)
# For images that take seconds.
_LARGE = Sizes(10, 6, 128, 64)


@dataclass(frozen=True)
class ReachSettings:
    """Options of `ganwalk reach`; None means: chosen for the generator.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    samples: int | None = option(
        None,
        "Samples that are walked along every direction.",
        at_least=4,
        why="of fewer no share can be said",
        shown="32, or 10 above 128 px",
    )
    share: float = option(
        0.25, "Share of the samples that may have left the distribution at the reach.", at_least=0.01, at_most=0.99
    )
    limit: float = option(8.0, "Farthest amplitude that is tried, in σ.", above=0, at_most=_MAX_LIMIT)
    steps: int | None = option(
        None, "Amplitudes on either side.", at_least=2, at_most=1000, shown="16, or 6 above 128 px"
    )
    layer: int | None = option(
        None,
        "Layer whose features are compared.",
        at_least=0,
        shown="the image, or above 128 px the last layer of at most 32 px",
    )
    truncation_psi: float = psi_field("samples")
    truncation_cutoff: int | None = cutoff_field()
    class_index: int | None = class_field()
    chunk: int | None = option(
        None, "Images synthesised at once (memory).", at_least=1, shown="64, fewer for large networks"
    )
    seed: int = option(0, "Seed of the samples.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)
        check_images_differ(self.truncation_psi)

    def resolve(self, generator: Generator) -> ReachSettings:
        """These settings with samples and steps filled in, and every value checked against the generator."""
        from ganwalk.generators.base import check_class, check_layer, check_truncation

        check_class(generator, self.class_index)
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        check_layer(self.layer, generator.num_layers)
        sizes = default_sizes(generator)
        return replace(
            self,
            samples=sizes.samples if self.samples is None else self.samples,
            steps=sizes.steps if self.steps is None else self.steps,
        )


def default_sizes(generator: Generator) -> Sizes:
    """What fits a generator, by the size of its images."""
    from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT

    return _SMALL if generator.resolution <= IMAGE_DISTANCE_LIMIT else _LARGE
