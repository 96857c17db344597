"""Single channels of the space S as directions, in the notation of StyleSpace (Wu et al., CVPR 2021): "9:409"."""

from __future__ import annotations

import re

import torch

from ganwalk import __version__
from ganwalk.directions import CHANNELS, Directions
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.generators.channels import channelled

_MOST = 1000


def parse_channels(text: str) -> list[tuple[int, int]]:
    """Affine layers and channels of "9:409,12:479"; GanwalkError if the text is no such list."""
    found = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,4}):(\d{1,6})\s*", part)
        if match is None:
            raise GanwalkError(f"{text!r:.60} is not a list of affine layers and channels such as 9:409,12:479")
        found.append((int(match[1]), int(match[2])))
    if len(set(found)) < len(found):
        raise GanwalkError("a channel is named twice: name each once")
    if len(found) > _MOST:
        raise GanwalkError(f"{len(found)} channels are more than {_MOST}")
    return found


def channel_directions(generator: Generator, chosen: list[tuple[int, int]], *, seed: int = 0) -> Directions:
    """A direction in s for each of the chosen channels, named after it.

    Args:
        chosen: affine layer, counted from 0 in the network's order with projections to RGB among them, and channel.
        seed: of the latents that standard deviations are measured on.
    Raises:
        GanwalkError: the generator has no channel styles, or not this layer or channel.
    """
    from ganwalk.discovery.subspace import latent_scales

    channels = channelled(generator).style_channels
    counts = [count for _, count in channels]
    vectors = torch.zeros(len(chosen), sum(counts))
    for row, (affine, channel) in enumerate(chosen):
        if affine >= len(counts):
            raise GanwalkError(f"affine layer {affine} does not exist: there are layers 0 to {len(counts) - 1}")
        if channel >= counts[affine]:
            raise GanwalkError(
                f"channel {channel} does not exist: layer {affine} has channels 0 to {counts[affine] - 1}"
            )
        vectors[row, sum(counts[:affine]) + channel] = 1
    return Directions(
        vectors,
        latent_scales(generator, CHANNELS, vectors, seed=seed),
        CHANNELS,
        generator.identity,
        method="single channels",
        settings={"channels": [list(pair) for pair in chosen]},
        seed=seed,
        version=__version__,
        labels=tuple(Label(f"channel {affine}-{channel}") for affine, channel in chosen),
        channels=channels,
    )
