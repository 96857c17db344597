"""What somebody drops on a page: latents, which are shown, or a photo, whose latents are looked for."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganwalk.directions import Directions
from ganwalk.discovery.view import default_chunk
from ganwalk.errors import GanwalkError, one_line
from ganwalk.explore.state import MAX_SEEDS
from ganwalk.interchange.contents import is_contents
from ganwalk.interchange.latents import LatentsFile, latent_samples, read_latents
from ganwalk.pictures.photos import Photo, read_photo
from ganwalk.projection.run import Ongoing, Prepared, Projection, begin_projection, prepare
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.samples import StoredSamples

# Bytes of a file that a page takes, and values of the array in it: it may be packed.
MAX_BYTES = 2**25
_MAX_VALUES = 2**24
_MAX_NAME = 80


@dataclass(frozen=True)
class Arrival:
    """What came.

    Attributes:
        found: a photo, or samples that can be shown.
        label: what a photo is called.
        notes: what somebody should know of how it was read.
    """

    found: Photo | StoredSamples
    label: str
    notes: tuple[str, ...] = ()


def read_arrival(
    name: str, data: bytes, generator: Any, sides: Iterable[Directions], class_index: int | None
) -> Arrival:
    """A file that was sent: what it is, its content tells, and nothing in it is run.

    Args:
        name: of the file where it came from.
        sides: the directions that are to be walked.
        class_index: of latent codes.
    Raises:
        GanwalkError: it is neither, damaged or too large, or does not fit the generator or the directions.
    """
    if len(data) > MAX_BYTES:
        raise GanwalkError(f"{one_line(name, _MAX_NAME)} is larger than {MAX_BYTES >> 20} MB: give a smaller file")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _file_name(name)
        path.write_bytes(data)
        try:
            if is_contents(data[:64]):
                file = read_latents(path, max_values=_MAX_VALUES)
                samples, notes = given_latents([file], generator, sides, class_index)
                return Arrival(samples, samples.summary, notes)
            photo = read_photo(path, generator.image_size)
        except GanwalkError as error:
            # Where the file lies for the moment is nobody's business.
            raise GanwalkError(str(error).replace(f"{folder}{os.sep}", "")) from error
    return Arrival(photo, one_line(path.stem, 40), photo.notes)


def given_latents(
    files: Sequence[LatentsFile], generator: Any, sides: Iterable[Directions], class_index: int | None
) -> tuple[StoredSamples, tuple[str, ...]]:
    """The samples in files, as many as are shown side by side, and notes; otherwise as `read_arrival`."""
    samples = latent_samples(files, generator, class_of_codes=class_index)
    check_walkable(samples, sides)
    if len(samples) <= MAX_SEEDS:
        return samples, ()
    return samples.select(range(MAX_SEEDS)), (f"the first {MAX_SEEDS} of {len(samples)} samples",)


def check_walkable(samples: StoredSamples, sides: Iterable[Directions]) -> None:
    """Raises GanwalkError if directions cannot shift these samples."""
    if samples.space == "w" and any(directions.space == "z" for directions in sides):
        raise GanwalkError(
            f"{samples.summary:.80}: styles, which directions in z cannot shift: open directions in w, or give codes z"
        )


class Projector:
    """Projections onto one generator, in pieces, each short enough for others to wait for.

    What projections share is made once for each space and class.

    Args:
        generator: whose latents are looked for.
    """

    def __init__(self, generator: Any):
        self._generator = generator
        self._prepared: dict[ProjectionSettings, Prepared] = {}
        # Of candidates, made in one piece.
        self._block = default_chunk(generator, generator.num_layers - 1)

    def settings(self, sides: Iterable[Directions], class_index: int | None) -> ProjectionSettings:
        """How a photo is projected so that directions can shift it; GanwalkError if that needs a class."""
        in_codes = any(directions.space == "z" for directions in sides) or not self._generator.style_based
        return ProjectionSettings(space="z" if in_codes else "w+", class_index=class_index).resolve(self._generator)

    def candidates(self, settings: ProjectionSettings) -> float:
        """Makes some more candidates, and returns the share of them that is there."""
        wanted = settings.candidates
        assert wanted is not None
        ready = self._prepared.get(settings)
        if ready is None:
            ready = prepare(self._generator, replace(settings, candidates=min(wanted, self._block)))
        elif len(ready.candidates.codes) < wanted:
            there = len(ready.candidates.codes)
            ready = ready.sampled(min(wanted - there, self._block), seed=there)
        self._prepared[settings] = ready
        return len(ready.candidates.codes) / wanted

    def begin(self, settings: ProjectionSettings, photo: Photo) -> Ongoing:
        """The projection of a photo, once there are candidates."""
        return begin_projection(self._prepared[settings], photo.image(1 if self._generator.img_channels < 3 else 3))


def projected_samples(found: Projection, label: str) -> StoredSamples:
    """What a projection has found, to be shown: codes, where these were looked for."""
    if found.codes is None:
        return StoredSamples(found.styles, "w", (label,))
    return StoredSamples(found.codes, "z", (label,), class_index=found.settings.class_index)


def _file_name(name: str) -> str:
    """A name without folders and whatever else file systems make of it."""
    kept = re.sub(r"[^\w.() +-]", "_", re.split(r"[/\\]", name)[-1])
    return kept[-_MAX_NAME:].lstrip(". ") or "file"
