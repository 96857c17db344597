"""Which of the arrays in a file are directions, and how they lie in it, by the names that tools give them.

- GANSpace (Härkönen et al. 2020): `lat_comp` with `lat_stdev`; its viewer saves one edit with its range of layers.
- Principal components of others: `comp` and `std` (beside `mean`), as e4e and PTI take them, or scikit-learn's names.
- SeFa (Shen & Zhou 2021) of rosinality/stylegan2-pytorch: `eigvec` (d, d), a direction in each column.
- The deformator of Voynov & Babenko (2020), which maps shifts e_k to directions: the columns of `linear.weight` (d, n),
  whose bias shifts all images alike, or of the orthogonal exp(A - Aᵀ), A being `log_mat_half` (d, d).
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.checkpoints.strangers import COLUMNS, COMPONENTS, ROWS, class_of
from ganwalk.inert.pickle_reader import Record
from ganwalk.interchange.contents import Array, Contents
from ganwalk.layers import Layers

# Standard deviations along components: names, and whether they are squared there.
_DEVIATIONS = {"lat_stdev": False, "std": False, "stdev": False, "explained_variance_": True}
# The exponential of a larger matrix takes minutes, and so does that of large values, with a product of matrices for
# every doubling. Logarithms of orthogonal matrices have norms of π; where training began with random numbers, the sums
# of a column are some thousands at most.
_MAX_ORTHOGONAL, _MAX_COLUMN = 2048, 2**12
# Some thousand directions in W+, of which several copies are made.
_MAX_VALUES = 2**25
# Those that lie between the values of arrays in a list, which may be columns of one matrix, are read with each.
_MAX_READ = 2**28
_MAX_SHOWN = 6


@dataclass(frozen=True)
class Matrix:
    """An array of directions.

    Attributes:
        origin: the tool or the kind of file that it is of.
        what: what it is, such as "components lat_comp".
        values: directions along the first axis.
        single: the whole array is one direction.
        separate: each entry of the first axis is known to be a direction, not a layer's part of one.
        scales: (n,) standard deviations along the directions, where the file has them.
        space: "z" or "w", where the file says so.
        layers: that the directions are meant for, where the file says so.
        name: of a single direction.
    """

    origin: str
    what: str
    values: Tensor
    single: bool = False
    separate: bool = False
    scales: Tensor | None = None
    space: str | None = None
    layers: Layers | None = None
    name: str = ""


def find_matrix(contents: Contents, widths: Container[int], *, any_name: bool = False) -> Matrix:
    """The directions in a file.

    Args:
        widths: of directions that the generator has; what costs much to be computed is computed for these only.
        any_name: take the only matrix, whatever its name, for rows of directions.
    Raises:
        GanwalkError: there are none, several, or some of which nothing is known, by name; or they are damaged.
    """
    entries = contents.entries
    arrays = {name: entry for name, entry in entries.items() if isinstance(entry, Array)}
    if list(arrays) == [""]:
        return Matrix(contents.kind, "", _read(arrays[""]))
    if arrays and list(arrays) == list(entries) and list(arrays) == [str(k) for k in range(len(arrays))]:
        return _listed(contents.kind, arrays)
    known = [name for name in arrays if _kind(name) is not None]
    deformators = [name for name in known if "deformator" in name]
    known = deformators if len(known) > 1 and len(deformators) == 1 else known
    if len(known) == 1:
        return _known(known[0], entries, contents.kind, widths)
    matrices = [name for name, array in arrays.items() if len(array.shape) > 1]
    if any_name and not known and len(matrices) == 1:
        return Matrix(contents.kind, "", _read(arrays[matrices[0]]))
    raise GanwalkError(_refusal(entries, known, matrices))


def _read(array: Array) -> Tensor:
    """The values of an array that is no larger than directions are."""
    if math.prod(array.shape) > _MAX_VALUES:
        raise GanwalkError("is damaged: it announces more values than any file of directions has")
    return array.read()


def _kind(name: str) -> str | None:
    """The name of a known matrix at the end of an entry's name."""
    return next((known for known in (*COMPONENTS, *COLUMNS, *ROWS) if f".{name}".endswith(f".{known}")), None)


def _known(name: str, entries: Mapping[str, Any], file_kind: str, widths: Container[int]) -> Matrix:
    kind = _kind(name)
    values = _read(entries[name])
    if kind in ROWS:
        return Matrix(file_kind, "", values)
    if kind in COMPONENTS:
        beside = _beside(name, kind, entries)
        return _edit(values, beside) if "edit_start" in beside else _components(values, kind, name, beside)
    if values.ndim != 2:
        raise GanwalkError(f"is damaged: {one_line(name, 60)} has the shape {tuple(values.shape)}, but is a matrix")
    if kind == "eigvec":
        return Matrix("sefa", "columns of eigvec", values.T, separate=True)
    if kind == "log_mat_half":
        rows = _orthogonal(values, widths).T
        return Matrix("deformator", "columns of exp(A - Aᵀ), A = log_mat_half", rows, separate=True)
    return Matrix("deformator", f"columns of {one_line(name, 60)}", values.T, separate=True)


