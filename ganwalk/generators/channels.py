"""Channel styles, the space S of StyleSpace (Wu et al., CVPR 2021): what the affine layers make of styles w.

A vector of S holds the outputs of all affine layers one after another, in the order in which the network meets them:
StyleGAN2's projection to RGB of one resolution comes before the first convolution of the next, as StyleSpace counts.
As latents they are (n, 1, S), which no styles (n, num_layers, w_dim) of such networks are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import SPACES, Generator, broadcast_styles
from ganwalk.layers import Layers, layer_mask

# The layer whose style enters, and the affine layer, a module with a `weight`, that it enters.
Entry = tuple[int, Any]


class Channelled(Generator, Protocol):
    """A generator that has the space S."""

    @property
    def style_channels(self) -> tuple[tuple[int, int], ...]: ...
    def channel_styles(self, w: Tensor) -> Tensor: ...


def channelled(generator: Generator) -> Channelled:
    """The generator; GanwalkError if it has no space S."""
    if not hasattr(generator, "channel_styles"):
        raise GanwalkError(
            "only StyleGAN, StyleGAN2 and StyleGAN3 have channel styles, the space s, not this generator"
        )
    return cast("Channelled", generator)


def space_dim(generator: Generator, space: str) -> int:
    """The dimension of a latent space, "z", "w" or "s"; GanwalkError if the generator does not have it."""
    if space == "s":
        return sum(count for _, count in channelled(generator).style_channels)
    if space not in SPACES:
        raise GanwalkError(f"unknown space {space!r}: choose z or w")
    if space == "w" and not generator.style_based:
        raise GanwalkError("this generator has no w space: use --space z")
    return generator.w_dim if space == "w" else generator.z_dim


def affine_outputs(w: Tensor, entries: Sequence[Entry], until: int, num_layers: int, w_dim: int) -> list[Tensor]:
    """What each affine layer up to layer `until` says to its convolution, (n, channels), of styles or channel styles.

    Args:
        w: styles (n, num_layers, w_dim) or (n, w_dim), or channel styles (n, 1, S).
        entries: all affine layers.
    """
    used = [entry for entry in entries if entry[0] <= until]
    if w.ndim == 3 and w.shape[1] == 1 and num_layers > 1:
        sizes = [affine.weight.shape[0] for _, affine in entries]
        if w.shape[2] != sum(sizes):
            raise GanwalkError(f"channel styles of shape {tuple(w.shape)} given, expected (n, 1, {sum(sizes)})")
        return list(w[:, 0].split(sizes, dim=1))[: len(used)]
    styles = broadcast_styles(w, num_layers, w_dim)
    return [affine(styles[:, layer]) for layer, affine in used]


class WithChannelStyles:
    """What generators add whose synthesis has `affines()` and takes channel styles."""

    synthesis: Any
    num_layers: int
    w_dim: int

    @property
    def style_channels(self) -> tuple[tuple[int, int], ...]:
        """Layer and number of channels of each affine layer, in the order of S."""
        return tuple((layer, affine.weight.shape[0]) for layer, affine in self.synthesis.affines())

    def channel_styles(self, w: Tensor) -> Tensor:
        """Channel styles (n, 1, S) of styles (n, num_layers, w_dim) or (n, w_dim)."""
        outputs = affine_outputs(w, self.synthesis.affines(), self.num_layers - 1, self.num_layers, self.w_dim)
        return torch.cat(outputs, dim=1)[:, None]


def channel_mask(channels: Sequence[tuple[int, int]], layers: Layers, like: Tensor) -> Tensor:
    """Ones (S,) for channels that styles of these layers enter, zeros for others, of `like`'s type and device.

    Args:
        channels: layer and number of channels of each affine layer.
    """
    column = layer_mask(layers, 1 + max(layer for layer, _ in channels), like)
    return torch.cat([column[layer].expand(count) for layer, count in channels])


def style_matrix(generator: Channelled) -> Tensor:
    """The linear part of styles → channel styles, (S, w_dim) float64 on the CPU, of a style that all layers share."""
    like = generator.w_avg
    with torch.no_grad():
        zero = generator.channel_styles(torch.zeros_like(like)[None])[0]
        rows = torch.eye(generator.w_dim, dtype=like.dtype, device=like.device)
        return (generator.channel_styles(rows)[:, 0] - zero).T.cpu().double()
