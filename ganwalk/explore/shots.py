"""Pictures as a browser takes them: data URIs."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ganwalk.directions.edits import Move
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio
from ganwalk.pictures.sheets import fitted, resize
from ganwalk.rendering.saliency import change_words, heat_picture, reduced, saliency_map
from ganwalk.samples import DrawnSamples, StoredSamples

# Pixels on a side up to which pictures are sent without loss.
_LOSSLESS = 256
# Of a strip, in σ.
AMPLITUDES = (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0)
# Of the small pictures in a row, in σ, and their side in pixels.
SMALL_AMPLITUDES = (-3.0, -1.5, 0.0, 1.5, 3.0)
_SMALL = 64
# Pixels on a side of a map of where a strip changes.
_HEAT = 128


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


@dataclass(frozen=True)
class StripShot:
    """A strip as a browser takes it.

    Attributes:
        uris: a data URI for each of `AMPLITUDES`.
        heat: data URI of a map of where they change, on the picture in the middle.
        words: what it says of the direction.
    """

    uris: tuple[str, ...]
    heat: str
    words: str


def take_shot(studio: Studio, state: State, *, small: bool, check: Callable[[], None] | None = None) -> Shot:
    """The pictures of a state; otherwise as `Studio.pictures`."""
    pictures = studio.pictures(state, small=small, check=check)
    return Shot(state, small, tuple(tuple(map(encode_picture, row)) for row in pictures))


def strip_base(state: State) -> State:
    """What a strip depends on: the first sample and the edit, without the selected direction's own amplitude."""
    move = replace(state.move(state.side, state.selected), amplitude=0.0)
    return replace(state, samples=state.samples.select([0])).moved(state.side, move)


def take_strip(studio: Studio, base: State, check: Callable[[], None]) -> StripShot:
    """The sample of `strip_base` walked along the selected direction; previews, where whole pictures are slow.

    Args:
        check: called before each image is made; what it raises ends the work.
    """
    move = base.move(base.side, base.selected)
    states = [base.moved(base.side, replace(move, amplitude=amplitude)) for amplitude in AMPLITUDES]
    pictures = [studio.pictures(state, small=True, check=check)[base.side][0] for state in states]
    saliency = _saliency(pictures)
    still = _small(pictures[len(pictures) // 2], _HEAT)
    uris = tuple(map(encode_picture, pictures))
    return StripShot(uris, encode_picture(heat_picture(saliency, still)), change_words(saliency))


def _saliency(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Map of the change per σ from picture to picture of a strip.

    Whole pictures may be among previews, which are not quite alike: what there is most of is compared.
    """
    sizes = [len(picture) for picture in pictures]
    size = max(sizes, key=sizes.count)
    alike = [k for k in range(len(pictures)) if sizes[k] == size]
    steps = (AMPLITUDES[alike[-1]] - AMPLITUDES[alike[0]]) / (len(alike) - 1)
    return saliency_map([reduced(np.stack([pictures[k] for k in alike]))]) / steps


def take_walk(
    studio: Studio, sample: DrawnSamples | StoredSamples, side: int, index: int, check: Callable[[], None]
) -> str:
    """Small pictures of one sample along one direction alone, side by side as one data URI; `check` as `take_strip`."""
    still = State(sample, side=side)
    states = [still.moved(side, Move(index, amplitude)) for amplitude in SMALL_AMPLITUDES]
    pictures = (studio.pictures(state, small=True, check=check)[side][0] for state in states)
    return encode_picture(np.concatenate([_small(picture, _SMALL) for picture in pictures], axis=1))


def _small(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture (h, w, 3) whose larger side has so many pixels."""
    return np.asarray(resize(picture, fitted(picture.shape[:2], side)))


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
