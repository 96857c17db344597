"""ganwalk: disentangled directions in the latent space of image generators, found by topology.

    import ganwalk

    generator = ganwalk.load_generator("scenes")
    directions = ganwalk.discover(generator, n_directions=10)
    directions.save("directions.safetensors")

Names are imported when they are first used: `import ganwalk` alone loads neither torch nor numba.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

__version__ = "0.2.0"

_HOMES = {
    "Directions": "ganwalk.directions",
    "GanwalkError": "ganwalk.errors",
    "RTDLoss": "ganwalk.rtd",
    "cross_barcode": "ganwalk.rtd",
    "discover": "ganwalk.discovery",
    "evaluate": "ganwalk.evaluation",
    "evaluation": "ganwalk.evaluation",
    "load_generator": "ganwalk.generators.loading",
    "rtd": "ganwalk.rtd",
}

__all__ = [
    "Directions",
    "GanwalkError",
    "RTDLoss",
    "__version__",
    "cross_barcode",
    "discover",
    "evaluate",
    "load_generator",
]

if TYPE_CHECKING:
    from ganwalk.directions import Directions
    from ganwalk.discovery import discover
    from ganwalk.errors import GanwalkError
    from ganwalk.evaluation import evaluate
    from ganwalk.generators.loading import load_generator
    from ganwalk.rtd import RTDLoss, cross_barcode

__getattr__, __dir__ = names_from(__name__, _HOMES)
