"""Options of latents and of shifts that many rooms have, stated once, and what they may be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

from ganwalk.errors import GanwalkError
from ganwalk.options.fields import option

# Of settings that have a `class_field` as their class_index.
T = TypeVar("T", bound=Any)
# Standard deviations of a shift. Beyond it, images have long been saturated, and numbers overflow.
MAX_AMPLITUDE = 1000.0
# Truncation psi, on either side of 0.
MAX_PSI = 10.0


def amplitude_field(default: float, help: str) -> Any:
    """The length of shifts, in standard deviations."""
    return option(default, help, above=0, at_most=MAX_AMPLITUDE)


def psi_field(of: str) -> Any:
    """The truncation psi of the samples, or of the batches."""
    return option(1.0, f"Truncation psi of the {of}.", "--truncation", at_least=-MAX_PSI, at_most=MAX_PSI)


def cutoff_field() -> Any:
    """How many layers are truncated."""
    return option(None, "Truncate only this many first layers.", at_least=1, shown="all")


def class_field(shown: str = "as discovered") -> Any:
    """The class of a conditional generator."""
    return option(None, "Class of a conditional generator.", "--class", at_least=0, shown=shown)


def as_discovered(settings: T, class_index: int | None) -> T:
    """Settings with the class that directions were found for, where nobody has chosen another."""
    return settings if settings.class_index is not None else replace(settings, class_index=class_index)


def check_images_differ(truncation_psi: float) -> None:
    """Raises GanwalkError where truncation makes all images the same one, of which nothing can be told."""
    if truncation_psi == 0:
        raise GanwalkError("truncation must not be 0, where all images are one")
