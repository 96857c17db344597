"""What unshifted samples are like, and how far from them others lie.

The distance of a sample from the distribution is the mean of two, each in units of the 0.95 quantile of what unshifted
samples have that the cloud does not know:

- of its styles from the mean style w̄, ‖w - w̄‖; of styles that differ from layer to layer, the largest. Components of
  small variance count as the others do: on `scenes` that tells more than a Mahalanobis distance.
- of its picture x, reduced to few pixels, from the mean picture x̄ of the cloud: with variances λ₁ ≥ λ₂ ≥ … along the
  principal components vₖ of its pictures, the root of Σₖ ⟨vₖ, x - x̄⟩² / max(λₖ, λ₁/1000), over a whole basis: what lies
  in no component has the smallest variance.

The mean is divided by its own 0.95 quantile again: beyond 1 is what one unshifted sample of twenty is.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

# Share of unshifted samples within the distribution.
WITHIN = 0.95
# Smallest variance of a component of pictures, as a share of the largest one.
_FLOOR = 1e-3
# Pixels on a side and values that a picture or its features are reduced to.
_SIDE, _VALUES = 16, 2**15


def reduced(features: Tensor) -> Tensor:
    """Images or features (n, c, h, w) as few values (n, d): means over squares."""
    side = min(_SIDE, features.shape[-1])
    while side > 1 and features.shape[1] * side**2 > _VALUES:
        side //= 2
    return adaptive_avg_pool2d(features, side).flatten(1)


@dataclass(frozen=True)
class Pictures:
    """The distribution of reduced pictures.

    Attributes:
        mean: (d,).
        components: (k, d) orthonormal rows.
        variances: (k,) along them, none below the floor.
        floor: variance along everything else.
    """

    mean: Tensor
    components: Tensor
    variances: Tensor
    floor: Tensor

    @staticmethod
    def of(pictures: Tensor) -> Pictures:
        """That of the rows (n, d)."""
        mean = pictures.mean(dim=0)
        # Decompositions of this size are no work for accelerators, some of which lack them.
        _, lengths, components = torch.linalg.svd((pictures - mean).cpu(), full_matrices=False)
        variances = (lengths.square() / max(1, len(pictures) - 1)).to(mean)
        floor = (_FLOOR * variances[0]).clamp_min(torch.finfo(variances.dtype).tiny)
        return Pictures(mean, components.to(mean), variances.clamp_min(floor), floor)

    def distances(self, pictures: Tensor) -> Tensor:
        """Distances (n,) of rows (n, d)."""
        offsets = pictures - self.mean
        coordinates = offsets @ self.components.T
        rest = (offsets.square().sum(dim=1) - coordinates.square().sum(dim=1)).clamp_min(0)
        return ((coordinates.square() / self.variances).sum(dim=1) + rest / self.floor).sqrt()


@dataclass(frozen=True)
class Cloud:
    """Unshifted samples, against which others are held.

    Attributes:
        mean_style: (w_dim,).
        pictures: the distribution of their reduced pictures.
        style_unit, picture_unit: the 0.95 quantile of either distance.
        unit: likewise of the mean of both.
    """

    mean_style: Tensor
    pictures: Pictures
    style_unit: float = 1.0
    picture_unit: float = 1.0
    unit: float = 1.0

    @staticmethod
    def of(styles: Tensor, pictures: Tensor, held: int) -> Cloud:
        """That of styles (n, num_layers, w_dim) and reduced pictures (n, d), whose last `held` give the units."""
        cloud = Cloud(styles[:-held].mean(dim=(0, 1)), Pictures.of(pictures[:-held]))
        of_styles, of_pictures = cloud.distances(styles[-held:], pictures[-held:])
        style_unit, picture_unit = _quantile(of_styles), _quantile(of_pictures)
        both = (of_styles / style_unit + of_pictures / picture_unit) / 2
        return Cloud(cloud.mean_style, cloud.pictures, style_unit, picture_unit, _quantile(both))

    def distances(self, styles: Tensor, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Distances (n,) of styles and of reduced pictures, in their units; what is not finite is infinitely far."""
        of_styles = (styles - self.mean_style).norm(dim=2).amax(dim=1) / self.style_unit
        of_pictures = self.pictures.distances(pictures) / self.picture_unit
        return tuple(values.nan_to_num(torch.inf) for values in (of_styles, of_pictures))  # type: ignore[return-value]

    def together(self, of_styles: Tensor, of_pictures: Tensor) -> Tensor:
        """The distance from the distribution, of both: beyond 1 is what one unshifted sample of twenty is."""
        return (of_styles + of_pictures) / 2 / self.unit


def _quantile(values: Tensor) -> float:
    """That within which unshifted samples are; never 0, by which nothing could be divided."""
    return max(float(values.cpu().quantile(WITHIN)), 1e-12)
