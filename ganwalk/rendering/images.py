"""Batches of images along directions, as bytes, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from ganwalk.directions import Directions, walk
from ganwalk.generators.base import Generator, sample_labels, sample_z

Progress = Callable[[int, int], None]


def to_bytes(images: Tensor) -> np.ndarray:
    """Pixels (n, h, w, 3) uint8 of images (n, 1 or 3, h, w) in [-1, 1]; values beyond are clamped."""
    pixels = (images.clamp(-1, 1) * 127.5 + 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return np.repeat(pixels, 3, axis=3) if pixels.shape[3] == 1 else pixels[..., :3]


def traverse(
    generator: Generator,
    directions: Directions,
    index: int,
    amplitudes: Sequence[float],
    *,
    seeds: Sequence[int],
    truncation_psi: float,
    layers: tuple[int, int] | None,
    class_index: int | None,
    batch: int,
    on_images: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Pixels (len(seeds), len(amplitudes), h, w, 3): every sample at every amplitude, in σ, of one direction.

    At most `batch` images are synthesised at once; `on_images` hears how many were finished.
    """
    directions.check(generator)
    device = generator.w_avg.device
    steps = torch.tensor(amplitudes, dtype=torch.float32)
    rows = []
    with torch.no_grad():
        for seed in seeds:
            z = sample_z(generator, 1, seed, device)
            c = sample_labels(generator, 1, class_index, seed, device)
            styles = walk(generator, directions, index, z, steps, c=c, truncation_psi=truncation_psi, layers=layers)[0]
            row = []
            for part in styles.split(batch):
                row.append(to_bytes(generator.synthesis(part)))
                if on_images is not None:
                    on_images(len(part))
            rows.append(np.concatenate(row))
    return np.stack(rows)
