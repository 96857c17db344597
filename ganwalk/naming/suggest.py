"""Names for all directions of a file: after factors where something reads them, otherwise after what pictures show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import FactorReader, factor_reader
from ganwalk.generators.base import Generator, device_of
from ganwalk.generators.timing import seconds_per_latent
from ganwalk.naming.appearance import appearance_of
from ganwalk.naming.settings import NamingSettings
from ganwalk.naming.words import Suggestion, after_appearance, after_factor
from ganwalk.options.latents import as_discovered
from ganwalk.progress.callbacks import OnShare, share_counter
from ganwalk.rendering.images import traverse
from ganwalk.rendering.saliency import reduced
from ganwalk.samples import DrawnSamples


def choose_reader(generator: Generator, by: str, reader: FactorReader | None = None) -> FactorReader | None:
    """What reads the factors that names are after, or None if they are after the look of pictures.

    Args:
        by: as `NamingSettings` has it.
        reader: of a classifier; None takes what ganwalk has for the generator.
    Raises:
        GanwalkError: names are to be after factors, and nothing reads any; or a reader is given for nothing.
    """
    if by == "look":
        if reader is not None:
            raise GanwalkError("--by look reads no factors: leave --classifier out")
        return None
    reader = reader or factor_reader(generator)
    if by == "factors" and reader is None:
        raise GanwalkError("nothing reads factors of this generator: give --classifier FILE, or leave --by out")
    return reader


def suggest_names(
    generator: Generator,
    directions: Directions,
    settings: NamingSettings,
    *,
    reader: FactorReader | None,
    on_share: OnShare | None = None,
) -> list[Suggestion]:
    """One suggestion for each direction.

    Args:
        settings: None entries are chosen for the generator.
        reader: from `choose_reader`.
    Raises:
        GanwalkError: the directions or the settings do not fit the generator.
    """
    options = as_discovered(settings, directions.class_index).resolve(generator)
    directions = directions.to(device_of(generator))
    if reader is None:
        return _after_look(generator, directions, options, on_share)
    assert options.samples is not None
    scores = effect_scores(
        generator,
        directions,
        reader,
        samples=options.samples,
        amplitude=options.amplitude,
        seed=options.seed,
        truncation_psi=options.truncation_psi,
        truncation_cutoff=options.truncation_cutoff,
        class_index=options.class_index,
        chunk=options.batch,
        on_share=on_share,
    )
    assert scores.signed is not None
    rows = zip(scores.matrix.tolist(), scores.signed.tolist(), strict=True)
    return [after_factor(reader.factors, effects, signed, options.purity) for effects, signed in rows]


def seconds_of_naming(
    generator: Generator, directions: Directions, settings: NamingSettings, reader: FactorReader | None
) -> float:
    """Roughly what `suggest_names` takes on this machine."""
    if reader is not None and not reader.needs_images:
        return 0.0
    options = settings.resolve(generator)
    assert options.samples is not None
    images = options.samples * (1 + 2 * len(directions))
    return images * seconds_per_latent(generator, batch=min(4, options.batch))


def _after_look(
    generator: Generator, directions: Directions, options: NamingSettings, on_share: OnShare | None
) -> list[Suggestion]:
    """Pictures are made of a few samples at once, and kept as small as maps are."""
    assert options.samples is not None
    seeds = range(options.seed, options.seed + options.samples)
    groups = [
        DrawnSamples(
            tuple(seeds[start : start + options.batch]),
            options.truncation_psi,
            options.truncation_cutoff,
            options.class_index,
        )
        for start in range(0, len(seeds), options.batch)
    ]
    count = share_counter(options.samples * (1 + 2 * len(directions)), on_share)

    def pictures(edit: Sequence[Move], amplitude: float) -> np.ndarray:
        making: dict[str, Any] = {"batch": options.batch, "on_images": count}
        parts = [traverse(generator, directions, edit, [amplitude], group, **making)[:, 0] for group in groups]
        return np.concatenate([reduced(part) for part in parts])

    before = pictures([], 0.0)
    found = []
    for index in range(len(directions)):
        ends = [pictures([Move(index)], sign * options.amplitude) for sign in (-1, 1)]
        found.append(after_appearance(appearance_of(ends[0], before, ends[1])))
    return found
