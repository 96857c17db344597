"""The convolutions by which small networks look at pictures."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn


def halvings(widths: Sequence[int], groups: int = 4) -> list[nn.Module]:
    """Layers that halve the height and width of maps once for each step of `widths`, the first of which is the input's.

    Sizes are rounded up (`halved`); all widths but the first are multiples of `groups`.
    """
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GroupNorm(groups, b), nn.SiLU()]
    return layers


def halved(size: int, times: int) -> int:
    """Height and width after so many halvings."""
    return -(-size // 2**times)
