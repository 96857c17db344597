"""What a matrix of rows means in a generator with a style for each layer: directions, or one direction layer by layer.

A W+ edit (layers, d) has a row for each layer. Where its rows are equal, or zero outside of a range of layers, it is
one direction of these layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.interchange.matrices import Matrix
from ganwalk.layers import Layers

_TOLERANCE = 1e-5
_ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Reading:
    """Directions as they were read.

    Attributes:
        vectors: (n, d), of any length.
        layers: range that they are meant for; None is all.
        what: how the file was read, for people.
    """

    vectors: Tensor
    layers: Layers | None
    what: str


def read_rows(matrix: Matrix, space: str, dim: int, num_layers: int, reading: str | None = None) -> Reading:
    """The directions that a matrix holds.

    Args:
        space: "z" or "w"; edits of layers are in w.
        dim: of a direction.
        num_layers: styles of the generator.
        reading: "rows" or "wplus", the user's word; None goes by the shape, the number of layers and the values.
    Raises:
        GanwalkError: the shape fits neither, values are not finite, or an edit differs from layer to layer.
    """
    if reading not in (None, "rows", "wplus"):
        raise GanwalkError(f"cannot be read as {reading!r:.40}: choose rows or wplus")
    values = _trailing(matrix.values, dim)
    layered = space == "w" and num_layers > 1
    if layered and values.shape[-1:] == (num_layers * dim,) and dim != num_layers * dim:
        values = values.unflatten(-1, (num_layers, dim))
    if values.ndim == 0 or values.numel() == 0 or values.ndim > 3:
        raise GanwalkError(f"holds no matrix of directions (n, d): its shape is {tuple(matrix.values.shape)}")
    if not torch.isfinite(values).all():
        raise GanwalkError("holds values that are not finite")
    if values.shape[-1] != dim:
        raise GanwalkError(f"has directions of {values.shape[-1]} dimensions, but {space} has {dim}")
    if reading == "wplus" and not layered:
        raise GanwalkError("cannot be read as W+: the generator has no layers with styles of their own in this space")
    if matrix.single and values.ndim < 3:
        values = values[None]
    if values.ndim == 1:
        values = values[None]
    if values.ndim == 3 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 3 and values.shape[0] == 1 and values.shape[1] != num_layers and not matrix.single:
        values = values[0]
    rows = values.flatten(0, -2)
    plain = Reading(rows, matrix.layers, matrix.what or _shown(len(rows), layered and len(rows) == num_layers))
    if reading == "rows":
        return plain
    if values.ndim == 3:
        if not layered or values.shape[1] != num_layers:
            raise GanwalkError(
                f"has the shape {tuple(matrix.values.shape)}: directions are (n, {dim})"
                + f", and in W+ (n, {num_layers}, {dim})" * layered
            )
        return _wplus(matrix, values)
    if matrix.separate and reading is None:
        return plain
    if reading is None and len(rows) > 1 and _equal(rows):
        return Reading(rows[:1], matrix.layers, f"{len(rows)} equal rows, an edit of all layers")
    if reading == "wplus" and len(rows) != num_layers:
        raise GanwalkError(f"cannot be read as W+: it has {len(rows)} rows, and the generator has {num_layers} layers")
    if reading == "wplus" or (layered and len(rows) == num_layers and not _orthonormal(rows)):
        return _wplus(matrix, rows[None])
    return plain


def _shown(rows: int, doubtful: bool) -> str:
    if doubtful:
        return f"{rows} rows, each a direction (--as wplus takes them for the layers of one)"
    return "one row" if rows == 1 else f"{rows} rows"


def _wplus(matrix: Matrix, edits: Tensor) -> Reading:
    """Directions of a range of layers, from edits (n, layers, d) that are no more than that."""
    used = (edits != 0).any(dim=2).any(dim=0).nonzero().flatten().tolist()
    if not used:
        raise GanwalkError("holds a direction that is zero")
    first, last = used[0], used[-1]
    if not all(_equal(edit[first : last + 1]) for edit in edits):
        count = edits.shape[0] * edits.shape[1]
        raise GanwalkError(
            f"is {_edits(len(edits))} in W+ whose {edits.shape[1]} layers differ, which is not supported yet (a "
            f"direction is one vector for all its layers): --as rows takes its rows for {count} directions"
        )
    whole = (first, last) == (0, edits.shape[1] - 1)
    where = "all layers" if whole else f"the layers {first}-{last}"
    layers = matrix.layers if whole else (first, last)
    return Reading(edits[:, first], layers, f"{_edits(len(edits))} in W+, equal in {where}")


def _edits(count: int) -> str:
    return "an edit" if count == 1 else f"{count} edits"


def _trailing(values: Tensor, dim: int) -> Tensor:
    """Without axes of length one at the end, as codes (n, d, 1, 1) of convolutional generators have."""
    while values.ndim > 1 and values.shape[-1] == 1 != dim:
        values = values[..., 0]
    return values


def _equal(rows: Tensor) -> bool:
    return bool((rows - rows[:1]).abs().max() <= _TOLERANCE * rows[0].abs().max())


def _orthonormal(rows: Tensor) -> bool:
    """Whether rows are directions beyond doubt: those of an edit are neither of unit length nor orthogonal."""
    gram = rows @ rows.T
    return bool((gram - torch.eye(len(rows))).abs().max() <= _ORTHONORMAL_TOLERANCE)
