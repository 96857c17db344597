"""Principal components: of w, or of features, brought back to z.

GANSpace (Härkönen, Hertzmann, Lehtinen & Paris, "GANSpace: Discovering Interpretable GAN Controls", NeurIPS 2020).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganwalk.discovery.sketch import Sketch
from ganwalk.discovery.spectra import check_count, leading_eigenvectors_of, with_fixed_signs
from ganwalk.discovery.subspace import latent_subspace
from ganwalk.discovery.view import View, code_labels, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.generators.channels import space_dim

_SAMPLES = 2000
_SAMPLES_PER_DIMENSION = 8
_ITERATIONS = 12
# Below this share of the first component's variance there is only rounding: the products are float32.
_ROUNDING = 1e-6


def find_directions(
    generator: Generator, view: View, n: int, *, seed: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """(n, d) float64 orthonormal rows in view.space, strongest first, on the CPU: principal components.

    Härkönen et al. 2020. In w they are those of w (section 2.2). In z, which is the same in all directions, they are
    those of the features after view.layer, regressed to z (section 2.3) and then made orthogonal, the first ones first.
    `on_share` is called with the share of the features that are made.

    Raises:
        GanwalkError: n is above the dimension of the space, or the features vary along fewer components.
    """
    check_count(generator, view, n)
    if view.space == "w":
        subspace = latent_subspace(generator, "w", n, class_index=view.class_index, seed=seed)
        return subspace.components
    latents = sample_latents(generator, view, passes(generator, view), seed)
    coordinates = _component_coordinates(
        _sampled_features(generator, view, latents, seed, on_share), n, seed, view.layer
    )
    # Coordinates of different components are uncorrelated: the least squares of z on them are its products with each.
    regressed = coordinates @ latents.cpu().double()
    return with_fixed_signs(torch.linalg.qr(regressed.T).Q.T)


def passes(generator: Generator, view: View) -> int:
    """Latents whose features are made: in w, none."""
    return 0 if view.space == "w" else max(_SAMPLES, _SAMPLES_PER_DIMENSION * space_dim(generator, view.space))


def _sampled_features(
    generator: Generator, view: View, latents: Tensor, seed: int, on_share: Callable[[float], None] | None
) -> Tensor:
    """Sketched features (samples, values) float32 on the CPU, in bounded memory."""
    rows = []
    sketch = Sketch(seed)
    labels = code_labels(generator, view, len(latents), seed)
    with torch.no_grad():
        for start in range(0, len(latents), view.chunk):
            part = slice(start, start + view.chunk)
            own = None if labels is None else labels[part]
            rows.append(sketch(features(generator, view, latents[part], seed + start, own)))
            if on_share is not None:
                on_share(min(1.0, (start + view.chunk) / len(latents)))
    return torch.cat(rows)


def _component_coordinates(x: Tensor, n: int, seed: int, layer: int) -> Tensor:
    """Rows (n, samples) float64 of unit length: coordinates of the samples along each principal component of x."""
    x = x - x.mean(dim=0)
    values, coordinates = leading_eigenvectors_of(
        lambda columns: (x @ (x.T @ columns.float())).double(), len(x), n, iterations=_ITERATIONS, seed=seed
    )
    found = int((values > _ROUNDING * values[0]).sum())
    if found < n:
        raise GanwalkError(f"the features of layer {layer} vary along {found} components only, not {n}: ask for fewer")
    return coordinates
