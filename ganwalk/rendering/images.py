"""Batches of images along directions, as bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.directions.edits import Move, walk
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.samples import Samples


def to_bytes(images: Tensor) -> np.ndarray:
    """Pixels (n, h, w, 3) uint8 of images (n, channels, h, w) in [-1, 1]; values beyond are clamped.

    Fewer than three channels show the first as grey. A fourth is the opacity, from -1 (none) to 1, over white paper;
    of more, the first three are shown.
    """
    if images.shape[1] == 4:
        images = images.clamp(-1, 1)
        # White is 1: what the opacity leaves of the distance to it.
        images = 1 - (1 - images[:, :3]) * (images[:, 3:] + 1) / 2
    pixels = (images.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return np.repeat(pixels[..., :1], 3, axis=3) if pixels.shape[3] < 3 else pixels[..., :3]


def from_bytes(pixels: np.ndarray) -> Tensor:
    """Images (n, 3, h, w) in [-1, 1] that `to_bytes` makes these pixels (n, h, w, 3) of."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def traverse(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    fractions: Sequence[float],
    samples: Samples,
    *,
    batch: int,
    unmoved: np.ndarray | None = None,
    on_images: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Pixels (len(samples), len(fractions), h, w, 3): every sample at every multiple of an edit.

    For one move of amplitude 1 the fractions are amplitudes, in σ. At most `batch` images are synthesised at once;
    `on_images` hears how many were finished.

    Args:
        unmoved: pixels (len(samples), h, w, 3) of the samples themselves, which are not made again for fraction 0.
    """
    if batch < 1:
        raise GanwalkError(f"batch must be at least 1, not {batch}")
    directions.check(generator)
    if unmoved is not None and all(map(is_zero, fractions)):
        return np.repeat(unmoved[:, None], len(fractions), axis=1)
    moved = [k for k, fraction in enumerate(fractions) if unmoved is None or not is_zero(fraction)]
    steps = torch.tensor([fractions[k] for k in moved], dtype=torch.float32)
    made = []
    with torch.no_grad():
        for part in walk(generator, directions, edit, samples, steps).flatten(0, 1).split(batch):
            made.append(to_bytes(generator.synthesis(part)))
            if on_images is not None:
                on_images(len(part))
    if unmoved is None:
        pixels = np.concatenate(made)
        return pixels.reshape(len(samples), len(fractions), *pixels.shape[1:])
    pictures = np.repeat(unmoved[:, None], len(fractions), axis=1)
    pictures[:, moved] = np.concatenate(made).reshape(len(samples), len(moved), *unmoved.shape[1:])
    return pictures


def unmoved_pictures(
    generator: Generator,
    directions: Directions,
    fractions: Sequence[float],
    samples: Samples,
    *,
    batch: int,
    on_images: Callable[[int], None] | None = None,
) -> np.ndarray | None:
    """Pixels (len(samples), h, w, 3) of samples for the `unmoved` of several calls of `traverse`; None without a 0."""
    if not any(map(is_zero, fractions)):
        return None
    return traverse(generator, directions, [], [0.0], samples, batch=batch, on_images=on_images)[:, 0]


def is_zero(fraction: float) -> bool:
    """Whether a multiple of an edit is none but for rounding."""
    return abs(fraction) < 1e-9
