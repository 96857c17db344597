"""The TopDis term (Balabin et al., ICML 2024): topology that a walk along one latent dimension should keep.

    topdis = TopDis(gamma=5.0)
    loss = reconstruction + kl + topdis(decoder, z)     # from codes z (n, d) of any decoder of yours

A dimension of the codes is chosen, and every code is moved along it such that a normal distribution stays itself:
Φ⁻¹(Φ(z_i) ± C). Both batches are decoded, and RTD measures how much the shape of the batch of images has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganwalk.rtd import RTDLoss
from vae.settings import TopDisSettings

# A cycle needs three points.
MIN_POINTS = 3
# Devices on which torch has no kernel for it.
_WITHOUT_NDTRI = ("mps",)


class TopDis(nn.Module):
    """RTD between decoded codes and the same codes shifted along one dimension, times a weight.

    Args:
        gamma: the weight.
        shift: C.
        shift_gradient: "exact", or "constant" for a displacement that is not differentiated; see `shift_codes`.
        scale_gradient, ends, p, card, threads: see `ganwalk.rtd.RTDLoss`; distances are divided by their 0.9 quantile,
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
        ends: str = "exact",
        p: float = 1.0,
        card: int | None = None,
        threads: int | None = None,
    ):
        super().__init__()
        # Refused here too: by a shift that leaves no code inside (0, 1) every term would be zero.
        TopDisSettings(
            gamma=gamma,
            shift=shift,
            shift_gradient=shift_gradient,
            scale_gradient=scale_gradient,
            ends=ends,
            p=p,
            card=card,
        )
        self.gamma, self.shift, self.shift_gradient = gamma, shift, shift_gradient
        self.rtd = RTDLoss(p=p, card=card, scale_gradient=scale_gradient, ends=ends, threads=threads)

    @classmethod
    def of_settings(cls, settings: TopDisSettings, *, threads: int | None = None) -> TopDis:
        """The term of a training's settings, of which the others say where the training takes it."""
        return cls(
            settings.gamma,
            shift=settings.shift,
            shift_gradient=settings.shift_gradient,
            scale_gradient=settings.scale_gradient,
            ends=settings.ends,
            p=settings.p,
            card=settings.card,
            threads=threads,
        )

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
        device = z.device
        if dimension is None:
            weights = None if probabilities is None else probabilities[None]
            dimensions = draw_dimensions(z.shape[1], uniform([rng]).to(device), weights)
        else:
            dimensions = torch.tensor([dimension], device=device)
        if sign is None:
            sign = 1 if torch.rand((), generator=rng) < 0.5 else -1
        signs = torch.tensor([float(sign)], device=device)
        return self.divergences(
            lambda codes: decode(codes[0])[None], z[None], dimensions=dimensions, signs=signs, activation=activation
        )[0]

    def divergences(
        self,
        decode: Callable[[Tensor], Tensor],
        z: Tensor,
        *,
        dimensions: Tensor,
        signs: Tensor,
        activation: Callable[[Tensor], Tensor] = torch.sigmoid,
        decoded: Tensor | None = None,
    ) -> Tensor:
        """`divergence` of K models at once, (K,): what the CPU needs of them comes there in one transfer.

        Args:
            decode: codes (K, n, d) → logits (K, n, …), each model's of its own.
            z: codes (K, n, d).
            dimensions: (K,) which coordinate moves.
            signs: (K,) which way, ±1.
            decoded: (K, n, …) what `decode` makes of z, where that is known: the moved codes alone are decoded then.
        """
        if z.shape[1] < MIN_POINTS:
            return torch.where(z.isfinite().all(dim=(1, 2)), 0.0, math.nan).to(z.dtype)
        moved = move_codes(z, dimensions, signs * self.shift, gradient=self.shift_gradient)
        on_cpu = z.device.type == "cpu"
        # To leave codes out of the batch asks how many there are: only the CPU answers at once.
        counts = moved.inside.sum(dim=1)
        m = int(counts.max()) if on_cpu else z.shape[1]
        if m < MIN_POINTS:
            return torch.where(z.isfinite().all(dim=(1, 2)), 0.0, math.nan).to(z.dtype)
        first = (~moved.inside).float().argsort(dim=1, stable=True)[:, :m]
        start, end = (
            codes.gather(1, first[..., None].expand(-1, -1, z.shape[2])) for codes in (moved.start, moved.end)
        )
        if decoded is None:
            both = decode(torch.cat([start, end], dim=1))
        else:
            models = torch.arange(len(z), device=z.device)[:, None]
            both = torch.cat([decoded[models, first], decode(end)], dim=1)
        clouds = activation(both).flatten(2)
        if on_cpu:
            return self._on_cpu(clouds, counts.tolist(), z.isfinite().all(dim=(1, 2)))
        return self._elsewhere(clouds, counts, z.isfinite().all(dim=(1, 2)))

    def _on_cpu(self, decoded: Tensor, counts: Sequence[int], finite: Tensor) -> Tensor:
        """Divergences of clouds (K, 2m, D), of which the first `counts` of either half count."""
        values = []
        for clouds, count, fine in zip(decoded, counts, finite, strict=True):
            first, second = (half[:count] for half in clouds.chunk(2))
            # Codes that stay behind may be the ones that are not finite.
            if not (fine and first.isfinite().all() and second.isfinite().all()):
                values.append(decoded.new_tensor(math.nan))
            elif count < MIN_POINTS:
                values.append(decoded.new_tensor(0.0))
            else:
                values.append(self.rtd(first, second))
        return torch.stack(values)

    def _elsewhere(self, decoded: Tensor, counts: Tensor, finite: Tensor) -> Tensor:
        """The same, of clouds on a device: their distances are what comes to the CPU, and goes back as gradients."""
        models, n = len(decoded), decoded.shape[1] // 2
        clouds = decoded.float().unflatten(1, (2, n)).flatten(0, 1)
        distances = torch.cdist(clouds, clouds, compute_mode="donot_use_mm_for_euclid_dist")
        said = torch.stack([counts, finite]).float()
        here = torch.cat([said.flatten(), distances.flatten()]).cpu()
        counted, fine = here[: 2 * models].detach().view(2, models).tolist()
        matrices = here[2 * models :].view(models, 2, n, n)
        values = [here.new_tensor(0.0 if sound else math.nan) for sound in fine]
        pairs, places = [], []
        for place, (pair, count) in enumerate(zip(matrices, map(int, counted), strict=True)):
            kept = pair[:, :count, :count]
            if not bool(kept.isfinite().all()):
                values[place] = here.new_tensor(math.nan)
            elif fine[place] and count >= MIN_POINTS:
                pairs.append((kept[0], kept[1]))
                places.append(place)
        if pairs:
            found = self.rtd.from_distances(pairs, normalize=self.rtd.settings.normalize)
            for place, value in zip(places, found, strict=True):
                values[place] = value
        return torch.stack(values).to(decoded.device)


