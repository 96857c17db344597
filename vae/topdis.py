"""The TopDis term (Balabin et al., ICML 2024): topology that a walk along one latent dimension should keep.

    topdis = TopDis(gamma=5.0)
    loss = reconstruction + kl + topdis(decoder, z)     # from codes z (n, d) of any decoder of yours

A dimension of the codes is chosen, and every code is moved along it such that a normal distribution stays itself:
Φ⁻¹(Φ(z_i) ± C). Both batches are decoded, and RTD measures how much the shape of the batch of images has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ganwalk.rtd import RTDLoss
from vae.settings import TopDisSettings

# A cycle needs three points.
MIN_POINTS = 3


class TopDis(nn.Module):
    """RTD between decoded codes and the same codes shifted along one dimension, times a weight.

    Args:
        gamma: the weight.
        shift: C.
        shift_gradient: "exact", or "constant" for a displacement that is not differentiated; see `shift_codes`.
        scale_gradient, p, card, threads: see `ganwalk.rtd.RTDLoss`; distances are divided by their 0.9 quantile,
            minimax, symmetric.
    Raises:
        GanwalkError: a value out of its range.
    """

    def __init__(
        self,
        gamma: float = 1.0,
        *,
        shift: float = 1 / 8,
        shift_gradient: str = "constant",
        scale_gradient: str = "exact",
        p: float = 1.0,
        card: int | None = None,
        threads: int | None = None,
    ):
        super().__init__()
        # Refused here too: by a shift that leaves no code inside (0, 1) every term would be zero.
        TopDisSettings(
            gamma=gamma, shift=shift, shift_gradient=shift_gradient, scale_gradient=scale_gradient, p=p, card=card
        )
        self.gamma, self.shift, self.shift_gradient = gamma, shift, shift_gradient
        self.rtd = RTDLoss(p=p, card=card, scale_gradient=scale_gradient, threads=threads)

    def forward(
        self,
        decode: Callable[[Tensor], Tensor],
        z: Tensor,
        *,
        dimension: int | None = None,
        sign: int | None = None,
        probabilities: Tensor | None = None,
        activation: Callable[[Tensor], Tensor] = torch.sigmoid,
        rng: torch.Generator | None = None,
    ) -> Tensor:
        """The weighted term of one batch, gamma times `divergence`, which has the arguments."""
        return self.gamma * self.divergence(
            decode,
            z,
            dimension=dimension,
            sign=sign,
            probabilities=probabilities,
            activation=activation,
            rng=rng,
        )

    def divergence(
        self,
        decode: Callable[[Tensor], Tensor],
        z: Tensor,
        *,
        dimension: int | None = None,
        sign: int | None = None,
        probabilities: Tensor | None = None,
        activation: Callable[[Tensor], Tensor] = torch.sigmoid,
        rng: torch.Generator | None = None,
    ) -> Tensor:
        """RTD of one batch and its shifted copy, with its gradient to the decoder and to z.

        Args:
            decode: codes (n, d) → logits (n, …) of images, or any features with `activation` that fits.
            z: codes (n, d), samples or means.
            dimension, sign: which coordinate moves, and which way (±1); drawn when None.
            probabilities: (d,) weights by which the dimension is drawn; None draws uniformly.
            activation: applied to what the decoder returns.
            rng: on the CPU.
        Returns:
            A scalar; zero, without a gradient, when fewer than three points stay inside (0, 1) or their coordinate
            is constant. NaN when the codes or the decoded batches are not finite: who watches the loss sees it there.
        """
        if dimension is None:
            dimension = draw_dimension(z.shape[1], probabilities, rng)
        if sign is None:
            sign = 1 if torch.rand((), generator=rng) < 0.5 else -1
        moved = shift_codes(z, dimension, sign * self.shift, gradient=self.shift_gradient)
        if moved is None:
            return torch.where(z.isfinite().all(), 0.0, math.nan).to(z.dtype)
        kept, shifted = moved
        decoded = activation(decode(torch.cat([kept, shifted]))).flatten(1)
        # Codes that stay behind may be the ones that are not finite.
        if not bool(decoded.isfinite().all() & z.isfinite().all()):
            return decoded.new_tensor(math.nan)
        first, second = decoded.chunk(2)
        return self.rtd(first, second)


def draw_dimension(z_dim: int, probabilities: Tensor | None = None, rng: torch.Generator | None = None) -> int:
    """A dimension below z_dim: uniformly, or with these weights (z_dim,) unless all are zero."""
    weights = torch.ones(z_dim) if probabilities is None else probabilities.detach().float().cpu()
    if not weights.sum() > 0:
        weights = torch.ones(z_dim)
    return int(torch.multinomial(weights, 1, generator=rng))


def shift_codes(z: Tensor, dimension: int, shift: float, *, gradient: str = "constant") -> tuple[Tensor, Tensor] | None:
    """Codes (m, d) that can move, and the same codes moved along `dimension` by `shift` in cumulative probability.

    The coordinate is normalised by the batch's mean and standard deviation; codes whose probability would leave (0, 1)
    are left out. None if fewer than three remain, or if the coordinate does not vary.

    The derivative of the move, φ(z) / φ(z'), has no bound: a code that lands far out in the tail can have a gradient
    thousands of times that of the others. With the gradient "constant" the displacement z' - z is not differentiated.
    """
    if len(z) < MIN_POINTS:
        return None
    coordinate = z[:, dimension]
    mean, deviation = coordinate.mean(), coordinate.std()
    probability = torch.special.ndtr((coordinate - mean) / deviation)
    target = probability + shift
    inside = ((target > 0) & (target < 1) & (deviation > torch.finfo(z.dtype).tiny)).nonzero().flatten()
    if len(inside) < MIN_POINTS:
        return None
    kept = z[inside]
    moved = torch.special.ndtri(target[inside]) * deviation + mean
    if gradient == "constant":
        start = coordinate[inside]
        moved = start + (moved - start).detach()
    column = torch.arange(z.shape[1], device=z.device) == dimension
    return kept, torch.where(column, moved[:, None], kept)


def inner_product(first: Sequence[Tensor | None], second: Sequence[Tensor | None]) -> Tensor:
    """Sum of products over all parameters; None counts as zero."""
    products = [(a * b).sum() for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return torch.stack(products).sum() if products else torch.zeros(())


def without_conflict(gradient: Sequence[Tensor | None], guide: Sequence[Tensor | None]) -> list[Tensor | None]:
    """A gradient over all parameters without what works against another one, the guide.

    Where their inner product is negative, the component along the guide is removed; else nothing changes. Parameters
    that one of them does not reach have None there, which counts as zero.
    """
    inner = inner_product(gradient, guide)
    if inner >= 0:
        return list(gradient)
    norm = torch.stack([b.square().sum() for b in guide if b is not None]).sum()
    share = inner / norm
    return [
        a if b is None else (-share * b if a is None else a - share * b) for a, b in zip(gradient, guide, strict=True)
    ]
