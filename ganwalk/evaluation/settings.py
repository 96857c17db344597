"""The settings of an evaluation, and their resolution against a generator. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.options import check_settings, option

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator

# Settings by which batches are drawn: of discoveries, too.
OF_BATCHES = ("truncation_psi", "truncation_cutoff", "class_index")
# Beyond it, images have long been saturated, and numbers overflow.
_MAX_AMPLITUDE = 1000.0


@dataclass(frozen=True)
class Sizes:
    """How much is made of a generator if nobody says.

    Attributes:
        samples: latents of a batch.
        changes: latents of the comparison of changes.
        pairs: of the reconstructor.
    """

    samples: int
    changes: int
    pairs: int


_SMALL = Sizes(100, 16, 1024)
# For images that take seconds.
_LARGE = Sizes(32, 8, 256)


@dataclass(frozen=True)
class EvaluationSettings:
    """Options of `ganwalk evaluate`; None means: chosen for the generator. The clouds of RTD have at most 64 samples.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    samples: int | None = option(
        None,
        "Samples to shift.",
        at_least=4,
        why="fewer have no topology to compare",
        shown="100, or 32 above 128 px",
    )
    amplitude: float = option(
        1.0, "Length of a shift in standard deviations along the direction.", above=0, at_most=_MAX_AMPLITUDE
    )
    truncation_psi: float = option(1.0, "Truncation psi of the batches.", "--truncation")
    truncation_cutoff: int | None = option(None, "Truncate only this many first layers.", at_least=1, shown="all")
    class_index: int | None = option(
        None, "Class of a conditional generator.", "--class", at_least=0, shown="as discovered"
    )
    reconstructor: bool = option(True, "Train a network that tells directions apart (slow).")
    chunk: int | None = option(
        None, "Images synthesised at once (memory).", at_least=1, shown="64, fewer for large networks"
    )
    seed: int = option(0, "Fixes everything random.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)
        if self.truncation_psi == 0:
            raise GanwalkError("truncation must not be 0, where all images are one")

    def resolve(self, generator: Generator) -> EvaluationSettings:
        """These settings with the samples filled in and every value checked against the generator."""
        from ganwalk.generators.base import check_class, check_truncation

        check_class(generator, self.class_index)
        check_truncation(generator, self.truncation_psi, self.truncation_cutoff)
        samples = default_sizes(generator).samples if self.samples is None else self.samples
        return replace(self, samples=samples)


def default_sizes(generator: Generator) -> Sizes:
    """What fits a generator, by the size of its images."""
    from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT

    return _SMALL if generator.resolution <= IMAGE_DISTANCE_LIMIT else _LARGE
