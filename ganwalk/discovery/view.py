"""How latents become the points of a cloud: the space, the layers, the features, a bounded number at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ganwalk.generators.base import Generator, Noise, sample_labels, sample_z

# Pixels on a side up to which distances are taken between images by default; above it, between features.
IMAGE_DISTANCE_LIMIT = 128
FEATURE_DISTANCE_LIMIT = 32
DEFAULT_CHUNK = 64
# Values of the largest feature map of a chunk: 16 maps of 512 channels and 32 px, with which the gradient of a
# 1024 px network takes some 2 GB.
_CHUNK_VALUES = 2**23


@dataclass(frozen=True)
class View:
    """How latents become the points of a cloud.

    Attributes:
        space: "z" or "w".
        layers: first and last layer (inclusive) whose style is shifted; None shifts all. Only for w.
        layer: layer whose features are compared; the last one is the image.
        noise: per-pixel noise of the synthesis.
        truncation_psi: truncation of the batch before it is shifted.
        class_index: class of a conditional generator; None draws classes.
        chunk: latents synthesised at once; larger batches are recomputed chunk by chunk in the backward pass.
        truncation_cutoff: truncate only this many first layers; None truncates all.
    """

    space: str
    layers: tuple[int, int] | None
    layer: int
    noise: Noise
    truncation_psi: float
    class_index: int | None
    chunk: int
    truncation_cutoff: int | None = None

    def styles(self, generator: Generator, z: Tensor, c: Tensor | None) -> Tensor:
        """Styles (n, num_layers, w_dim) of latent codes (n, z_dim) and labels, truncated."""
        return generator.mapping(z, c, truncation_psi=self.truncation_psi, truncation_cutoff=self.truncation_cutoff)


def default_layer(generator: Generator) -> int:
    """The image for small generators; otherwise the last layer of at most 32 px, as the paper's early layers.

    A generator whose features have margins may be larger than that from the start: then the last of its smallest ones.
    """
    last = generator.num_layers - 1
    if generator.resolution <= IMAGE_DISTANCE_LIMIT:
        return last
    limit = max(FEATURE_DISTANCE_LIMIT, min(generator.layer_resolutions))
    return max(k for k, size in enumerate(generator.layer_resolutions) if size <= limit)


def default_chunk(generator: Generator, layer: int) -> int:
    """Images to synthesise at once up to a layer: few where feature maps are large, as published networks have them."""
    if generator.resolution <= IMAGE_DISTANCE_LIMIT:
        return DEFAULT_CHUNK
    size = generator.layer_resolutions[layer]
    channels = max(1, min(512, 2**15 // size))
    return max(1, min(DEFAULT_CHUNK, _CHUNK_VALUES // (channels * size**2)))


def sample_latents(generator: Generator, view: View, n: int, seed: int) -> Tensor:
    """A batch in the searched space: styles (n, num_layers, w_dim) for w, latent codes (n, z_dim) for z."""
    z = sample_z(generator, n, seed)
    if view.space == "z":
        return z
    c = sample_labels(generator, n, view.class_index, seed)
    with torch.no_grad():
        return view.styles(generator, z, c)


def features(generator: Generator, view: View, latents: Tensor, seed: int) -> Tensor:
    """Images or features (n, …) of latents; bounded memory, forwards and backwards."""

    def synthesise(part: Tensor, start: int) -> Tensor:
        if view.space == "z":
            c = sample_labels(generator, len(part), view.class_index, seed + start)
            part = view.styles(generator, part, c)
        return generator.synthesis(part, until=view.layer, noise=view.noise, seed=seed + start)

    if len(latents) <= view.chunk:
        return synthesise(latents, 0)
    parts = []
    for start in range(0, len(latents), view.chunk):
        part = latents[start : start + view.chunk]
        if torch.is_grad_enabled() and part.requires_grad:
            parts.append(checkpoint(synthesise, part, start, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(synthesise(part, start))
    return torch.cat(parts)


def mean_change(reference: Tensor, shifted: Tensor) -> Tensor:
    """Mean over the batch of the root-mean-square difference of each pair, in the units of the features."""
    difference = (shifted - reference).flatten(1)
    return difference.square().mean(dim=1).sqrt().mean()
