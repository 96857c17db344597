"""Ways through keyframes: positions → styles, through codes z or through styles w."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from ganwalk.animation.interpolation import linear_weights, slerp, spline_weights
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, check_truncation
from ganwalk.samples import Samples, StoredSamples


class Way(Protocol):
    """A way through all keyframes."""

    def styles(self, positions: Sequence[float], psis: Sequence[float]) -> Tensor:
        """Styles (n, num_layers, w_dim) at positions `k + u`, each truncated by its psi."""
        ...


@dataclass(frozen=True)
class CodeWay:
    """Great arcs from code to code.

    Attributes:
        codes: (k, z_dim) of the keyframes.
        labels: one-hot (k, c_dim), between which the way is straight; None for an unconditional generator.
        closed: the last is followed by the first.
        cutoff: truncate only so many first layers.
    """

    generator: Generator
    codes: Tensor
    labels: Tensor | None
    closed: bool
    cutoff: int | None

    def styles(self, positions: Sequence[float], psis: Sequence[float]) -> Tensor:
        pairs = [linear_weights(position, len(self.codes), self.closed) for position in positions]
        # A keyframe itself has no other.
        starts, ends = [next(iter(pair)) for pair in pairs], [list(pair)[-1] for pair in pairs]
        shares = [pair[end] if len(pair) > 1 else 0.0 for pair, end in zip(pairs, ends, strict=True)]
        share = torch.tensor(shares, dtype=torch.float32).to(self.codes)[:, None]
        codes = slerp(self.codes[starts], self.codes[ends], share)
        labels = None if self.labels is None else torch.lerp(self.labels[starts], self.labels[ends], share)
        rows = []
        for k, psi in enumerate(psis):
            c = None if labels is None else labels[k : k + 1]
            cutoff = cutoff_at(psi, self.cutoff)
            rows.append(self.generator.mapping(codes[k : k + 1], c, truncation_psi=psi, truncation_cutoff=cutoff))
        return torch.cat(rows)


@dataclass(frozen=True)
class StyleWay:
    """A straight line or a spline from style to style.

    Attributes:
        latents: styles (k, num_layers, w_dim) of the keyframes, not truncated.
        centres: likewise, what these are at psi = 0; of styles that were given, and are shown as they are, themselves.
        bends: a spline, without corners at the keyframes; otherwise straight lines.
        closed: as of `CodeWay`.
    """

    latents: Tensor
    centres: Tensor
    bends: bool
    closed: bool

    def styles(self, positions: Sequence[float], psis: Sequence[float]) -> Tensor:
        weights_at = spline_weights if self.bends else linear_weights
        rows = []
        for position, psi in zip(positions, psis, strict=True):
            weights = weights_at(position, len(self.latents), self.closed)
            keyframes = [self._keyframe(index, psi) * weight for index, weight in weights.items()]
            rows.append(torch.stack(keyframes).sum(dim=0))
        return torch.stack(rows)

    def _keyframe(self, index: int, psi: float) -> Tensor:
        style = self.latents[index]
        return style if psi == 1 else torch.lerp(self.centres[index], style, psi)


def way_through(
    generator: Generator,
    keyframes: Sequence[Any],
    interpolation: str,
    *,
    closed: bool,
    ends: tuple[float, float],
    cutoff: int | None,
) -> Way:
    """The way through keyframes, each of them one sample (`Samples`) without truncation.

    Args:
        interpolation: "slerp", "linear" or "spline".
        closed: the last is followed by the first.
        ends: first and last psi.
        cutoff: truncate only so many first layers; None truncates all.
    Raises:
        GanwalkError: keyframes do not fit the generator, or there is nothing that could be truncated.
    """
    # Of a sweep that ends at 1, the other end is what is truncated.
    check_truncation(generator, ends[1] if ends[0] == 1 else ends[0], cutoff)
    stored = [is_style(keyframe) for keyframe in keyframes]
    if all(stored) and ends != (1, 1):
        raise GanwalkError("styles are shown as they are: truncation is of latent codes, drop it")
    with torch.no_grad():
        if interpolation == "slerp":
            pairs = [keyframe.codes(generator) for keyframe in keyframes]
            labels = [label for _, label in pairs if label is not None]
            codes = torch.cat([code for code, _ in pairs])
            return CodeWay(generator, codes, torch.cat(labels) if labels else None, closed, cutoff)
        latents = torch.cat([keyframe.styles(generator) for keyframe in keyframes])
        centres = latents
        if ends != (1, 1):
            # Of each by itself: networks of classes may have a centre for each class.
            parts = [
                keyframe if is_style(keyframe) else replace(keyframe, truncation_psi=0.0, truncation_cutoff=cutoff)
                for keyframe in keyframes
            ]
            centres = torch.cat([part.styles(generator) for part in parts])
        return StyleWay(latents, centres, interpolation == "spline", closed)


def is_style(keyframe: Samples) -> bool:
    """Whether styles are all that is known of a keyframe."""
    return isinstance(keyframe, StoredSamples) and keyframe.space == "w"


def cutoff_at(psi: float, cutoff: int | None) -> int | None:
    """The cutoff of a truncation; none where nothing is truncated, which mappings would not take."""
    return None if psi == 1 else cutoff
