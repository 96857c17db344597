"""Directions with a known answer."""

from dataclasses import replace

import torch

from ganwalk.directions import Directions
from ganwalk.generators.base import sample_z


def axes_of(generator):
    """The true axes, with the standard deviations of the latents along them."""
    latents = generator.mapping(sample_z(generator, 20_000, seed=9))[:, 0]
    space = "w" if generator.style_based else "z"
    scales = (latents @ generator.axes.T).std(dim=0)
    return Directions(generator.axes.clone(), scales, space, generator.identity, method="true")


def rotated(directions, seed=3):
    """The same span in a random orthonormal basis."""
    rng = torch.Generator().manual_seed(seed)
    n = len(directions)
    q, _ = torch.linalg.qr(torch.randn(n, n, generator=rng, dtype=torch.float64))
    return replace(directions, vectors=(q @ directions.vectors.double()).float(), method="random")
