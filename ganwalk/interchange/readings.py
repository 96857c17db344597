"""What a matrix of rows means in a generator with a style for each layer: directions, or one direction layer by layer.

A W+ edit (layers, d) has a row for each layer. Where its rows are equal, but for those that are zero, it is one
direction in w of some layers; otherwise it stays a direction in W+.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.interchange.matrices import Matrix
from ganwalk.layers import Layers, in_words, layers_of

_TOLERANCE = 1e-5
_UNIT_TOLERANCE = 1e-3
# Layers of the StyleGANs that most published edits are for, by the pixels of their images.
_PUBLISHED = {14: "256", 16: "512", 18: "1024"}


@dataclass(frozen=True)
class Reading:
    """Directions as they were read.

    Attributes:
        vectors: (n, d), or (n, num_layers, d) in w+, of any length.
        layers: that they are meant for; None is all.
        what: how the file was read, for people.
        own_layers: of each, where they differ.
    """

    vectors: Tensor
    layers: Layers | None
    what: str
    own_layers: tuple[Layers | None, ...] = ()


def read_rows(matrix: Matrix, space: str, dim: int, num_layers: int, reading: str | None = None) -> Reading:
    """The directions that a matrix holds.

    Args:
        space: "z" or "w"; edits of layers are in w.
        dim: of a direction.
        num_layers: styles of the generator.
        reading: "rows" or "wplus", the user's word; None goes by the shape, the number of layers and the values.
    Raises:
        GanwalkError: the shape fits neither, or values are not finite.
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
        count, rest = divmod(values.shape[-1], dim)
        whose = f": edits of {_whose(count)}" if layered and rest == 0 and count in _PUBLISHED else ""
        raise GanwalkError(f"has directions of {values.shape[-1]} dimensions, but {space} has {dim}{whose}")
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
                + (f"; it is for {_whose(values.shape[1])}" if values.shape[1] in _PUBLISHED else "")
            )
        return _wplus(matrix, values)
    if matrix.separate and reading is None:
        return plain
    if reading is None and len(rows) > 1 and _equal(rows):
        return Reading(rows[:1], matrix.layers, f"{len(rows)} equal rows, an edit of all layers")
    if reading == "wplus" and len(rows) != num_layers:
        raise GanwalkError(f"cannot be read as W+: it has {len(rows)} rows, and the generator has {num_layers} layers")
    if reading == "wplus" or (layered and len(rows) == num_layers and not _unit(rows)):
        return _wplus(matrix, rows[None])
    if layered and reading is None and len(rows) in _PUBLISHED and not _unit(rows):
        raise GanwalkError(
            f"has {len(rows)} rows: it may be an edit for {_whose(len(rows))}, but this generator has {num_layers} "
            "layers; if each row is a direction, add --as rows"
        )
    return plain


def _whose(layers: int) -> str:
    """Whose layers these are."""
    other = " or a StyleGAN3" if layers == 16 else ""
    return f"{layers} layers, as a StyleGAN of {_PUBLISHED[layers]} px{other} has"


def _shown(rows: int, doubtful: bool) -> str:
    if doubtful:
        return f"{rows} rows, each a direction (--as wplus takes them for the layers of one)"
    return "one row" if rows == 1 else f"{rows} rows"


def _wplus(matrix: Matrix, edits: Tensor) -> Reading:
    """Edits (n, layers, d) as directions in w of some layers, if they are no more than that."""
    used = [row.nonzero().flatten().tolist() for row in edits.any(dim=2)]
    if not all(used):
        raise GanwalkError("holds a direction that is zero")
    n, count = edits.shape[:2]
    if not all(_equal(edit[rows]) for edit, rows in zip(edits, used, strict=True)):
        what = (
            f"{_edits(n)} in W+, a vector for each of {count} layers (--as rows takes them for {n * count} directions)"
        )
        return Reading(edits, matrix.layers, what)
    vectors = torch.stack([edit[rows[0]] for edit, rows in zip(edits, used, strict=True)])
    own = tuple(None if len(rows) == count else layers_of(rows) for rows in used)
    if len(set(own)) > 1:
        return Reading(vectors, matrix.layers, f"{_edits(n)} in W+, equal in layers of their own", own)
    where = in_words(own[0]) if own[0] is None else f"the {in_words(own[0])}"
    return Reading(vectors, own[0] or matrix.layers, f"{_edits(n)} in W+, equal in {where}")


def _edits(count: int) -> str:
    return "an edit" if count == 1 else f"{count} edits"


def _trailing(values: Tensor, dim: int) -> Tensor:
    """Without axes of length one at the end, as codes (n, d, 1, 1) of convolutional generators have."""
    while values.ndim > 1 and values.shape[-1] == 1 != dim:
        values = values[..., 0]
    return values


def _equal(rows: Tensor) -> bool:
    return bool((rows - rows[:1]).abs().max() <= _TOLERANCE * rows[0].abs().max())


def _unit(rows: Tensor) -> bool:
    """Whether rows are directions beyond doubt: those of an edit are not all of unit length."""
    return bool((rows.norm(dim=1) - 1).abs().max() <= _UNIT_TOLERANCE)
