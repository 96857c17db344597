"""The subspace that a search moves in, and the statistics of latents, as resolved settings ask for them."""

from __future__ import annotations

from dataclasses import replace

from ganwalk.discovery import jacobian
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.generators.base import Generator


def search_space(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """The informative subspace of resolved settings.

    In w, the latents' own principal components; in z, where they have no preferred ones, the directions that change
    the image.
    """
    subspace = latent_statistics(generator, settings)
    dim = len(subspace.components)
    if settings.space == "w" or dim == generator.z_dim:
        return subspace
    components = jacobian.find_directions(generator, settings.view(), dim, seed=settings.seed)
    return replace(subspace, components=components)


def latent_statistics(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """Covariance and principal components of the latents: all that a closed form needs for its scales."""
    assert settings.space is not None and settings.subspace_dim is not None
    return latent_subspace(
        generator,
        settings.space,
        settings.subspace_dim,
        class_index=settings.class_index,
        seed=settings.seed,
    )
