"""How far images are from the pictures that they are to become: pixels and gradients at several sizes.

It needs nothing that would have to be downloaded; a perceptual network can go beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

# Pixels on a side of the smallest version.
_SMALLEST = 8
# Differences (of values in [-1, 1]) below which their squares count, above it their size (Charbonnier et al. 1994):
# what no generator makes, such as a hand before a face, should not rule all else.
_SOFT = 0.01

# Distances (n,) of images (n, colours, h, w) from pictures that it knows.
Measure = Callable[[Tensor], Tensor]


class Distance:
    """Distances (n,) from fixed pictures (n, colours, h, w) in [-1, 1].

    Args:
        pictures: targets, one for each image.
        perceptual: added to the differences of pixels and gradients, if there is one.
    """

    def __init__(self, pictures: Tensor, perceptual: Measure | None = None):
        self._perceptual = perceptual
        self._targets = list(_versions(pictures))

    def __call__(self, images: Tensor) -> Tensor:
        pairs = list(zip(_versions(images), self._targets, strict=True))
        parts = [_size(image - target) for image, target in pairs]
        found = torch.stack(parts).mean(dim=0)
        return found if self._perceptual is None else found + self._perceptual(images)


def shown(images: Tensor) -> Tensor:
    """What people see of images (n, channels, h, w): one channel or three; a fourth is opacity over white paper.

    Gradients flow through it.
    """
    channels = images.shape[1]
    if channels == 4:
        return 1 - (1 - images[:, :3]) * (images[:, 3:] + 1) / 2
    return images[:, :1] if channels < 3 else images[:, :3]


def differences(images: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours in each row and in each column."""
    return images[..., 1:] - images[..., :-1], images[..., 1:, :] - images[..., :-1, :]


def _versions(images: Tensor) -> Iterator[Tensor]:
    """Images and their gradients, in halves of their size down to the smallest."""
    while True:
        yield images
        yield from differences(images)
        if min(images.shape[-2:]) < 2 * _SMALLEST:
            return
        images = functional.avg_pool2d(images, 2)


def _size(difference: Tensor) -> Tensor:
    """Mean size (n,) of differences, smooth at zero."""
    return (difference.square() + _SOFT**2).sqrt().flatten(1).mean(dim=1) - _SOFT
