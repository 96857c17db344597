"""What an evaluation synthesises, stage by stage: for estimates of its time, and a bar that keeps pace."""

from __future__ import annotations

from ganwalk.directions import Directions
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.view import View, default_chunk
from ganwalk.evaluation.reconstructor import latents_of_pairs
from ganwalk.evaluation.representation.plan import phases_of_representation
from ganwalk.evaluation.settings import EvaluationSettings, default_sizes
from ganwalk.evaluation.unsupervised import latents_of_changes, latents_of_topology
from ganwalk.generators.base import Generator
from ganwalk.generators.timing import seconds_per_latent
from ganwalk.progress.phases import Phase, Phases

# Points of the clouds between which RTD is taken.
MAX_POINTS = 64


def plan(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings,
    view: View,
    reader: FactorReader | None,
) -> Phases:
    """The stages in their order, timed on a few latents.

    Args:
        settings: with None filled in.
        view: of the unsupervised scores.
    """
    assert settings.samples is not None
    n, sizes = len(directions), default_sizes(generator)
    counts = {
        "topology": latents_of_topology(n, min(settings.samples, MAX_POINTS)),
        "changes": latents_of_changes(n, min(settings.samples, sizes.changes)),
    }
    if settings.reconstructor:
        counts["reconstructor"] = latents_of_pairs(n, sizes.pairs)
    each = seconds_per_latent(generator, view.layer, batch=min(4, view.chunk))
    phases = [Phase(name, count * each) for name, count in counts.items()]
    images = 0 if reader is None else settings.samples * (1 + 2 * n) * reader.needs_images
    last = generator.num_layers - 1
    needed = images or settings.representation
    cost = seconds_per_latent(generator, batch=min(4, default_chunk(generator, last))) if needed else 0.0
    if reader is not None:
        phases.insert(0, Phase("effects", images * cost))
    if settings.representation:
        phases += phases_of_representation(generator, n, settings, cost)
    return Phases(phases)
