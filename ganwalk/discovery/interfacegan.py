"""Directions of known factors: what a method could find that is told what to look for. **Supervised.**

Shen, Gu, Tang & Zhou, "Interpreting the Latent Space of GANs for Semantic Face Editing" (CVPR 2020): the normal of the
hyperplane that separates an attribute's latents, made conditional by projecting out the normals of the others. Factors
have values here, not two sides, so that ridge regression stands for their support vector machine; a circular factor is
read as its cosine and sine, a categorical one as the probabilities of its classes.

It is done in whitened coordinates, in which w is what z is by itself: alike in all directions. Normals in w as it is
lie along what hardly varies, where a standard deviation is a short step with little effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ganwalk.discovery.factors import Factor, FactorReader, read_factors
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.spectra import leading_eigenvectors
from ganwalk.discovery.view import default_chunk, sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.layers import hull_of

# Penalties among which cross-validation chooses, over the mean variance of the latents.
_PENALTIES = 10.0 ** torch.arange(-6, 3, dtype=torch.float64)
# Share of a factor's variance below which a component of its linear model is noise.
_FAINT = 0.02
# Share of the largest variance of the latents below which there is only rounding.
_ROUNDING = 1e-10
# What must be left of a normal when the others are projected out; otherwise it stays as it is.
_LEFT = 0.1


@dataclass(frozen=True)
class Normal:
    """A component of a factor's linear model.

    Attributes:
        factor: its name.
        vector: (k,) of unit length, in the coordinates of the model.
        rank: among the components of its factor, from 0, by the variance that they explain.
        explained: share of the factor's variance.
    """

    factor: str
    vector: Tensor
    rank: int
    explained: float


def find_directions(
    generator: Generator,
    settings: DiscoverySettings,
    reader: FactorReader,
    on_share: Callable[[float], None] | None = None,
) -> tuple[Tensor, tuple[str, ...]]:
    """Directions (n, d) float64 of unit length by linear models of the factors, and sentences about them.

    Every factor has one direction before any has a second, as circular factors (two) and categorical ones (one less
    than classes) can have. Where the factors have fewer than n, principal components of the latents fill up, orthogonal
    to all normals in whitened coordinates: they change no factor as far as it is linear.

    Args:
        settings: resolved; `images` latents are read.
        on_share: called with the share of them that is done.
    Raises:
        GanwalkError: n is above the dimensions that the latents vary along, or no linear model explains any factor.
    """
    n, view = settings.n_directions, settings.view()
    assert settings.images is not None
    last = generator.num_layers - 1
    view = replace(view, layer=last, chunk=min(view.chunk, default_chunk(generator, last, settings.memory)))
    with torch.no_grad():
        latents = sample_latents(generator, view, settings.images, settings.seed)
        values = read_factors(generator, reader, view, latents, settings.seed, on_share)
    if latents.ndim == 3:
        latents = latents[:, hull_of(settings.layers)[0] if settings.layers else 0]
    points, root = _whitened(latents.cpu().double())
    if n > len(root):
        raise GanwalkError(f"the latents vary along {len(root)} dimensions only, not {n}: ask for fewer directions")
    normals = [
        normal
        for factor, read in zip(reader.factors, values, strict=True)
        for normal in factor_normals(factor, points, read.cpu().double())
    ]
    if not normals:
        raise GanwalkError("no factor is linear in the latents, not even in part: interfacegan cannot serve it")
    chosen = sorted(normals, key=lambda normal: (normal.rank, -normal.explained))[:n]
    vectors = torch.stack([conditional(normal, chosen) for normal in chosen])
    rest = _components_beside(root, torch.stack([normal.vector for normal in chosen]), n - len(chosen))
    shares = [f"{name} {share:.2f}" for name, share in _explained(reader.factors, normals).items()]
    notices = [f"supervised: linear models explain {', '.join(shares)} of the factors' variance"]
    if len(rest):
        notices.append(f"{len(rest)} of {n} directions are principal components beside those of the factors")
    return F.normalize(torch.cat([vectors, rest]) @ root, dim=1), tuple(notices)


def factor_normals(factor: Factor, points: Tensor, values: Tensor) -> list[Normal]:
    """The components of a linear model of a factor, none where it explains nothing.

    Args:
        points: (m, k) float64.
        values: of the factor, as `FactorReader.read` has them, float64.
    """
    targets = _targets(factor, values)
    targets = targets - targets.mean(dim=0)
    total = targets.square().mean(dim=0).sum()
    if total <= 0:
        return []
    centred = points - points.mean(dim=0)
    slopes = _ridge(centred, targets)
    fitted = centred @ slopes
    # Fits are shrunk, so that their variance is no more than what they explain.
    shares, axes = leading_eigenvectors(fitted.T @ fitted / (len(points) * total), targets.shape[1])
    return [
        Normal(factor.name, F.normalize(slopes @ axis, dim=0), rank, float(share))
        for rank, (share, axis) in enumerate(zip(shares, axes, strict=True))
        if share > _FAINT
    ]


def conditional(normal: Normal, chosen: list[Normal]) -> Tensor:
    """The direction (k,) that moves a factor and, to first order, none of the others: their normals projected out.

    It is the normal itself where the others' leave next to nothing of it.
    """
    others = [other.vector for other in chosen if other.factor != normal.factor]
    if not others:
        return normal.vector
    basis = torch.linalg.qr(torch.stack(others).T).Q
    left = normal.vector - basis @ (basis.T @ normal.vector)
    return normal.vector if left.norm() < _LEFT else left / left.norm()


def _targets(factor: Factor, values: Tensor) -> Tensor:
    """What a linear model is fitted to, (m, targets)."""
    if factor.kind == "categorical":
        return values
    if factor.kind == "circular":
        turn = 2 * math.pi / factor.period * values
        return torch.stack([turn.cos(), turn.sin()], dim=1)
    return values[:, None]


def _ridge(points: Tensor, targets: Tensor) -> Tensor:
    """Slopes (k, targets) of ridge regression, its penalty by generalised cross-validation (Golub et al. 1979)."""
    m = len(points)
    u, sizes, rows = torch.linalg.svd(points, full_matrices=False)
    along = u.T @ targets
    variances = sizes.square()
    outside = targets.square().sum() - along.square().sum()
    best, slopes = math.inf, torch.zeros(points.shape[1], targets.shape[1], dtype=points.dtype)
    for penalty in _PENALTIES * variances.mean():
        kept = variances / (variances + penalty)
        error = (((1 - kept)[:, None] * along).square().sum() + outside) / max(1e-9, float(1 - kept.sum() / m)) ** 2
        if float(error) < best:
            best, slopes = float(error), rows.T @ ((sizes / (variances + penalty))[:, None] * along)
    return slopes


def _whitened(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates (m, k) of latents (m, d) that have unit variance in all directions, and the rows (k, d) of these."""
    centred = latents - latents.mean(dim=0)
    variances, axes = leading_eigenvectors(centred.T @ centred / len(latents), latents.shape[1])
    kept = variances > _ROUNDING * variances[0]
    variances, axes = variances[kept], axes[kept]
    return centred @ axes.T / variances.sqrt(), variances.sqrt()[:, None] * axes


def _components_beside(root: Tensor, normals: Tensor, count: int) -> Tensor:
    """Whitened directions (count, k) orthogonal to the normals (j, k) along which the latents vary most."""
    basis = torch.linalg.qr(normals.T).Q
    beside = torch.eye(len(root), dtype=root.dtype) - basis @ basis.T
    return leading_eigenvectors(beside @ root @ root.T @ beside, count)[1]


def _explained(factors: tuple[Factor, ...], normals: list[Normal]) -> dict[str, float]:
    """The share of each factor's variance that its linear model explains, by name."""
    return {
        factor.name: sum(normal.explained for normal in normals if normal.factor == factor.name) for factor in factors
    }
