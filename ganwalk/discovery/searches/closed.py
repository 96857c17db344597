"""Methods that need no steps: a closed form, or a fit to factors that somebody reads."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ganwalk.discovery.held_scores import score_vectors
from ganwalk.discovery.methods import METHODS, method_of
from ganwalk.discovery.results import DiscoveryResult
from ganwalk.discovery.search_space import latent_statistics
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator


def closed_form(
    generator: Generator,
    settings: DiscoverySettings,
    name: str,
    on_share: Callable[[float], None] | None = None,
) -> Tensor:
    """Directions (n, d) of a method that has a closed form, for resolved settings."""
    find = METHODS[name].find
    assert find is not None
    return find(generator, settings.view(), settings.n_directions, seed=settings.seed, on_share=on_share)


def search_closed_form(run: Run) -> DiscoveryResult:
    """The directions of a method with a closed form, or of one that is told the factors."""
    settings = run.settings
    subspace = latent_statistics(run.generator, settings)
    fit = method_of(settings.method).fit
    notices: tuple[str, ...] = ()
    if fit is None:
        run.on_phase("search", 0.0, "")
        vectors = closed_form(run.generator, settings, settings.method, run.sharing("search"))
    elif run.reader is None:
        raise GanwalkError(
            f"{settings.method} is supervised, and nothing here reads factors off the images: give an attribute "
            "classifier (--classifier FILE --trust; in Python, a reader)"
        )
    else:
        vectors, notices = fit(run.generator, settings, run.reader, run.sharing("images"))
    found = score_vectors(
        run.generator, settings, subspace, run.loss, settings.method, vectors, on_share=run.sharing("scores")
    )
    return run.result(subspace, found, notices=notices)
