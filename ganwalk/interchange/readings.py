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
# By their layers, the pixels of all StyleGANs and StyleGAN2s, and of those that most published edits are for.
_SIZES = {2 * k - 2: str(2**k) for k in range(3, 11)}
_PUBLISHED = {layers: _SIZES[layers] for layers in (14, 16, 18)}
# Rows that are so many more or fewer than layers may be those of another network.
_NEAR = 2
_MAX_NUMBERED = 5


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
    layered = space == "w" and num_layers > 1
    values = _checked_values(matrix, space, dim, num_layers if layered else 1)
    if reading == "wplus" and not layered:
        raise GanwalkError("cannot be read as W+: the generator has no layers with styles of their own in this space")
    values = _as_rows(values, num_layers, single=matrix.single)
    rows = values.flatten(0, -2)
    # Rows of unit length are directions, unless they are just as many as there are layers.
    doubtful = num_layers if layered and (len(rows) == num_layers or not _unit(rows)) else 0
    plain = Reading(rows, matrix.layers, matrix.what or _shown(len(rows), doubtful))
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


def _checked_values(matrix: Matrix, space: str, dim: int, num_layers: int) -> Tensor:
    """The values of a matrix, finite and with `dim` of them for each row; edits with their layers apart.

    Args:
        num_layers: styles of the generator; 1 where edits have no layers in this space.
    """
    values = _trailing(matrix.values, dim)
    layered = num_layers > 1
    if layered and values.shape[-1:] == (num_layers * dim,) and dim != num_layers * dim:
        values = values.unflatten(-1, (num_layers, dim))
    if values.ndim == 0 or values.numel() == 0 or values.ndim > 3:
        raise GanwalkError(f"holds no matrix of directions (n, d): its shape is {tuple(matrix.values.shape)}")
    if not torch.isfinite(values).all():
        where = numbered("row", ~torch.isfinite(values).flatten(1).all(dim=1)) if values.ndim > 1 else "it"
        raise GanwalkError(f"holds values that are not finite: leave out {where}, or save the directions again")
    if values.shape[-1] != dim:
        count, rest = divmod(values.shape[-1], dim)
        whose = f": edits of {_whose(count)}" if layered and rest == 0 and count in _PUBLISHED else ""
        raise GanwalkError(
            f"has directions of {values.shape[-1]} dimensions, but {space} has {dim}{whose}; give the generator "
            "that they are of as --generator, or their --space"
        )
    return values


def _as_rows(values: Tensor, num_layers: int, *, single: bool) -> Tensor:
    """Values as (n, d), or as (n, layers, d) where they are edits layer by layer."""
    if single and values.ndim < 3:
        values = values[None]
    if values.ndim == 1:
        values = values[None]
    if values.ndim == 3 and values.shape[1] == 1:
        values = values[:, 0]
    elif values.ndim == 3 and values.shape[0] == 1 and values.shape[1] != num_layers and not single:
        values = values[0]
    return values


def _whose(layers: int) -> str:
    """Whose layers these are."""
    other = " or a StyleGAN3" if layers == 16 else ""
    return f"{layers} layers, as a StyleGAN of {_PUBLISHED[layers]} px{other} has"


def numbered(what: str, chosen: Tensor) -> str:
    """The first of the places (n,) where something is true, such as "rows 3, 7"."""
    places = chosen.nonzero().flatten().tolist()
    shown = ", ".join(map(str, places[:_MAX_NUMBERED])) + ", …" * (len(places) > _MAX_NUMBERED)
    return f"{what}{'s' * (len(places) > 1)} {shown}"


def _shown(rows: int, layers: int) -> str:
    """How rows were taken for directions; with a doubt, where they may be the layers of one.

    Args:
        layers: of the generator; 0 where rows are no layers, beyond doubt.
    """
    if rows == 1:
        return "one row"
    if rows == layers:
        return f"{rows} rows, each a direction (--as wplus takes them for the layers of one)"
    if layers == 0 or abs(rows - layers) > _NEAR:
        return f"{rows} rows"
    if rows in _SIZES:
        doubt = f"if they are the layers of one edit, it is for a StyleGAN of {_SIZES[rows]} px, not for this generator"
    else:
        doubt = (
            f"nearly the {layers} layers of this generator: if they are those of one edit, it is for another network"
        )
    return f"{rows} rows, each a direction ({doubt})"


def _wplus(matrix: Matrix, edits: Tensor) -> Reading:
    """Edits (n, layers, d) as directions in w of some layers, if they are no more than that."""
    used = [row.nonzero().flatten().tolist() for row in edits.any(dim=2)]
    if not all(used):
        empty = torch.tensor([not rows for rows in used])
        raise GanwalkError(f"holds a direction that is zero: leave out {numbered('edit', empty)}")
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
