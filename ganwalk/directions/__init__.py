"""Directions in a latent space, and where they come from: what discovery leaves and all other rooms walk along.

Here: what they are (`artifact`) with their `labels` and their `reach`, the file that holds them (`storage`), such files
among others (`files`), `words` for them, `edits` along several of them, and their `arithmetic`.
"""

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "CHANNELS": "ganwalk.directions.artifact",
    "DIRECTIONS_FILE": "ganwalk.directions.artifact",
    "Directions": "ganwalk.directions.artifact",
    "Label": "ganwalk.directions.labels",
    "Reach": "ganwalk.directions.reach",
    "WPLUS": "ganwalk.directions.artifact",
    "shift_latents": "ganwalk.directions.artifact",
}

__all__ = ["CHANNELS", "DIRECTIONS_FILE", "WPLUS", "Directions", "Label", "Reach", "shift_latents"]

if TYPE_CHECKING:
    from ganwalk.directions.artifact import CHANNELS, DIRECTIONS_FILE, WPLUS, Directions, shift_latents
    from ganwalk.directions.labels import Label
    from ganwalk.directions.reach import Reach

__getattr__, __dir__ = names_from(__name__, _HOMES)
