"""The directions of a page: of a file, or of a method that finds them at once; one side of them, or two to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganwalk.directions import Directions
from ganwalk.discovery.methods import METHODS
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import device_of
from ganwalk.generators.channels import space_dim
from ganwalk.layers import Layers

# That a method finds, if there is nothing to compare them with.
_DIRECTIONS = 20


@dataclass
class Side:
    """Directions of one side of the page.

    Attributes:
        directions: with the labels as they are in the file.
        path: their file; None for directions that were found for this comparison only, whose names are not kept.
        scores: what `Evaluation.to_json` gives, once it is known.
    """

    directions: Directions
    path: Path | None
    scores: dict[str, Any] | None = None

    @property
    def title(self) -> str:
        """What a page calls this side."""
        return f"{self.directions.method}, {self.path}" if self.path else self.directions.method


def choose_sides(
    source: str,
    against: str | None,
    generator_name: str | None,
    device: str,
    *,
    loaded: Any = None,
    on_bytes: Callable[[int, int | None], None] | None = None,
    **external: Any,
) -> tuple[Any, list[Side]]:
    """The generator, and the directions of A and, if something is compared, of B, on their device.

    Args:
        source: a directions file, or a method with a closed form.
        against: likewise, or None.
        generator_name: checkpoint or name; None takes the one that the file belongs to.
        loaded: a generator that is there already, and is taken where none is named and the directions are its own.
        on_bytes: called with bytes done and in all while something is downloaded.
        external: of generators that are code, as `load_generator` has them.
    Raises:
        GanwalkError: a method without a generator, directions of different generators, or a file that cannot be read.
    """
    from ganwalk.generators.loading import load_directions_generator, load_generator

    if source in METHODS:
        if generator_name is not None:
            generator = load_generator(generator_name, device, on_bytes, **external)
        elif loaded is not None:
            generator = loaded
        else:
            raise GanwalkError(f"directions of {source} need a generator to be found in: give --generator FILE")
        sides = [found_side(generator, source, _DIRECTIONS)]
    else:
        sides = [open_side(Path(source))]
        identity = sides[0].directions.generator
        if generator_name is None and loaded is not None and loaded.identity.same_network(identity):
            generator = loaded
        else:
            generator = load_directions_generator(identity, generator_name, device, on_bytes, **external)
    ours = sides[0].directions
    if against is not None and against not in METHODS and Path(against).exists():
        sides.append(open_side(Path(against)))
        if not sides[1].directions.generator.same_network(ours.generator):
            raise GanwalkError(f"{against} belongs to another generator than the directions that it is compared with")
    elif against is not None:
        sides.append(
            found_side(generator, against, len(ours), space="z" if ours.space == "z" else "w", layers=ours.layers)
        )
    for side in sides:
        side.directions = side.directions.to(device)
    return generator, sides


def open_side(path: Path) -> Side:
    """The directions of a file with the scores beside it, if these are theirs."""
    from ganwalk.evaluation.stored import evaluation_beside, load_evaluation

    directions = Directions.load(path)
    try:
        scores = load_evaluation(evaluation_beside(path), directions)
    except GanwalkError:
        # Scores can be measured again; they are no reason not to show the directions.
        scores = None
    return Side(directions, path, scores)


def found_side(
    generator: Any, method: str, n_directions: int, *, space: str | None = None, layers: Layers | None = None
) -> Side:
    """Directions by a method that has a closed form; their names are kept nowhere.

    Args:
        n_directions: how many; fewer if the space has fewer dimensions.
        space, layers: as `DiscoverySettings` has them.
    Raises:
        GanwalkError: the method is unknown, is searched for step by step, or cannot serve this generator.
    """
    from ganwalk.discovery.run import run_discovery
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.discovery.subspace import resolve_space

    if method not in METHODS or METHODS[method].find is None:
        closed = ", ".join(name for name, entry in METHODS.items() if entry.find is not None)
        raise GanwalkError(f"{method!r} is no directions file, and no method with a closed form: {closed}")
    dimensions = space_dim(generator, resolve_space(generator, space))
    settings = DiscoverySettings(
        n_directions=min(n_directions, dimensions),
        method=method,
        space=space,
        layers=layers,
        equalize=False,
        batch=16,
    )
    found = run_discovery(generator, settings).directions
    return Side(found.to(device_of(generator)), None)
