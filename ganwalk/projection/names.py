"""Names of what projections write, and what is in their way. Importing this loads no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganwalk.errors import GanwalkError
from ganwalk.files import check_free, check_writable

PICTURE_SUFFIX = "-projection.png"


def picture_beside(latents: Path) -> Path:
    """The picture of a file of latents."""
    return latents.with_name(latents.stem + PICTURE_SUFFIX)


def checkpoint_beside(latents: Path) -> Path:
    """What is there of a file of latents until it is finished."""
    return latents.with_name(f"{latents.stem}.checkpoint.pt")


def without_projections(found: Sequence[Path], given: Sequence[Path]) -> list[Path]:
    """Photos but for the pictures of earlier projections that lie among them, unless these were named.

    Args:
        given: what was named, files and folders.
    """
    kept = []
    for path in found:
        latents = path.with_name(path.name.removesuffix(PICTURE_SUFFIX) + ".npz")
        if path in given or not (path.name.endswith(PICTURE_SUFFIX) and latents.exists()):
            kept.append(path)
    if not kept:
        raise GanwalkError(f"{given[0]} holds nothing but pictures of projections: give a photo")
    return kept


def check_target(target: Path, resume: bool, force: bool) -> None:
    """Refuses to project where a result, or an unfinished one, is in the way."""
    checkpoint = checkpoint_beside(target)
    if resume:
        check_writable(target)
    elif checkpoint.exists() and not force:
        raise GanwalkError(
            f"{checkpoint} is a projection that was not finished: continue it with --resume, or start anew with --force"
        )
    else:
        for path in (target, picture_beside(target)):
            check_free(path, force)


def check_names(targets: Sequence[Path], photos: Sequence[Path]) -> None:
    """Raises GanwalkError if two photos would be written to one file."""
    taken: dict[Path, Path] = {}
    for target, photo in zip(targets, photos, strict=True):
        other = taken.setdefault(target.absolute(), photo)
        if other != photo:
            raise GanwalkError(f"{other} and {photo} would both be {target}: rename one of them")
