"""Batches of images along directions, as bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.edits import Move, walk
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.samples import Samples

Progress = Callable[[int, int], None]


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


def traverse(
    generator: Generator,
    directions: Directions,
    edit: Sequence[Move],
    fractions: Sequence[float],
    samples: Samples,
    *,
    batch: int,
    on_images: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Pixels (len(samples), len(fractions), h, w, 3): every sample at every multiple of an edit.

    For one move of amplitude 1 the fractions are amplitudes, in σ. At most `batch` images are synthesised at once;
    `on_images` hears how many were finished.
    """
    if batch < 1:
        raise GanwalkError(f"batch must be at least 1, not {batch}")
    directions.check(generator)
    steps = torch.tensor(fractions, dtype=torch.float32)
    rows = []
    with torch.no_grad():
        for sample in samples:
            styles = walk(generator, directions, edit, sample, steps)[0]
            row = []
            for part in styles.split(batch):
                row.append(to_bytes(generator.synthesis(part)))
                if on_images is not None:
                    on_images(len(part))
            rows.append(np.concatenate(row))
    return np.stack(rows)
