"""Names of what projections write. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganwalk.errors import GanwalkError

PICTURE_SUFFIX = "-projection.png"


def picture_beside(latents: Path) -> Path:
    """The picture of a file of latents."""
    return latents.with_name(latents.stem + PICTURE_SUFFIX)


def check_names(targets: Sequence[Path], photos: Sequence[Path]) -> None:
    """Raises GanwalkError if two photos would be written to one file."""
    taken: dict[Path, Path] = {}
    for target, photo in zip(targets, photos, strict=True):
        other = taken.setdefault(target.absolute(), photo)
        if other != photo:
            raise GanwalkError(f"{other} and {photo} would both be {target}: rename one of them")
