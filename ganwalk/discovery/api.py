"""`ganwalk.discover`: a discovery as one call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ganwalk.directions import Directions
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.watching import watched
from ganwalk.generators.base import Generator
from ganwalk.options import takes_settings


@takes_settings(DiscoverySettings, without=("n_directions",))
def discover(
    generator: Generator,
    n_directions: int | None = None,
    *,
    threads: int | None = None,
    progress: bool = False,
    on_progress: Callable[[float, str], object] | None = None,
    reader: FactorReader | None = None,
    **settings: Any,
) -> Directions:
    """Directions of a generator along which batches of images keep their shape (TopDis, Balabin et al. 2024).

    Args:
        generator: a module from `ganwalk.load_generator`.
        n_directions: how many directions to find; by default 20, or as many as the latent space has dimensions.
        threads: threads of the topology engine; None takes all cores.
        progress: show a bar.
        on_progress: called with the share that is done, from 0 to 1, and what is being done.
        reader: what reads factors, for method="interfacegan", such as `ganwalk.evaluation.factor_reader(generator)`.
        settings: any further field of `DiscoverySettings`, such as steps=300, batch=64, amplitude=2.0, seed=0.
    Returns:
        Unit vectors, sorted by their effect on the image; orthonormal unless the method leaves oblique ones.
    Raises:
        GanwalkError: settings that do not fit the generator.
    """
    options = DiscoverySettings(**settings)
    options = options.fitting(generator) if n_directions is None else replace(options, n_directions=n_directions)
    resolved = options.resolve(generator)
    with watched(generator, resolved, shown=progress, on_progress=on_progress) as on_phase:
        found = run_discovery(generator, options, threads=threads, on_phase=on_phase, reader=reader).directions
    if on_progress is not None:
        on_progress(1.0, "")
    return found
