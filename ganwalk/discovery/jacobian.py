"""Directions that change the image most, to first order: eigenvectors of the mean JᵀJ of the synthesis.

J is the Jacobian of the features with respect to one shift of all latents. Its right singular vectors as directions are
from Ramesh, Choi & LeCun ("A Spectral Regularizer for Unsupervised Disentanglement", 2018); that JᵀJ, the metric which
pixels induce on the latent space, is nearly the same everywhere, so that its mean has a meaning, was shown by Wang &
Ponce ("A Geometric Analysis of Deep Generative Image Models and Its Applications", ICLR 2021).

JᵀJ is the plain one, of a step of unit length in every direction, as in these papers: the spread of the latents, which
differs by direction in w, does not enter. Weighted by it, the method would be a mixture of this and of `pca`.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ganwalk.directions import shift_latents
from ganwalk.discovery.spectra import check_count, leading_eigenvectors_of
from ganwalk.discovery.view import View, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator

DEFAULT_SAMPLES = 16
_ITERATIONS = 3


def find_directions(generator: Generator, view: View, n: int, *, seed: int) -> Tensor:
    """(n, d) float64 orthonormal rows in view.space, strongest first, on the CPU: leading eigenvectors of mean JᵀJ.

    Ramesh et al. 2018; Wang & Ponce 2021. The mean is over 16 latents. Matrix-free: exact in small spaces, by
    randomised subspace iteration in large ones (Halko et al. 2011).

    Raises:
        GanwalkError: n is above the dimension of the space, or the features do not depend on the latents.
    """
    d = check_count(generator, view, n)

    def product(columns: Tensor) -> Tensor:
        return _mean_product(generator, view, columns, DEFAULT_SAMPLES, seed)

    values, vectors = leading_eigenvectors_of(product, d, n, iterations=_ITERATIONS, seed=seed)
    if not torch.isfinite(values).all():
        raise GanwalkError("the generator's derivatives are not finite: the jacobian method cannot serve it")
    if values[0] <= 0:
        raise GanwalkError(f"the features of layer {view.layer} do not depend on the latents: use a higher --layer")
    return vectors


def image_gram(generator: Generator, view: View, basis: Tensor, *, samples: int, seed: int) -> Tensor:
    """Mean of B·JᵀJ·Bᵀ over random latents, (k, k) float64 on the CPU, symmetric.

    Entry (i, j) is the inner product of the features' changes along basis rows i and j, per unit of shift, summed over
    the values of the features.

    Args:
        basis: rows B (k, d) in view.space.
        samples: latents in the mean.
        seed: of the latents, labels and noise.
    """
    rows = basis.cpu().double()
    gram = rows @ _mean_product(generator, view, rows.T, samples, seed)
    return (gram + gram.T) / 2


def _mean_product(generator: Generator, view: View, columns: Tensor, samples: int, seed: int) -> Tensor:
    """Mean JᵀJ times columns (d, k), float64, in the memory that one chunk of latents takes forwards and backwards."""
    latents = sample_latents(generator, view, samples, seed)
    directions = columns.T.to(latents)
    total = torch.zeros(columns.T.shape, dtype=torch.float64)
    for chunk in _Chunk.all_of(generator, view, latents, seed):
        for i, direction in enumerate(directions):
            total[i] += chunk.pull_back(chunk.push_forward(direction)).cpu().double()
    return total.T / samples


class _Chunk:
    """Derivatives of the features of a few latents by a shift that they share."""

    def __init__(self, generator: Generator, view: View, latents: Tensor, seed: int):
        self._generator, self._view, self._latents, self._seed = generator, view, latents, seed
        self._shift = latents.new_zeros(latents.shape[-1], requires_grad=True)
        self._features = self._shifted(self._shift)

    @classmethod
    def all_of(cls, generator: Generator, view: View, latents: Tensor, seed: int) -> Iterator[_Chunk]:
        """The latents by chunks of the view's size, with the labels and noise that `features` gives them as a whole."""
        for start in range(0, len(latents), view.chunk):
            yield cls(generator, view, latents[start : start + view.chunk], seed + start)

    def _shifted(self, shift: Tensor) -> Tensor:
        # Gradients on, whatever the caller set: without, layers overwrite their input, and tangents with it.
        with torch.enable_grad():
            latents = shift_latents(self._latents, shift, self._view.layers)
            return features(self._generator, self._view, latents, self._seed)

    def push_forward(self, direction: Tensor) -> Tensor:
        """J·direction, shaped as the features: forward mode, or twice backwards where an operation lacks it."""
        try:
            with forward_ad.dual_level():
                dual = forward_ad.make_dual(torch.zeros_like(direction), direction)
                tangent = forward_ad.unpack_dual(self._shifted(dual)).tangent
            if tangent is not None:
                return tangent
        except (NotImplementedError, RuntimeError):
            # Torch has no error of its own for a missing forward mode; any other one comes back below.
            pass
        return self._push_forward_by_reverse(direction)

    def _push_forward_by_reverse(self, direction: Tensor) -> Tensor:
        """Jᵀu is linear in u, so that its derivative by u along the direction is J·direction."""
        probe = torch.zeros_like(self._features, requires_grad=True)
        pulled = torch.autograd.grad(self._features, self._shift, probe, create_graph=True, allow_unused=True)[0]
        if pulled is None or not pulled.requires_grad:
            return torch.zeros_like(self._features)
        return torch.autograd.grad(pulled, probe, direction, retain_graph=True)[0]

    def pull_back(self, cotangent: Tensor) -> Tensor:
        """Jᵀ·cotangent, (d,), summed over the latents."""
        if not self._features.requires_grad:
            return torch.zeros_like(self._shift)
        pulled = torch.autograd.grad(self._features, self._shift, cotangent, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(self._shift) if pulled is None else pulled
