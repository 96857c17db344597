"""Discovery: turns a generator into directions."""

from __future__ import annotations

from typing import Any

from ganwalk.directions import Directions
from ganwalk.discovery.run import DiscoveryResult, run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.generators.base import Generator

__all__ = ["DiscoveryResult", "DiscoverySettings", "discover", "run_discovery"]


def discover(
    generator: Generator,
    n_directions: int = 20,
    *,
    threads: int | None = None,
    **settings: Any,
) -> Directions:
    """Directions of a generator along which batches of images keep their shape (TopDis, Balabin et al. 2024).

    Args:
        generator: a module from `ganwalk.load_generator`.
        n_directions: how many directions to find.
        threads: threads of the topology engine; None takes all cores.
        settings: any further field of `DiscoverySettings`, such as steps=300, batch=64, amplitude=2.0, seed=0.
    Returns:
        Orthonormal directions, sorted by their effect on the image.
    Raises:
        GanwalkError: settings that do not fit the generator.
    """
    options = DiscoverySettings(n_directions=n_directions, **settings)
    return run_discovery(generator, options, threads=threads).directions
