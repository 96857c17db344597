"""Ways between points: weights of keyframes along a line or a spline, great arcs between codes, easing."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Sine of an angle from which codes count as parallel, or opposite.
_PARALLEL = 1e-6


def linear_weights(position: float, count: int, closed: bool) -> dict[int, float]:
    """Weights of the keyframes at a position, `k + u` from keyframe k to the next; they add up to 1.

    Args:
        count: of keyframes.
        closed: the last is followed by the first.
    """
    first, share = _located(position, count, closed)
    return _added([(first, 1 - share), (first + 1, share)], count, closed)


def spline_weights(position: float, count: int, closed: bool) -> dict[int, float]:
    """Likewise of the cubic spline by Catmull and Rom (1974): through every keyframe, with a continuous derivative.

    Open ends go on as the mirror image of their neighbours, so that a way between two keyframes is straight.
    """
    first, u = _located(position, count, closed)
    weights = (
        (-u + 2 * u**2 - u**3) / 2,
        (2 - 5 * u**2 + 3 * u**3) / 2,
        (u + 4 * u**2 - 3 * u**3) / 2,
        (-(u**2) + u**3) / 2,
    )
    return _added([(first + k, weight) for k, weight in enumerate(weights, start=-1)], count, closed)


def slerp(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Codes (n, d) on the great arcs from `a` (n, d) to `b` (Shoemake 1985), with lengths in between linearly.

    Args:
        share: (n, 1), from 0 at `a` to 1 at `b`.
    """
    lengths = a.norm(dim=1, keepdim=True), b.norm(dim=1, keepdim=True)
    units = [code / length.clamp_min(1e-12) for code, length in zip((a, b), lengths, strict=True)]
    angle = (units[0] * units[1]).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    sine = angle.sin()
    # There is no one arc between codes that are parallel or opposite.
    straight = sine < _PARALLEL
    sine = torch.where(straight, torch.ones_like(sine), sine)
    start = torch.where(straight, 1 - share, ((1 - share) * angle).sin() / sine)
    end = torch.where(straight, share, (share * angle).sin() / sine)
    return (start * units[0] + end * units[1]) * torch.lerp(*lengths, share)


def eased(share: float) -> float:
    """A share of the time as a share of the way that starts and stops smoothly (smoothstep)."""
    return share * share * (3 - 2 * share)


def _located(position: float, count: int, closed: bool) -> tuple[int, float]:
    """The keyframe before a position, and the share of the way from it to the next."""
    first = math.floor(position)
    if not closed:
        first = min(max(first, 0), max(count - 2, 0))
    return first, position - first


def _added(weights: list[tuple[int, float]], count: int, closed: bool) -> dict[int, float]:
    """Weights by keyframe: those before and behind an open end are mirrored, of a closed way they are taken round."""
    found: dict[int, float] = {}
    for index, weight in weights:
        if closed or count == 1:
            parts = [(index % count, weight)]
        elif 0 <= index < count:
            parts = [(index, weight)]
        else:
            end = 0 if index < 0 else count - 1
            parts = [(end, 2 * weight), (2 * end - index, -weight)]
        for inner, part in parts:
            if part:
                found[inner] = found.get(inner, 0.0) + part
    return found