def _beside(name: str, kind: str, entries: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the same dict."""
    prefix = name.removesuffix(kind)
    return {key.removeprefix(prefix): entry for key, entry in entries.items() if key.startswith(prefix)}


def _components(values: Tensor, kind: str, name: str, beside: dict[str, Any]) -> Matrix:
    if values.ndim < 2:
        raise GanwalkError(f"is damaged: {one_line(name, 60)} has the shape {tuple(values.shape)}, but is a matrix")
    origin = "ganspace" if kind == "lat_comp" else "pca"
    scales = _deviations(beside)
    # Comparisons with NaN are false.
    if scales is not None and (scales.shape != values.shape[:1] or not ((scales >= 0) & scales.isfinite()).all()):
        deviations = next(key for key in _DEVIATIONS if key in beside)
        raise GanwalkError(f"is damaged: {deviations} does not fit {one_line(name, 60)}")
    return Matrix(origin, f"components {kind}", values, separate=True, scales=scales)


def _edit(values: Tensor, facts: dict[str, Any]) -> Matrix:
    """One edit of GANSpace's viewer, whose range of layers ends before `edit_end`."""
    first, end = facts["edit_start"], facts.get("edit_end")
    if type(first) is not int or type(end) is not int or not 0 <= first < end:
        raise GanwalkError("is damaged: edit_start and edit_end are no range of layers")
    scales, space = _deviations(facts), facts.get("latent_space")
    if scales is not None and (scales.shape != (1,) or not bool((scales >= 0) & scales.isfinite())):
        raise GanwalkError("is damaged: lat_stdev is no standard deviation")
    return Matrix(
        "ganspace",
        "an edit of GANSpace's viewer",
        values,
        single=True,
        scales=scales,
        space=space.lower() if space in ("W", "Z", "w", "z") else None,
        layers=(first, end - 1),
        name=facts["name"].strip() if isinstance(facts.get("name"), str) else "",
    )


def _deviations(beside: dict[str, Any]) -> Tensor | None:
    for name, squared in _DEVIATIONS.items():
        entry = beside.get(name)
        if isinstance(entry, Array):
            values = _read(entry).flatten()
        elif isinstance(entry, int | float) and not isinstance(entry, bool):
            values = torch.tensor([float(entry)])
        else:
            continue
        return values.sqrt() if squared else values
    return None


def _orthogonal(values: Tensor, widths: Container[int]) -> Tensor:
    """exp(A - Aᵀ) of A (d, d), for a width d of the generator's."""
    if values.shape[0] != values.shape[1] or len(values) > _MAX_ORTHOGONAL:
        raise GanwalkError(f"is damaged: log_mat_half has the shape {tuple(values.shape)}, but is a square matrix")
    if len(values) not in widths:
        raise GanwalkError(
            f"holds directions of {len(values)} dimensions, which no latent space of the generator has; give the "
            "generator that they are of as --generator"
        )
    exact = values.double()
    exact = exact - exact.T
    # Comparisons with NaN are false.
    if not exact.abs().sum(dim=0).max() <= _MAX_COLUMN:
        raise GanwalkError("is damaged: log_mat_half holds values that are no logarithm of an orthogonal matrix")
    return torch.matrix_exp(exact).float()


def _listed(kind: str, arrays: Mapping[str, Array]) -> Matrix:
    """The arrays of a list, one direction each."""
    if len({array.shape for array in arrays.values()}) > 1:
        raise GanwalkError("holds a list of arrays of several shapes: save the directions as one matrix (n, d)")
    values = sum(math.prod(array.shape) for array in arrays.values())
    if values > _MAX_VALUES or sum(array.span for array in arrays.values()) > _MAX_READ:
        raise GanwalkError("is damaged: it announces more values than any file of directions has")
    return Matrix(kind, "", torch.stack([_read(array) for array in arrays.values()]), separate=True)


def _refusal(entries: Mapping[str, Any], known: list[str], matrices: list[str]) -> str:
    if len(known) > 1:
        return f"holds several matrices of directions ({_shown(known)}): save one of them alone"
    if all(any(f".{name}".endswith(f".{layer}.weight") for name in matrices) for layer in ("fc1", "fc4")):
        return "holds a deformator of several layers (fc1 to fc4), whose directions bend: there are no fixed ones in it"
    if len(matrices) == 1:
        return (
            f"holds the matrix {_shown(matrices)}, of which nothing is known: if its rows are directions, add --as rows"
        )
    if matrices:
        return f"holds the matrices {_shown(matrices)}, of which nothing is known: save the rows of directions alone"
    made = next((entry for entry in entries.values() if isinstance(entry, Record)), None)
    if made is not None:
        return f"holds no plain matrix but an object of {class_of(made)}: save the directions as a dense array"
    return "holds no matrix of directions (n, d)"


def _shown(names: list[str]) -> str:
    return one_line(", ".join(names[:_MAX_SHOWN]), 200) + ", …" * (len(names) > _MAX_SHOWN)
