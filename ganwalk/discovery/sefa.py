"""Closed-form factorisation: directions that the first weights a latent meets amplify most.

SeFa (Shen & Zhou, "Closed-Form Factorization of Latent Semantics in GANs", CVPR 2021): eigenvectors of AᵀA. As in the
authors' code, A stacks the style weights of all layers in question, every row (a channel of a style, or a value of the
first features) is scaled to unit length, and of the projections to RGB only the last one's style counts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganwalk.discovery.spectra import check_count, leading_eigenvectors
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, check_layers
from ganwalk.layers import indices_of


def find_directions(
    generator: Generator, view: View, n: int, *, seed: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """(n, d) float64 orthonormal rows in view.space, strongest first, on the CPU: leading eigenvectors of AᵀA.

    Shen & Zhou 2021. Of `view` only the space and the range of layers matter; nothing is random. `on_share` is called
    with the share of the layers that are done.

    Raises:
        GanwalkError: the generator has no such weights, they are behind a mapping, or n is above the dimension.
    """
    # Of generators whose latents enter by matrices: those (out, d) that the latent of a layer meets first.
    weights_of: Callable[[int], tuple[Tensor, ...]] | None = getattr(generator, "latent_weights", None)
    if weights_of is None:
        raise GanwalkError("this generator has no weights to factorise: use --method pca or jacobian instead of sefa")
    if view.space == "z" and generator.style_based:
        raise GanwalkError("sefa factorises the weights that w enters, and here z is behind a mapping: use --space w")
    d = check_count(generator, view, n)
    check_layers(generator, view.layers, view.space)
    layers = range(generator.num_layers) if view.layers is None else indices_of(view.layers)
    gram = torch.zeros(d, d, dtype=torch.float64)
    for done, layer in enumerate(layers, start=1):
        for weight in weights_of(layer):
            # A row of zeros, as a network that never turns its picture has, stays one.
            rows = torch.nn.functional.normalize(weight.detach().cpu().double(), dim=1)
            gram += rows.T @ rows
        if on_share is not None:
            on_share(done / len(layers))
    return leading_eigenvectors(gram, n)[1]
