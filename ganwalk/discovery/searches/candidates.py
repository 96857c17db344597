"""The better of what two methods find, by the shape of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

from ganwalk.discovery.held_scores import score_vectors, shape_change
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.results import DiscoveryResult, as_directions
from ganwalk.discovery.search_space import latent_statistics
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.searches.closed import closed_form
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError


def search_candidates(run: Run, find: Callable[[Run], DiscoveryResult]) -> DiscoveryResult:
    """The directions of the candidate by which the shape of a batch changes less, and those of the other beside them.

    RTD at a shift of one standard deviation, weighted by how much each direction changes the image, so that one that
    does nothing cannot win: docs/study-field.md says what speaks for it.

    Args:
        find: a discovery by one method.
    """
    settings = run.settings
    searched, closed = method_of(settings.method).candidates
    on_early = run.on_early
    early = None if on_early is None else lambda first: on_early(_of_both(first, settings))
    result = find(replace(run, settings=replace(settings, method=searched), on_early=early))
    if result.ended == "interrupt":
        return _of_both(result, settings)
    run.on_phase(closed, 0.0, "")
    subspace = latent_statistics(run.generator, settings)
    try:
        vectors = closed_form(run.generator, settings, closed, run.sharing(closed))
    except GanwalkError as error:
        notice = f"{searched} was taken, since {closed} cannot serve this generator: {error}"
        return replace(_of_both(result, settings), notices=(*result.notices, notice))
    first = result.bases[0]
    second = score_vectors(run.generator, settings, subspace, run.loss, closed, vectors, target=result.target)
    run.on_phase("choice", 0.5, "")
    changes = [
        shape_change(run.generator, settings, run.loss, basis.vectors, basis.scales) for basis in (first, second)
    ]
    best, other = (second, first) if changes[1] < changes[0] else (first, second)
    oblique = method_of(best.name).oblique
    notice = (
        f"{best.name} was taken: at one standard deviation the shape of a batch changes by {changes[0]:.2f} "
        f"({searched}) and {changes[1]:.2f} ({closed}): RTD weighted by image change"
    )
    return replace(
        result,
        directions=as_directions(run.generator, settings, best, oblique=oblique),
        bases=(best, other),
        settings=settings,
        notices=(*result.notices, notice),
    )


def _of_both(result: DiscoveryResult, settings: DiscoverySettings) -> DiscoveryResult:
    """What the search of one candidate found, as the result of the discovery that has these settings."""
    return replace(result, directions=replace(result.directions, settings=asdict(settings)), settings=settings)
