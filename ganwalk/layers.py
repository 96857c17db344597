"""Which layers of a generator are shifted: a range of them, or any set."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

# First and last layer, inclusive; of a set that is no range, these pairs of its parts in ascending order.
Layers = tuple[int, int] | tuple[tuple[int, int], ...]
# Of settings: to each direction its own, of several ranges.
AUTO: Layers = ()


def ranges_of(layers: Layers) -> tuple[tuple[int, int], ...]:
    """The parts of a set of layers, each with its first and its last layer."""
    return (layers,) if _is_range(layers) else layers  # type: ignore[return-value]


def is_layers(value: object) -> bool:
    """Whether a value is a range (first, last), or several with gaps between them in ascending order."""
    if _is_range(value):
        return True
    if not isinstance(value, tuple) or len(value) < 2 or not all(map(_is_range, value)):
        return False
    return all(before[1] + 1 < after[0] for before, after in pairwise(value))


def layers_of(indices: Iterable[int]) -> Layers:
    """The layers with these indices, of which there is at least one."""
    parts: list[list[int]] = []
    for index in sorted(set(indices)):
        if parts and index == parts[-1][1] + 1:
            parts[-1][1] = index
        else:
            parts.append([index, index])
    ranges = tuple((first, last) for first, last in parts)
    return ranges[0] if len(ranges) == 1 else ranges


def hull_of(layers: Layers) -> tuple[int, int]:
    """The first and the last of all."""
    ranges = ranges_of(layers)
    return ranges[0][0], ranges[-1][1]


def indices_of(layers: Layers) -> list[int]:
    """Each of the layers."""
    return [index for first, last in ranges_of(layers) for index in range(first, last + 1)]


def layer_mask(layers: Layers, num_layers: int, like: Tensor) -> Tensor:
    """A column (num_layers, 1) of ones where a layer is shifted and zeros elsewhere, of `like`'s type and device."""
    selected = like.new_zeros(num_layers, 1)
    for first, last in ranges_of(layers):
        selected[first : last + 1] = 1
    return selected


def in_words(layers: Layers | None) -> str:
    """Such as "all layers", "layer 5", "layers 4-7" or "layers 0-3, 7"."""
    if layers is None:
        return "all layers"
    return f"layer{'' if is_single(layers) else 's'} {numbers_of(layers)}"


def numbers_of(layers: Layers | None, separator: str = ", ") -> str:
    """Such as "all", "5", "4-7" or "0-3, 7"."""
    if layers is None:
        return "all"
    return separator.join(str(first) if first == last else f"{first}-{last}" for first, last in ranges_of(layers))


def is_single(layers: Layers) -> bool:
    """Whether it is one layer."""
    first, last = hull_of(layers)
    return first == last


def _is_range(value: object) -> bool:
    whole = isinstance(value, tuple) and len(value) == 2 and all(type(layer) is int for layer in value)
    return whole and 0 <= value[0] <= value[1]  # type: ignore[index]
