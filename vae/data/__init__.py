"""Data sets, one file each, behind one interface (`base.ImageData`).

load_dataset("sprites", resolution=32) -> ImageData
DATASETS: names and one-line descriptions
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError

if TYPE_CHECKING:
    from vae.data.base import ImageData

DATASETS: Mapping[str, str] = {
    "sprites": "the grid of dSprites, drawn here: shape, scale, orientation, position",
    "scenes": "the grid of 3D Shapes, rendered here: hues, scale, shape, azimuth",
}
RESOLUTIONS = (32, 64)


def load_dataset(
    name: str,
    *,
    resolution: int = 64,
    correlated: Sequence[tuple[str, str]] = (),
    correlation_width: float = 0.2,
) -> ImageData:
    """The data set of this name; GanwalkError if there is none."""
    if resolution not in RESOLUTIONS:
        raise GanwalkError(f"data sets come at 32 or 64 px, not {resolution}")
    data = _load(name, resolution)
    if not correlated:
        return data
    from vae.data.correlated import Correlated

    return Correlated(data, correlated, correlation_width)


def _load(name: str, resolution: int) -> ImageData:
    if name == "sprites":
        from vae.data.sprites import Sprites

        return Sprites(resolution)
    if name == "scenes":
        from vae.data.scenes import Scenes

        return Scenes(resolution)
    raise GanwalkError(f"unknown data set {name}: choose one of {', '.join(DATASETS)}")
