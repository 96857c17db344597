"""Data sets, one file each, behind one interface (`base.ImageData`).

load_dataset("sprites", resolution=32) -> ImageData
DATASETS: the names
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError

if TYPE_CHECKING:
    from vae.data.base import ImageData

DATASETS = ("sprites", "scenes")


def load_dataset(name: str, *, resolution: int = 64) -> ImageData:
    """The data set of this name; GanwalkError if there is none."""
    if name == "sprites":
        from vae.data.sprites import Sprites

        return Sprites(resolution)
    if name == "scenes":
        from vae.data.scenes import Scenes

        return Scenes(resolution)
    raise GanwalkError(f"unknown data set {name}: choose one of {', '.join(DATASETS)}")
