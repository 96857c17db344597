"""Projection: the latents of pictures that no generator made.

Names are imported when they are first used: `ganwalk.projection.settings`, for command lines, loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "Projection": "ganwalk.projection.run",
    "ProjectionSettings": "ganwalk.projection.settings",
    "project": "ganwalk.projection.run",
}

__all__ = ["Projection", "ProjectionSettings", "project"]

if TYPE_CHECKING:
    from ganwalk.projection.run import Projection, project
    from ganwalk.projection.settings import ProjectionSettings

__getattr__, __dir__ = names_from(__name__, _HOMES)
