"""What every frame shows: where on the way it is, how far along a walk, how much it is truncated."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ganwalk.animation.interpolation import eased
from ganwalk.animation.settings import AnimationSettings
from ganwalk.errors import GanwalkError

# Share of a transition's change → share of its way.
Warp = Callable[[float], float]


@dataclass(frozen=True)
class Moment:
    """What one frame shows.

    Attributes:
        position: on the way: `k + u` is the share u from keyframe k to the next.
        fraction: multiple of the edit that is walked.
        psi: truncation.
    """

    position: float
    fraction: float = 0.0
    psi: float = 1.0


@dataclass(frozen=True)
class Pace:
    """How the time is spread over the way.

    Attributes:
        shares: of the time, for each transition; they add up to 1.
        warps: for each transition, where on its way it is after a share of its own time; from 0 to 1.
    """

    shares: Sequence[float]
    warps: Sequence[Warp]


def is_closed(keyframes: int, loop: bool, walks: bool) -> bool:
    """Whether the end joins the beginning: asked for, or a walk there and back and nothing else."""
    return loop or (keyframes == 1 and walks)


def count_transitions(keyframes: int, closed: bool) -> int:
    """From a keyframe to the next one, or from the last to the first."""
    return keyframes if closed and keyframes > 1 else keyframes - 1


def moments(
    keyframes: int,
    settings: AnimationSettings,
    *,
    walks: bool = False,
    there_and_back: bool = True,
    pace: Pace | None = None,
) -> list[Moment]:
    """Of every frame, in their order.

    A keyframe that is passed is the first frame of what follows it. An open way ends at its last keyframe; a closed
    one a frame before its first, since a player goes on with that.

    Args:
        keyframes: how many there are.
        settings: resolved.
        walks: an edit is walked at every keyframe.
        there_and_back: from 0 to the edit, to its negative and back; otherwise to the edit and back only.
        pace: None is steady.
    Raises:
        GanwalkError: nothing moves.
    """
    if keyframes == 1 and not walks and not settings.sweeps:
        raise GanwalkError(
            "nothing moves with one keyframe: give more --seeds, a --direction to walk, or a sweep: --truncation 0.5..1"
        )
    closed = is_closed(keyframes, settings.loop, walks)
    transitions = count_transitions(keyframes, closed)
    frames = _frames_of(transitions, settings.frames, pace)
    shape = eased if settings.ease else _as_it_is
    found: list[Moment] = []
    for k in range(keyframes):
        if walks:
            found += [Moment(k, _walked(shape(share), there_and_back)) for share in _shares(settings.frames)]
        if k < transitions:
            warp = _as_it_is if pace is None else pace.warps[k]
            found += [Moment(k + warp(shape(share))) for share in _shares(frames[k])]
    if keyframes == 1 and not walks:
        found += [Moment(0)] * settings.frames
    if not closed:
        found.append(Moment(keyframes - 1))
    return [
        Moment(one.position, one.fraction, _psi(number, len(found), settings.truncation, closed))
        for number, one in enumerate(found)
    ]


def _as_it_is(share: float) -> float:
    return share


def _shares(frames: int) -> list[float]:
    return [number / frames for number in range(frames)]


def _walked(share: float, there_and_back: bool) -> float:
    turn = 2 * math.pi * share
    return math.sin(turn) if there_and_back else (1 - math.cos(turn)) / 2


def _psi(number: int, total: int, ends: tuple[float, float], closed: bool) -> float:
    first, last = ends
    share = (1 - math.cos(2 * math.pi * number / total)) / 2 if closed else number / max(1, total - 1)
    return first + (last - first) * share


def _frames_of(transitions: int, frames: int, pace: Pace | None) -> list[int]:
    """Frames of each transition, at least one: keyframes fall on frames whatever the pace is."""
    if pace is None:
        return [frames] * transitions
    total = 0.0
    ends = [0]
    for share in pace.shares:
        total += share
        ends.append(max(ends[-1] + 1, round(total * frames * transitions)))
    return [after - before for before, after in pairwise(ends)]
