"""How well a model reconstructs images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.arrays import host_array
from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array

# Probabilities are kept this far from 0 and 1, where the cross-entropy would be infinite.
_LEAST = 1e-7
# A mean squared error below this counts as this: a perfect image has 100 dB instead of infinitely many.
_LEAST_ERROR = 1e-10


@dataclass(frozen=True)
class Reconstruction:
    """Attributes:
    bce: binary cross-entropy in nats, summed over an image's pixels and channels, mean over the images.
    mse: mean squared error of values in [0, 1].
    psnr: peak signal-to-noise ratio in dB, mean over the images.
    """

    bce: float
    mse: float
    psnr: float


def reconstruction(images: ArrayLike, probabilities: ArrayLike) -> Reconstruction:
    """Scores of reconstructions, which are means of Bernoulli or Gaussian pixels in [0, 1].

    Args:
        images: (N, …) uint8, or floats in [0, 1].
        probabilities: reconstructions of the same shape, floats in [0, 1].
    Raises:
        GanwalkError: shapes that differ, no images, or values outside [0, 1].
    """
    target = host_array(images, "images")
    target = target.astype(np.float64) / 255 if target.dtype == np.uint8 else target.astype(np.float64)
    found = host_array(probabilities, "reconstructions").astype(np.float64)
    if target.shape != found.shape or not len(target):
        raise GanwalkError(f"reconstructions {found.shape} must have the shape of the images {target.shape}")
    for name, values in (("images", target), ("reconstructions", found)):
        if not (values.min() >= 0 and values.max() <= 1):  # NaN fails both
            raise GanwalkError(f"{name} must lie in [0, 1]: give bytes, or probabilities after the sigmoid")
    target, found = target.reshape(len(target), -1), found.reshape(len(found), -1)
    errors = ((target - found) ** 2).mean(axis=1)
    return Reconstruction(
        bce=float(_cross_entropy(target, found).sum(axis=1).mean()),
        mse=float(errors.mean()),
        psnr=float((-10 * np.log10(np.maximum(errors, _LEAST_ERROR))).mean()),
    )


def _cross_entropy(target: Array, found: Array) -> Array:
    found = found.clip(_LEAST, 1 - _LEAST)
    return -(target * np.log(found) + (1 - target) * np.log1p(-found))
