"""An even pace: time in proportion to how much the picture changes, measured on a few small pictures of the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from scipy.interpolate import PchipInterpolator
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ganwalk.animation.timeline import Pace, Warp

# Pictures of each transition, and pixels on a side of what is compared of them.
PARTS = 8
_SMALL = 32
# Of the mean change: what a part counts at least, so that nothing is passed in no time.
_LEAST = 0.05


def measure_pace(
    images_at: Callable[[Sequence[float]], Tensor],
    transitions: int,
    *,
    batch: int,
    on_images: Callable[[int], None] | None = None,
) -> Pace:
    """The pace at which the picture changes evenly.

    Args:
        images_at: positions → images (n, channels, h, w).
        transitions: from position 0 on, one for each whole number.
        batch: images at once.
        on_images: hears how many were made.
    """
    positions = [part / PARTS for part in range(PARTS * transitions + 1)]
    changes: list[Tensor] = []
    before: Tensor | None = None
    for start in range(0, len(positions), batch):
        part = positions[start : start + batch]
        with torch.no_grad():
            small = adaptive_avg_pool2d(images_at(part).clamp(-1, 1), _SMALL).flatten(1)
        row = small if before is None else torch.cat([before, small])
        changes.append((row[1:] - row[:-1]).square().mean(dim=1).sqrt().cpu())
        before = small[-1:]
        if on_images is not None:
            on_images(len(part))
    lengths = torch.cat(changes).double().numpy().reshape(transitions, PARTS)
    lengths = np.maximum(lengths, _LEAST * lengths.mean() + 1e-12)
    shares = lengths.sum(axis=1) / lengths.sum()
    return Pace(shares.tolist(), [_warp(row) for row in lengths])


def _warp(lengths: np.ndarray) -> Warp:
    """Share of the change → share of the way, rising smoothly (Fritsch and Carlson 1980)."""
    covered = np.concatenate([[0.0], np.cumsum(lengths)]) / lengths.sum()
    curve = PchipInterpolator(covered, np.linspace(0, 1, PARTS + 1))
    return lambda share: float(curve(share))
