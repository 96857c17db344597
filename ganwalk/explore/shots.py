"""Pictures as a browser takes them: data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ganwalk.edits import Move
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.samples import DrawnSamples
from ganwalk.sheets import resize

# Pixels on a side up to which pictures are sent without loss.
_LOSSLESS = 256
# Of a strip, in σ.
AMPLITUDES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
# Of the small pictures in a row, in σ, and their side in pixels.
SMALL_AMPLITUDES = (-3.0, -1.5, 0.0, 1.5, 3.0)
_SMALL = 64


@dataclass(frozen=True)
class Shot:
    """Pictures as a browser takes them.

    Attributes:
        state: what they show.
        small: whether they are previews.
        uris: for each side, a data URI for each sample.
    """

    state: State
    small: bool
    uris: tuple[tuple[str, ...], ...]


def take_shot(studio: Studio, state: State, *, small: bool, check: Callable[[], None] | None = None) -> Shot:
    """The pictures of a state; otherwise as `Studio.pictures`."""
    pictures = studio.pictures(state, small=small, check=check)
    return Shot(state, small, tuple(tuple(map(encode_picture, row)) for row in pictures))


def strip_base(state: State) -> State:
    """What a strip depends on: the first sample and the edit, without the selected direction's own amplitude."""
    move = replace(state.move(state.side, state.selected), amplitude=0.0)
    return replace(state, samples=state.samples.select([0])).moved(state.side, move)


def take_strip(studio: Studio, base: State, check: Callable[[], None]) -> list[str]:
    """The sample of `strip_base` walked along the selected direction; previews, where whole pictures are slow.

    Args:
        check: called before each image is made; what it raises ends the work.
    """
    move = base.move(base.side, base.selected)
    states = [base.moved(base.side, replace(move, amplitude=amplitude)) for amplitude in AMPLITUDES]
    return [encode_picture(studio.pictures(state, small=True, check=check)[base.side][0]) for state in states]


def take_walk(studio: Studio, sample: DrawnSamples, side: int, index: int, check: Callable[[], None]) -> str:
    """Small pictures of one sample along one direction alone, side by side as one data URI; `check` as `take_strip`."""
    still = State(sample, side=side)
    states = [still.moved(side, Move(index, amplitude)) for amplitude in SMALL_AMPLITUDES]
    pictures = (studio.pictures(state, small=True, check=check)[side][0] for state in states)
    return encode_picture(np.concatenate([np.asarray(resize(picture, _SMALL)) for picture in pictures], axis=1))


def encode_picture(pixels: np.ndarray) -> str:
    """Pixels (h, w, 3) as a data URI: PNG, or JPEG for large ones, which are looked at and not kept."""
    target = io.BytesIO()
    picture = Image.fromarray(pixels)
    if max(picture.size) <= _LOSSLESS:
        kind = "png"
        picture.save(target, "PNG", compress_level=1)
    else:
        kind = "jpeg"
        picture.save(target, "JPEG", quality=90, subsampling=0)
    return f"data:image/{kind};base64,{base64.b64encode(target.getvalue()).decode()}"