def uniform(generators: Sequence[torch.Generator | None]) -> Tensor:
    """A number in [0, 1) of each generator of the CPU, (K,)."""
    return torch.stack([torch.rand((), generator=generator) for generator in generators])


def draw_dimensions(z_dim: int, chances: Tensor, probabilities: Tensor | None = None) -> Tensor:
    """Dimensions (K,) below z_dim: uniformly, or with weights (K, z_dim) unless all of a row are zero.

    Args:
        chances: (K,) uniform in [0, 1), which decide; on the device where the dimensions are wanted.
    """
    weights = torch.ones(len(chances), z_dim, device=chances.device)
    if probabilities is not None:
        given = probabilities.detach().float()
        weights = torch.where(given.sum(dim=1, keepdim=True) > 0, given, weights)
    shares = weights.cumsum(dim=1)
    last = (weights > 0).float().cumsum(dim=1).argmax(dim=1)
    return torch.minimum((shares <= (chances * shares[:, -1])[:, None]).sum(dim=1), last)


@dataclass(frozen=True)
class Moved:
    """Codes before and after their move.

    Attributes:
        start, end: (K, n, d); what `inside` leaves out has arbitrary numbers in `end`.
        inside: (K, n) the codes that can move.
    """

    start: Tensor
    end: Tensor
    inside: Tensor


