"""The settings of an animation, and their resolution against a generator. Importing this loads no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError, one_line
from ganwalk.options import TextForm, check_settings, option
from ganwalk.options.latents import MAX_PSI

if TYPE_CHECKING:
    from ganwalk.generators.base import Generator

INTERPOLATIONS = ("slerp", "linear", "spline")
PACES = ("steady", "even")
_LARGEST = 4096
# Pixels on a side from which an image is shown as it is; smaller ones are enlarged by a whole number.
_SEEN = 256


def parse_truncation(text: str) -> tuple[float, float]:
    """The first and last psi of "0.7" or "0.5..1"; GanwalkError if the text is none of these, or too large."""
    first, dots, last = text.partition("..")
    try:
        ends = float(first), float(last if dots else first)
    except ValueError:
        ends = math.nan, math.nan
    if not all(map(math.isfinite, ends)):
        raise GanwalkError(f"--truncation {one_line(text, 40)!r} is neither a number such as 0.7 nor a sweep: 0.5..1")
    if max(map(abs, ends)) > MAX_PSI:
        raise GanwalkError(
            f"--truncation {one_line(text, 40)!r} is out of bounds: between -{MAX_PSI:g} and {MAX_PSI:g}"
        )
    return ends


def format_truncation(ends: tuple[float, float]) -> str:
    """The text that `parse_truncation` reads."""
    return f"{ends[0]:g}" if ends[0] == ends[1] else f"{ends[0]:g}..{ends[1]:g}"


@dataclass(frozen=True)
class AnimationSettings:
    """Options of `ganwalk animate`; None means: chosen for the generator and the keyframes.

    Raises:
        GanwalkError: on construction, if a value is out of its bounds.
    """

    interpolation: str | None = option(
        None,
        "The way between keyframes: slerp in z, linear in w, or a spline in w, which passes them without a bend.",
        choices=INTERPOLATIONS,
        shown="spline, or slerp if the generator has no w",
    )
    loop: bool = option(False, "Go on from the last keyframe to the first, so that the end joins the beginning.")
    ease: bool | None = option(
        None, "Start and stop smoothly at every keyframe.", shown="yes where a direction is walked, otherwise no"
    )
    pace: str = option(
        "steady",
        "Speed of the way: equal time for every part of it (steady), or for every change of the picture (even).",
        choices=PACES,
    )
    seconds: float = option(
        2.0, "Time from one keyframe to the next, on average, and of each walk.", above=0, at_most=3600
    )
    fps: int = option(24, "Frames a second.", at_least=1, at_most=120)
    size: int | None = option(
        None,
        "Pixels on a side of the video.",
        at_least=16,
        at_most=_LARGEST,
        shown="those of an image; small ones are enlarged to 256 or more",
    )
    truncation: tuple[float, float] = option(
        (1.0, 1.0),
        "Truncation psi, or a sweep from one to another; --loop sweeps there and back.",
        text=TextForm("PSI or A..B", parse_truncation, format_truncation),
    )

    def __post_init__(self) -> None:
        check_settings(self)

    @property
    def sweeps(self) -> bool:
        """Whether the truncation changes."""
        return self.truncation[0] != self.truncation[1]

    @property
    def frames(self) -> int:
        """Of each transition, on average, and of each walk."""
        return max(1, round(self.seconds * self.fps))

    def resolve(self, generator: Generator, *, codes: bool, walks: bool) -> AnimationSettings:
        """These settings with None entries filled in, checked against the generator.

        Args:
            codes: whether the codes z of all keyframes are known.
            walks: whether a direction is walked.
        Raises:
            GanwalkError: the interpolation needs a space that is not there.
        """
        default = "spline" if generator.style_based else "slerp"
        interpolation = self.interpolation or default
        if interpolation == "slerp" and not codes:
            raise GanwalkError("slerp goes through codes z, but styles w are given: use --interpolation spline")
        if interpolation != "slerp" and not generator.style_based:
            raise GanwalkError(f"this generator has no w space: use --interpolation slerp instead of {interpolation}")
        enlarged = generator.resolution * max(1, -(-_SEEN // generator.resolution))
        return replace(
            self,
            interpolation=interpolation,
            ease=walks if self.ease is None else self.ease,
            # Codecs ask for even sides.
            size=min(enlarged + enlarged % 2, _LARGEST) if self.size is None else self.size,
        )
