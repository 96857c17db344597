"""The settings of a projection, and their resolution against a generator. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError
from ganwalk.options import check_settings, option

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator

SPACES = ("w", "w+", "z")
# Pixels on a side up to which an image takes a fraction of a second: steps and candidates there, and beyond.
_SMALL = 128
_STEPS, _CANDIDATES = (200, 80), (512, 16)


@dataclass(frozen=True)
class ProjectionSettings:
    """Options of `ganwalk project`; None means: chosen for the generator.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    steps: int | None = option(
        None, "Optimisation steps.", at_least=1, at_most=100_000, shown="200, or 80 above 128 px"
    )
    space: str | None = option(
        None,
        "What is optimised: one style (w), a style for each layer (w+, closer to the picture), or the latent code (z).",
        choices=SPACES,
        shown="w+, or z if the generator has no w",
    )
    candidates: int | None = option(
        None,
        "Sampled images, the nearest of which the optimisation starts from.",
        at_least=1,
        at_most=100_000,
        shown="512, or 16 above 128 px",
    )
    class_index: int | None = option(
        None, "Class of a conditional generator; a code (z) needs one.", "--class", at_least=0, shown="any"
    )
    seed: int = option(0, "Fixes everything random.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)

    def resolve(self, generator: Generator) -> ProjectionSettings:
        """These settings with None entries filled in, checked against the generator.

        Raises:
            GanwalkError: the generator lacks the space or the class, or a code of it would need one.
        """
        from ganwalk.generators.base import check_class

        check_class(generator, self.class_index)
        space = self.space or ("w+" if generator.style_based else "z")
        if space != "z" and not generator.style_based:
            raise GanwalkError(f"this generator has no w space: use --space z instead of {space}")
        if space == "z" and generator.c_dim > 0 and self.class_index is None:
            raise GanwalkError("latent codes of a class-conditional generator need their class: give --class")
        large = generator.resolution > _SMALL
        return replace(
            self,
            space=space,
            steps=_STEPS[large] if self.steps is None else self.steps,
            candidates=_CANDIDATES[large] if self.candidates is None else self.candidates,
        )
