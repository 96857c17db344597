"""Directions whose changes of the features lie in different places: locality in place of topology.

The objective is our own. It needs derivatives of the features on a few latents and no gradient of the generator, and
leaves oblique unit vectors: orthogonal ones, in a space whose factors are correlated, cannot act apart. Where all
factors act in the same place, as on `blobs`, places tell nothing apart, and RTD is the better criterion.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganwalk.discovery import jacobian
from ganwalk.discovery.local.overlap import amounts_of, least_overlap, overlap
from ganwalk.discovery.local.places import Places, measure_places, seen_layers
from ganwalk.discovery.local.refinement import refine
from ganwalk.discovery.spectra import check_count, with_fixed_signs
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT, View
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.generators.channels import space_dim

# Components that derivatives are taken along, and latents that they are taken at; of large networks, fewer.
BASIS, SAMPLES = 128, 40
LARGE_BASIS, LARGE_SAMPLES = 64, 20
# Directions at most: the memory of the derivatives grows with the square of their number.
_MOST = 256
# Directions among which the strongest are chosen, at least.
CANDIDATES = 12
# Exponent of the whitening: 0 keeps the latents' own metric, 1 makes all changes of the features alike.
WHITENING = 0.75
# A derivative's step: this many standard deviations of its direction, taken as no less than this share of the largest.
_STEP = 0.5
_LEAST = 0.06
# Latents of the derivatives are not those of the discovery's batches.
_SEED = 2**40


def find_directions(
    generator: Generator, view: View, n: int, *, seed: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """(n, d) float64 rows of unit length in view.space, oblique, strongest first, on the CPU.

    1. Derivatives T of early and of late features, each pooled to 8 × 8 places, along the principal components of w (in
       z: along the directions that change the image most) on 40 latents; of large networks, fewer of both.
    2. The metric M = mean of Σ T Tᵀ in units of the latents' spread, whitened to the power of 3/4, in its leading
       directions.
    3. The rotation in which different directions act least in the same places (`overlap.least_overlap`).
    4. The n that change the features most at one standard deviation, refined (`refinement.refine`).

    `on_share` is called with the share that is done, of which derivatives are nearly all.

    Raises:
        GanwalkError: n is above the dimension of the space or 256, or the features are not finite or do not depend on
            it.
    """
    subspace = search_basis(generator, view, n, seed)
    places = measure(generator, view, subspace, seed, on_share)
    rows = rotate_apart(places, subspace.scales(subspace.components), n, seed)
    vectors = rows @ subspace.components
    return with_fixed_signs(vectors / vectors.norm(dim=1, keepdim=True))


def samples_for(generator: Generator) -> tuple[int, int]:
    """Components and latents that derivatives are taken of, at most."""
    large = generator.resolution > IMAGE_DISTANCE_LIMIT
    return (LARGE_BASIS, LARGE_SAMPLES) if large else (BASIS, SAMPLES)


def components_for(generator: Generator, view: View, n: int) -> int:
    """Components that derivatives are taken along."""
    return min(space_dim(generator, view.space), max(n, samples_for(generator)[0]))


def passes(generator: Generator, view: View, n: int) -> int:
    """Latents that are synthesised up to each of the layers."""
    return 2 * samples_for(generator)[1] * components_for(generator, view, n)


def search_basis(generator: Generator, view: View, n: int, seed: int) -> Subspace:
    """What derivatives are taken along: the leading components of w, or the directions of z that change the image."""
    d = check_count(generator, view, n)
    if n > _MOST:
        raise GanwalkError(f"local finds at most {_MOST} directions, not {n}: ask for fewer, or use --method rtd")
    k = components_for(generator, view, n)
    subspace = latent_subspace(generator, view.space, k, class_index=view.class_index, seed=seed)
    if view.space == "w" or k == d:
        return subspace
    components = jacobian.find_directions(generator, view, k, seed=seed)
    return Subspace(view.space, components, subspace.covariance, subspace.explained)


def measure(
    generator: Generator,
    view: View,
    subspace: Subspace,
    seed: int,
    on_share: Callable[[float], None] | None = None,
) -> tuple[Places, ...]:
    """Derivatives of the early and the late features along the components of a subspace."""
    spreads = subspace.scales(subspace.components)
    lengths = _STEP * spreads.clamp_min(_LEAST * float(spreads.max()))
    samples = samples_for(generator)[1]
    layers = seen_layers(generator, view)
    found = []
    for k, layer in enumerate(layers):

        def tell(share: float, done: int = k) -> None:
            if on_share is not None:
                on_share((done + share) / len(layers))

        found.append(
            measure_places(
                generator,
                view,
                layer,
                subspace.components,
                lengths,
                samples=samples,
                seed=seed + _SEED,
                on_share=tell,
            )
        )
    return tuple(found)


def rotate_apart(
    places: tuple[Places, ...],
    spreads: Tensor,
    n: int,
    seed: int,
    *,
    candidates: int = CANDIDATES,
    whitening: float = WHITENING,
    refined: bool = True,
) -> Tensor:
    """Steps 2 to 4 of `find_directions`: rows (n, k) float64 in the coordinates of the components, strongest first.

    Args:
        candidates: directions among which the strongest are chosen, if these are more than n.
        whitening: exponent of the whitening, from 0 to 1.
        refined: whether the last step is taken.
    """
    metric = torch.stack([features.mean for features in places]).sum(dim=0)
    values, vectors = torch.linalg.eigh(spreads[:, None] * metric * spreads)
    count = min(len(spreads), max(n, candidates))
    values, vectors = values.flip(0)[:count], vectors.flip(1)[:, :count]
    # Directions without any effect would be blown up by the whitening.
    weights = (values / values[0]).clamp_min(1e-8) ** (-whitening / 2)
    whitened = weights[:, None] * vectors.T * spreads
    rotation = least_overlap(tuple(features.of(whitened) for features in places), seed=seed)
    rows = _strongest(rotation @ whitened, metric, spreads)[:n]
    return _strongest(refine(rows, places[-1], spreads), metric, spreads) if refined else rows


def overlap_of(places: tuple[Places, ...], rows: Tensor, spreads: Tensor) -> float:
    """Mean overlap of shifts by one standard deviation along rows (n, k), per pair.

    0 if all act apart, 1 if all act in one place alike.
    """
    shifts = rows * (_at_one_sigma(rows, spreads) / rows.norm(dim=1))[:, None]
    found = [float(overlap(amounts_of(shifts.to(features.grams), features.grams))) for features in places]
    return sum(found) / len(found) / max(1, len(rows) - 1)


def _strongest(rows: Tensor, metric: Tensor, spreads: Tensor) -> Tensor:
    """Rows in the order of falling change of the features at one standard deviation."""
    unit = rows / rows.norm(dim=1, keepdim=True)
    change = (unit @ metric * unit).sum(dim=1).clamp_min(0).sqrt() * _at_one_sigma(unit, spreads)
    return rows[change.argsort(descending=True)]


def _at_one_sigma(rows: Tensor, spreads: Tensor) -> Tensor:
    """Standard deviations (n,) of the latents along rows, of whatever length."""
    unit = rows / rows.norm(dim=1, keepdim=True)
    return (unit.square() @ spreads.square()).sqrt()
