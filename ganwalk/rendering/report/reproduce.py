"""The commands that make what a report shows, from what its files remember."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace

from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.discovery.methods import METHODS
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError, one_line
from ganwalk.evaluation.factors import factor_reader
from ganwalk.generators.base import Generator
from ganwalk.generators.calls import Interface
from ganwalk.options import completed
from ganwalk.options.records import as_tuples, build_record
from ganwalk.options.words import command_words
from ganwalk.rendering.report.markup import file_name
from ganwalk.rendering.report.settings import ReportSettings


def discover_command(directions: Directions, generator: Generator) -> str | None:
    """The command that finds these directions again, or None where no command does.

    There is none for directions that were imported, found with settings that only Python can give, or told the factors
    by a classifier, whose file nothing remembers.
    """
    chosen = directions.settings.get("method")
    # What a matrix was imported from is in its settings, and no method's are.
    if not isinstance(chosen, str) or chosen not in METHODS:
        return None
    if directions.method not in (METHODS[chosen].candidates or (chosen,)):
        return None
    if METHODS[chosen].fit is not None and factor_reader(generator) is None:
        return None
    values = completed(DiscoverySettings, directions.settings)
    values = {name: as_tuples(value) for name, value in values.items()}
    try:
        stored = build_record(DiscoverySettings, values)
        settings = stored.resolve(generator)
    except GanwalkError:
        return None
    # What an older version did not store may be filled in; what is stored is resolved already.
    if any(getattr(settings, name) != getattr(stored, name) for name in directions.settings):
        return None
    base = DiscoverySettings()
    given = command_words(settings, base, is_default=lambda name: _is_default(name, settings, base, generator))
    return None if given is None else _joined(["ganwalk", "discover", *_generator_options(directions), *given])


def report_command(directions: Directions, directions_file: str, settings: ReportSettings, evaluated: bool) -> str:
    """The command that writes a report with these settings.

    Args:
        directions_file: name of the file with the directions.
        evaluated: whether it has scores.
    """
    words = ["ganwalk", "report"]
    if file_name(directions_file) != DIRECTIONS_FILE:
        words += ["--directions", file_name(directions_file)]
    if directions.generator.interface:
        words += _generator_options(directions)
    given = command_words(settings.named(), ReportSettings(), without=("batch",))
    assert given is not None
    return _joined([*words, *given, *["--no-evaluate"] * (not evaluated)])


def _is_default(name: str, settings: DiscoverySettings, base: DiscoverySettings, generator: Generator) -> bool:
    """Whether a resolved setting is what `discover` takes if nobody says anything."""
    default = getattr(base, name)
    try:
        left = replace(settings, **{name: default}).resolve(generator)
    except GanwalkError:
        return False
    return bool(getattr(left, name) == getattr(settings, name))


def _generator_options(directions: Directions) -> list[str]:
    identity = directions.generator
    words = ["--generator", file_name(identity.reference)]
    if identity.architecture == "torchscript":
        words.append("--trust")
    if identity.interface:
        interface = Interface.from_text(identity.interface)
        if interface.latent_dim is not None:
            words += ["--latent-dim", str(interface.latent_dim)]
        if interface.image_range is not None:
            words += ["--image-range", "{!r},{!r}".format(*interface.image_range)]
    return words


def _joined(words: Iterable[str]) -> str:
    return shlex.join(one_line(word) for word in words)
