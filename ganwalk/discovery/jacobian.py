"""Directions that change the image most, to first order: eigenvectors of the mean JᵀJ of the synthesis.

J is the Jacobian of the features with respect to one shift of all latents. Its right singular vectors as directions are
from Ramesh, Choi & LeCun ("A Spectral Regularizer for Unsupervised Disentanglement", 2018); that JᵀJ, the metric which
pixels induce on the latent space, is nearly the same everywhere, so that its mean has a meaning, was shown by Wang &
Ponce ("A Geometric Analysis of Deep Generative Image Models and Its Applications", ICLR 2021).

JᵀJ is the plain one, of a step of unit length in every direction, as in these papers: the spread of the latents, which
differs by direction in w, does not enter. Weighted by it, the method would be a mixture of this and of `pca`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ganwalk.compute.seeds import rng_of
from ganwalk.directions import shift_latents
from ganwalk.discovery.spectra import check_count, leading_eigenvectors, with_fixed_signs
from ganwalk.discovery.view import View, code_labels, features, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator

DEFAULT_SAMPLES = 16
# Dimensions up to which JᵀJ is written down; above, it is estimated from more latents.
_EXACT_DIM = 32
SKETCH_SAMPLES = 96
PROBES = 8
_PROBES_PER_DIRECTION = 4
# Tangents in one pass through the network, and the values of their features, of each of which it keeps a few.
_TOGETHER = 8
_PASS_VALUES = 2**24
# Values of the tangents that are held for their inner products: 1 GB.
_HELD_VALUES = 2**28
# Values that are summed up in single precision.
_BLOCK = 2**14
# Keeps the random signs' streams from those of other purposes.
_SIGNS_SEED = 2**42


def find_directions(
    generator: Generator, view: View, n: int, *, seed: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """(n, d) float64 orthonormal rows in view.space, strongest first, on the CPU: leading eigenvectors of mean JᵀJ.

    Ramesh et al. 2018; Wang & Ponce 2021. In spaces of up to 32 dimensions JᵀJ is the exact mean over 16 latents. In
    larger ones it is estimated from more latents by backward passes alone: sᵀJ of random signs s, one for each value of
    the features, has the second moment JᵀJ (Hutchinson 1989). JᵀJ differs so much between latents that 96 of them, with
    8 vectors of signs each, come nearer to the mean than 16 without the signs' error. Where it does not differ,
    directions whose eigenvalues are within a tenth of each other mix.

    `on_share` is called with the share of the latents that are done, where they are estimated from.

    Raises:
        GanwalkError: n is above the dimension of the space, or the features do not depend on the latents.
    """
    d = check_count(generator, view, n)
    if d <= _EXACT_DIM:
        eye = torch.eye(d, dtype=torch.float64)
        known = image_gram(generator, view, eye, samples=DEFAULT_SAMPLES, seed=seed, together=_TOGETHER)
    else:
        known = _probed(
            generator, view, max(PROBES, math.ceil(_PROBES_PER_DIRECTION * n / SKETCH_SAMPLES)), seed, on_share
        )
    if not torch.isfinite(known).all():
        raise GanwalkError("the generator's derivatives are not finite: the jacobian method cannot serve it")
    if not known.any():
        raise GanwalkError(f"the features of layer {view.layer} do not depend on the latents: use a higher --layer")
    if d <= _EXACT_DIM:
        return leading_eigenvectors(known, n)[1]
    return with_fixed_signs(torch.linalg.svd(known, full_matrices=False).Vh[:n])


def image_gram(
    generator: Generator, view: View, basis: Tensor, *, samples: int, seed: int, together: int = 1
) -> Tensor:
    """Mean of B·JᵀJ·Bᵀ over random latents, (k, k) float64 on the CPU, symmetric.

    Entry (i, j) is the inner product of the features' changes along basis rows i and j, per unit of shift, summed over
    the values of the features.

    Args:
        basis: rows B (k, d) in view.space.
        samples: latents in the mean.
        seed: of the latents, labels and noise.
        together: rows that go through the network at once; fewer where the features are large, and one after the other
            where an operation cannot be batched. More than 1 is faster, and the same up to rounding.
    """
    rows = basis.cpu().double()
    if together == 1:
        gram = rows @ _mean_product(generator, view, rows.T, samples, seed)
    else:
        latents = sample_latents(generator, view, samples, seed)
        directions = rows.to(latents)
        chunks = _Chunk.all_of(generator, view, latents, seed)
        gram = torch.stack([chunk.gram(directions, together) for chunk in chunks]).sum(dim=0) / samples
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


def _probed(
    generator: Generator, view: View, probes: int, seed: int, on_share: Callable[[float], None] | None
) -> Tensor:
    """Rows sᵀJ (latents · probes, d) float64, on the CPU, of random signs s."""
    latents = sample_latents(generator, view, SKETCH_SAMPLES, seed)
    rows = []
    for chunk in _Chunk.all_of(generator, view, latents, seed, shared=False):
        pulled = [chunk.pull_back(signs) for signs in chunk.random_signs(probes)]
        rows.append(torch.cat(pulled).flatten(0, -2).cpu().double())
        if on_share is not None:
            on_share(min(1.0, len(rows) * view.chunk / len(latents)))
    return torch.cat(rows)


class _Chunk:
    """Derivatives of the features of a few latents by a shift that they share, or by one shift for each."""

    def __init__(
        self, generator: Generator, view: View, latents: Tensor, seed: int, labels: Tensor | None, shared: bool
    ):
        self._generator, self._view, self._latents = generator, view, latents
        self._seed, self._labels = seed, labels
        shape = latents.shape[-1:] if shared else (len(latents), *[1] * (latents.ndim - 2), latents.shape[-1])
        self._shift = latents.new_zeros(shape, requires_grad=True)
        self._features = self._shifted(self._shift)

    @classmethod
    def all_of(
        cls, generator: Generator, view: View, latents: Tensor, seed: int, *, shared: bool = True
    ) -> Iterator[_Chunk]:
        """The latents by chunks of the view's size, with the labels and noise that `features` gives them as a whole."""
        labels = code_labels(generator, view, len(latents), seed)
        for start in range(0, len(latents), view.chunk):
            part = slice(start, start + view.chunk)
            yield cls(generator, view, latents[part], seed + start, None if labels is None else labels[part], shared)

    def random_signs(self, count: int) -> Iterator[Tensor]:
        """So many times -1 or 1 for every value of the features; the same on every device."""
        # A stream for each latent, as of noise, so that the signs are the same in chunks of any size.
        streams = [rng_of(_SIGNS_SEED + self._seed + index) for index in range(len(self._latents))]
        shape = self._features.shape[1:]
        for _ in range(count):
            drawn = [torch.randint(2, shape, generator=stream, dtype=torch.float32) for stream in streams]
            yield torch.stack(drawn).to(self._features) * 2 - 1

    def gram(self, directions: Tensor, together: int) -> Tensor:
        """Inner products (k, k) of J·direction over k rows, float64, on the CPU; `together` of them in a pass at most.

        They are held for that where they fit; otherwise each is pulled back.
        """
        values = self._features.numel()
        parts = directions.split(max(1, min(together, _PASS_VALUES // values)))
        if len(directions) * values > _HELD_VALUES:
            pulled = [self.pull_back(tangent) for part in parts for tangent in self._push_forward_together(part)]
            return directions.cpu().double() @ torch.stack(pulled).cpu().double().T
        pushed = directions.new_empty(len(directions), values)
        for rows, part in zip(pushed.split(len(parts[0])), parts, strict=True):
            rows.copy_(self._push_forward_together(part).flatten(1))
        blocks = [block @ block.T for block in pushed.split(_BLOCK, dim=1)]
        return torch.stack(blocks).cpu().double().sum(dim=0)

    def _shifted(self, shift: Tensor) -> Tensor:
        # Gradients on, whatever the caller set: without, layers overwrite their input, and tangents with it.
        with torch.enable_grad():
            latents = shift_latents(self._latents, shift, self._view.layers)
            return features(self._generator, self._view, latents, self._seed, self._labels)

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

    def _push_forward_together(self, directions: Tensor) -> Tensor:
        """J·direction of every row (k, d): in one pass, or one after the other where an operation cannot be batched."""
        origin = torch.zeros_like(directions[0])

        def push_forward(direction: Tensor) -> Tensor:
            return torch.func.jvp(self._shifted, (origin,), (direction,))[1]

        try:
            # Noise that a network draws by itself is the same for all tangents.
            tangents = torch.func.vmap(push_forward, randomness="same")(directions)
            # Zeros stand for a tangent that got lost, too.
            if tangents.any():
                return tangents
        except (NotImplementedError, RuntimeError):
            # As in `push_forward`.
            pass
        return torch.stack([self.push_forward(direction) for direction in directions])

    def _push_forward_by_reverse(self, direction: Tensor) -> Tensor:
        """Jᵀu is linear in u, so that its derivative by u along the direction is J·direction."""
        probe = torch.zeros_like(self._features, requires_grad=True)
        pulled = torch.autograd.grad(self._features, self._shift, probe, create_graph=True, allow_unused=True)[0]
        if pulled is None or not pulled.requires_grad:
            return torch.zeros_like(self._features)
        return torch.autograd.grad(pulled, probe, direction, retain_graph=True)[0]

    def pull_back(self, cotangent: Tensor) -> Tensor:
        """Jᵀ·cotangent in the shape of the shift: (d,) is summed over the latents."""
        if not self._features.requires_grad:
            return torch.zeros_like(self._shift)
        pulled = torch.autograd.grad(self._features, self._shift, cotangent, retain_graph=True, allow_unused=True)[0]
        return torch.zeros_like(self._shift) if pulled is None else pulled
