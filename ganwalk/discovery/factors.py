"""Factors of variation, and their values for latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from ganwalk.discovery.view import View, code_labels, latent_styles
from ganwalk.generators.base import Generator

Kind = Literal["linear", "circular", "categorical"]


@dataclass(frozen=True)
class Factor:
    """One factor of variation.

    Attributes:
        name: such as "azimuth".
        kind: "linear" and "circular" factors have values (n,), "categorical" ones probabilities (n, classes).
        period: of a circular factor.
    """

    name: str
    kind: Kind = "linear"
    period: float = 1.0


class FactorReader(Protocol):
    """Reads the factors of a batch.

    Attributes:
        factors: what is read.
        needs_images: whether images have to be made for it.
        identity: what tells it from other readers.
    """

    factors: tuple[Factor, ...]
    needs_images: bool
    identity: str

    def read(self, styles: Tensor, images: Tensor | None) -> list[Tensor]:
        """Values of every factor, in order.

        Args:
            styles: (n, num_layers, w_dim).
            images: (n, channels, h, w) in [-1, 1], or None if they are not needed.
        """
        ...


def read_factors(
    generator: Generator,
    reader: FactorReader,
    view: View,
    latents: Tensor,
    seed: int,
    on_share: Callable[[float], None] | None = None,
) -> list[Tensor]:
    """Values of every factor, of whole images that are made and forgotten chunk by chunk.

    Args:
        on_share: called with the share of the latents that is done.
    """
    parts = []
    labels = code_labels(generator, view, len(latents), seed)
    for start in range(0, len(latents), view.chunk):
        part = slice(start, start + view.chunk)
        styles = latent_styles(generator, view, latents[part], seed, None if labels is None else labels[part])
        images = generator.synthesis(styles, noise=view.noise).clamp(-1, 1) if reader.needs_images else None
        parts.append(reader.read(styles, images))
        if on_share is not None:
            on_share(min(1.0, (start + len(styles)) / len(latents)))
    return [torch.cat(values) for values in zip(*parts, strict=True)]
