"""How a scored batch is made: the directions' own space and layers."""

from __future__ import annotations

from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery.view import View, default_chunk, default_layer
from ganwalk.generators.base import Generator
from ganwalk.layers import Layers, hull_of


def view_of(
    generator: Generator,
    directions: Directions,
    *,
    layer: int | None = None,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
    chunk: int | None = None,
    given: Tensor | None = None,
) -> View:
    """The view in which the shifts of directions are scored, after a check that they are the generator's.

    Args:
        layer: layer whose features are compared; None takes discovery's default, or the last one that is shifted if
            that comes later.
        chunk: images synthesised at once; None chooses for the generator.
        given: latents to shift instead of drawn ones.
    """
    directions.check(generator)
    if layer is None:
        layer = default_layer(generator)
        layer = max([layer, *(hull_of(layers)[1] for layers in _limits(directions))])
    return View(
        space=directions.sampled_space,
        # `Directions.shifts` are laid out layer by layer.
        layers=None,
        layer=layer,
        noise="const",
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        chunk=default_chunk(generator, layer) if chunk is None else chunk,
        given=given,
    )


def _limits(directions: Directions) -> list[Layers]:
    """The layers of those directions that do not shift all."""
    found = [directions.layers_of(index) for index in range(len(directions))]
    return [layers for layers in found if layers is not None]
