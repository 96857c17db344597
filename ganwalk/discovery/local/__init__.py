"""Directions that act in different places of the picture, found without labels and without a gradient of the generator.

find_directions: the closed form behind `--method local`
search_basis, measure, rotate_apart, overlap_of: its parts, and how much directions act in the same places
seen_layers, components_for, passes: what it looks at, along how many components, and how often
"""

from ganwalk.discovery.local.places import seen_layers
from ganwalk.discovery.local.search import (
    components_for,
    find_directions,
    measure,
    overlap_of,
    passes,
    rotate_apart,
    search_basis,
)

__all__ = [
    "components_for",
    "find_directions",
    "measure",
    "overlap_of",
    "passes",
    "rotate_apart",
    "search_basis",
    "seen_layers",
]
