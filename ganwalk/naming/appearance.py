"""What a shift changes in pictures, as numbers: pure functions of pictures before and after it, without labels."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ganwalk.rendering.saliency import place_of, saliency_map, thirds

# Of shares that are divided by: below it, there is nothing to have a share of.
_TINY = 1e-9
# Added to spreads before their ratios are taken: one grey level, below which there are none.
_LEVEL = 1 / 255
# Orthonormal axes of colours without brightness: red against green, and both against blue.
_RED = np.array([1, -1, 0], np.float32) / np.float32(2**0.5)
_YELLOW = np.array([1, 1, -2], np.float32) / np.float32(6**0.5)


@dataclass(frozen=True)
class Trend:
    """How a number changes with a shift.

    Attributes:
        change: mean over the samples, of shifts forwards, and backwards with the opposite sign.
        agreement: |change| over the mean of its size: 1 where all samples agree, 0 where they cancel out.
    """

    change: float
    agreement: float

    @staticmethod
    def of(changes: np.ndarray, sizes: np.ndarray | None = None) -> Trend:
        """The trend of changes (n,), whose sizes are |changes| unless they cancel out within a sample already."""
        size = float(np.mean(np.abs(changes) if sizes is None else sizes))
        change = float(np.mean(changes))
        return Trend(change, abs(change) / size if size > _TINY else 0.0)


@dataclass(frozen=True)
class Appearance:
    """What a shift of one length does to pictures, both ways, on n samples. Values of pixels are from 0 to 1.

    Attributes:
        amount: mean absolute change of a pixel.
        saliency: (side, side) the same for every pixel (`saliency_map`).
        place: where that is, in words (`place_of`).
        spread: share of the picture that would change if all of it changed alike, in (0, 1]; 0 where nothing changes.
        recoloured: share of the change (of its squares) that an affine map of colours and a smooth light explain,
            fitted to each pair of pictures (`recoloured_share`): at 1, things keep their shapes; the rest is geometry.
        coloured: share of the change that leaves the mean of the channels as it is; the rest is lighter or darker.
        brightness: mean of the channels, where the picture changes.
        redness, yellowness: red against green, and both against blue, where the picture changes.
        colourfulness: distance of pixels from grey, where the picture changes.
        contrast: logarithm of the spread of brightness over the picture.
        sharpness: logarithm of fine detail (second differences) relative to edges (first differences).
    """

    amount: float
    saliency: np.ndarray
    place: str
    spread: float
    recoloured: float
    coloured: float
    brightness: Trend
    redness: Trend
    yellowness: Trend
    colourfulness: Trend
    contrast: Trend
    sharpness: Trend

    def to_json(self) -> dict[str, Any]:
        """Every number; of the map, the shares of its ninths."""
        facts = asdict(self)
        del facts["saliency"]
        return {**facts, "thirds": thirds(self.saliency).round(4).tolist()}


def appearance_of(minus: np.ndarray, here: np.ndarray, plus: np.ndarray) -> Appearance:
    """What a shift changes.

    Args:
        minus, here, plus: pictures (n, side, side, 3) from 0 to 1 of n samples: shifted backwards, not at all, and
            forwards. Small ones will do (`reduced`).
    """
    saliency = saliency_map(list(np.stack([minus, here, plus], axis=1)))
    change = (plus - minus) / 2
    weights = (np.abs(plus - here) + np.abs(here - minus)).mean(axis=3)
    weights = weights / np.maximum(weights.sum(axis=(1, 2), keepdims=True), _TINY)

    def weighted(values: np.ndarray) -> np.ndarray:
        return (weights * values).sum(axis=(1, 2))

    def logarithms(measure: Any) -> Trend:
        return Trend.of(np.log((measure(plus) + _LEVEL) / (measure(minus) + _LEVEL)) / 2)

    lighter = change.mean(axis=3)
    # In the plane of colours without brightness: along its axes, and away from grey.
    red, yellow = change @ _RED, change @ _YELLOW
    colourful = (_distance_from_grey(plus) - _distance_from_grey(minus)) / 2
    recolouring = weighted(np.hypot(red, yellow))
    energy = float(np.square(change).sum())
    squares = float(np.square(saliency).mean())
    return Appearance(
        amount=float(saliency.mean()),
        saliency=saliency,
        place=place_of(saliency),
        spread=float(saliency.mean() ** 2 / squares) if squares > _TINY**2 else 0.0,
        recoloured=(recoloured_share(here, plus) + recoloured_share(here, minus)) / 2,
        coloured=1 - 3 * float(np.square(lighter).sum()) / energy if energy > _TINY else 0.0,
        brightness=Trend.of(weighted(lighter), weighted(np.abs(lighter))),
        redness=Trend.of(weighted(red), recolouring),
        yellowness=Trend.of(weighted(yellow), recolouring),
        contrast=logarithms(lambda pictures: pictures.mean(axis=3).std(axis=(1, 2))),
        colourfulness=Trend.of(weighted(colourful), recolouring),
        sharpness=logarithms(_fineness),
    )


def recoloured_share(before: np.ndarray, after: np.ndarray) -> float:
    """Share of the change between pictures (n, h, w, 3) that new colours and a smooth light explain.

    Each pair has a map of its own: affine in the colours, plus a quadratic in the place. A shape that moves is not
    explained by it, since the colours that come and go at its rim stay as they are elsewhere.
    """
    height, width = before.shape[1:3]
    y, x = (grid.reshape(-1, 1) for grid in np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j])
    left = total = 0.0
    for one, other in zip(before, after, strict=True):
        colours = one.reshape(-1, 3).astype(np.float64)
        change = other.reshape(-1, 3) - colours
        terms = np.hstack([colours, np.ones_like(x), x, y, x * x, x * y, y * y])
        # Of a picture in one colour, terms depend on each other: the pseudo-inverse takes the smallest solution.
        left += float(np.square(change - terms @ (np.linalg.pinv(terms.T @ terms) @ (terms.T @ change))).sum())
        total += float(np.square(change).sum())
    return 1 - left / total if total > _TINY else 0.0


def _distance_from_grey(pictures: np.ndarray) -> np.ndarray:
    """Distance (n, h, w) of the pixels of pictures from grey of their brightness."""
    return np.hypot(pictures @ _RED, pictures @ _YELLOW)


def _fineness(pictures: np.ndarray) -> np.ndarray:
    """Second differences (n,) of brightness over first ones: less where pictures are softer, whatever they show."""
    grey = pictures.mean(axis=3)

    def roughness(order: int) -> np.ndarray:
        return np.sqrt(sum(np.square(np.diff(grey, order, axis)).mean(axis=(1, 2)) for axis in (1, 2)))

    return roughness(2) / (roughness(1) + _LEVEL)
