"""The commands that make what a report shows, from what its files remember."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.base import Generator
from ganwalk.generators.external import Interface
from ganwalk.records import build_record
from ganwalk.rendering.report.markup import file_name
from ganwalk.rendering.report.settings import ReportSettings

# Settings by the options that set them, in the order that a person would write them.
_OPTIONS = {
    "method": "--method",
    "n_directions": "--n-directions",
    "space": "--space",
    "subspace_dim": "--subspace-dim",
    "layers": "--layers",
    "layer": "--layer",
    "amplitude": "--amplitude",
    "start": "--start",
    "steps": "--steps",
    "batch": "--batch",
    "directions_per_step": "--per-step",
    "lr": "--lr",
    "truncation_psi": "--truncation",
    "class_index": "--class",
    "chunk": "--chunk",
    "seed": "--seed",
}


def discover_command(directions: Directions, generator: Generator) -> str | None:
    """The command that finds these directions again, or None where no command does.

    There is none for directions that were imported, or found with settings that only Python can give.
    """
    values = dict(directions.settings)
    if isinstance(values.get("layers"), list):
        values["layers"] = tuple(values["layers"])
    try:
        settings = build_record(DiscoverySettings, values)
        plain = settings.resolve(generator)
    except GanwalkError:
        return None
    # Not even the name of a setting is certain in a file of another version.
    if plain != settings or set(values) != {field.name for field in fields(DiscoverySettings)}:
        return None
    given = [name for name in values if not _is_default(name, settings, generator)]
    if any(name not in _OPTIONS and name != "equalize" for name in given):
        return None
    words = ["ganwalk", "discover", *_generator_options(directions)]
    for name, option in _OPTIONS.items():
        if name in given:
            words += [option, _shown(getattr(settings, name))]
    if "equalize" in given:
        words.append("--no-equalize")
    return _joined(words)


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
    defaults = ReportSettings()
    if settings.seeds != defaults.seeds:
        words += ["--seeds", ",".join(map(str, settings.seeds))]
    options = {
        "amplitude": "--amplitude",
        "steps": "--steps",
        "truncation_psi": "--truncation",
        "truncation_cutoff": "--truncation-cutoff",
        "class_index": "--class",
        "layers": "--layers",
    }
    for name, option in options.items():
        if getattr(settings, name) != getattr(defaults, name):
            words += [option, _shown(getattr(settings, name))]
    words += ["--hidden"] * settings.hidden + ["--no-evaluate"] * (not evaluated)
    return _joined(words)


def _is_default(name: str, settings: DiscoverySettings, generator: Generator) -> bool:
    """Whether a resolved setting is what `discover` takes if nobody says anything."""
    default = getattr(DiscoverySettings(), name)
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


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return "{}-{}".format(*value)
    return value if isinstance(value, str) else json.dumps(value)


def _joined(words: Iterable[str]) -> str:
    return shlex.join(one_line(word) for word in words)
