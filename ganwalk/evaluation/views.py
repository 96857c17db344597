"""How a scored batch is made: the directions' own space and layers."""

from __future__ import annotations

from ganwalk.directions import Directions
from ganwalk.discovery.view import View, default_chunk, default_layer
from ganwalk.generators.base import Generator


def view_of(
    generator: Generator,
    directions: Directions,
    *,
    layer: int | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
    chunk: int | None = None,
) -> View:
    """The view in which directions are scored, after a check that they are the generator's.

    Args:
        layer: layer whose features are compared; None takes discovery's default, or the last one that is shifted if
            that comes later.
        chunk: images synthesised at once; None chooses for the generator.
    """
    directions.check(generator)
    if layer is None:
        layer = default_layer(generator)
        if directions.layers is not None:
            layer = max(layer, directions.layers[1])
    return View(
        space=directions.space,
        layers=directions.layers,
        layer=layer,
        noise="const",
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        chunk=default_chunk(generator, layer) if chunk is None else chunk,
    )