def move_codes(z: Tensor, dimensions: Tensor, shifts: Tensor, *, gradient: str = "constant") -> Moved:
    """Codes (K, n, d), each batch moved along its dimension (K,) by its shift (K,) in cumulative probability.

    The coordinate is normalised by the batch's mean and standard deviation; codes whose probability would leave (0, 1)
    cannot move, nor those of a coordinate that does not vary.

    The derivative of the move, φ(z) / φ(z'), has no bound: a code that lands far out in the tail can have a gradient
    thousands of times that of the others. With the gradient "constant" the displacement z' - z is not differentiated.
    """
    coordinate = z.gather(2, dimensions[:, None, None].expand(-1, z.shape[1], 1))[..., 0]
    # Half precision has no place for probabilities near 1.
    coordinate = coordinate.to(torch.promote_types(z.dtype, torch.float32))
    x = coordinate if gradient == "exact" else coordinate.detach()
    mean, variance = x.mean(dim=1, keepdim=True), x.var(dim=1, keepdim=True)
    varies = variance > torch.finfo(x.dtype).tiny
    # Where there is no number there is no gradient either that a zero after it could undo: it is kept from arising.
    deviation = torch.where(varies, variance, 1.0).sqrt()
    target = torch.special.ndtr((x - mean) / deviation) + shifts[:, None]
    inside = (target > 0) & (target < 1) & varies
    moved = normal_quantile(torch.where(inside, target, 0.5)) * deviation + mean
    if gradient == "constant":
        moved = coordinate + (moved - x)
    column = torch.arange(z.shape[2], device=z.device) == dimensions[:, None, None]
    return Moved(z, torch.where(column, moved[..., None].to(z.dtype), z), inside)


def normal_quantile(probabilities: Tensor) -> Tensor:
    """Φ⁻¹ of probabilities in (0, 1)."""
    if probabilities.device.type in _WITHOUT_NDTRI:
        # Less precise where probabilities are small.
        return math.sqrt(2) * torch.erfinv(2 * probabilities - 1)
    return torch.special.ndtri(probabilities)


def shift_codes(z: Tensor, dimension: int, shift: float, *, gradient: str = "constant") -> tuple[Tensor, Tensor] | None:
    """Codes (m, d) that can move, and the same codes moved; `move_codes` of one batch (n, d).

    None if fewer than three can.
    """
    if len(z) < MIN_POINTS:
        return None
    dimensions, shifts = torch.tensor([dimension], device=z.device), z.new_tensor([shift])
    moved = move_codes(z[None], dimensions, shifts, gradient=gradient)
    kept = moved.inside[0].nonzero().flatten()
    return None if len(kept) < MIN_POINTS else (moved.start[0][kept], moved.end[0][kept])


def inner_products(first: Sequence[Tensor | None], second: Sequence[Tensor | None], models: int = 1) -> Tensor:
    """Sums (K,) of products over all parameters of each of K models, stacked along first axes; None counts as zero."""
    products = [sums(a * b, models) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    return torch.stack(products).sum(dim=0) if products else torch.zeros(models)


def sums(stacked: Tensor, models: int) -> Tensor:
    """Sums (K,) of all entries of each of K models, which lie along the first axis."""
    return stacked.unflatten(0, (models, -1)).sum(dim=tuple(range(1, stacked.ndim + 1)))


def scaled(shares: Tensor, gradient: Tensor) -> Tensor:
    """A parameter's gradients of K models, stacked along its first axis, each times its share (K,)."""
    return (shares.view(-1, *[1] * gradient.ndim) * gradient.unflatten(0, (len(shares), -1))).flatten(0, 1)


def conflicting_shares(gradient: Sequence[Tensor | None], guide: Sequence[Tensor | None], models: int = 1) -> Tensor:
    """How many times the guide a gradient over all parameters holds, where it works against it; else 0. (K,)"""
    inner = inner_products(gradient, guide, models)
    # Decided where the gradients are: the CPU is not asked.
    return torch.where(inner < 0, inner / inner_products(guide, guide, models), 0.0)


def without_conflict(
    gradient: Sequence[Tensor | None], guide: Sequence[Tensor | None], shares: Tensor
) -> list[Tensor | None]:
    """A gradient over all parameters without what works against another one, the guide; of each of K models for itself.

    Where their inner product is negative, the component along the guide is removed; else nothing changes. Parameters
    that one of them does not reach have None there, which counts as zero.

    Args:
        shares: (K,) `conflicting_shares` of the two.
    """
    return [
        a if b is None else (-scaled(shares, b) if a is None else a - scaled(shares, b))
        for a, b in zip(gradient, guide, strict=True)
    ]
