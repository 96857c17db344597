"""Codes and factors as every metric takes them, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganwalk.arrays import host_array
from ganwalk.errors import GanwalkError

# A column is one of classes as long as no more than this share of its rows hold a value that no other row has.
_LONE_SHARE = 0.25
_CONSTANT = "no factor varies over the rows: score codes of images whose factors differ"

Array = NDArray[Any]


@dataclass(frozen=True)
class Labelled:
    """Codes with the factors that vary among them.

    Attributes:
        codes: (N, D) finite floats, of the precision they came in.
        labels: (N, f) int64: position of each factor's value among the sorted values that it takes here.
        values: the sorted values of each of the f factors; of binned ones, the bins that hold rows.
        edges: of each of the f factors the inner edges of its bins, or None if it is not binned.
        columns: (f,) which of the F factors these are.
        factors: F.
    """

    codes: Array
    labels: Array
    values: tuple[Array, ...]
    edges: tuple[Array | None, ...]
    columns: Array
    factors: int

    @property
    def sizes(self) -> Array:
        """(f,) number of values of each factor."""
        return np.array([len(values) for values in self.values])

    def test(self, codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
        """Codes (M, D) and labels (M, f) of a test set; a value that the training set lacks has label -1.

        Raises:
            GanwalkError: as `labelled`, or the test set has other numbers of columns.
        """
        checked, columns = checked_codes(codes), _checked_factors(factors)
        _check_rows(checked, columns)
        for name, got, expected in (
            ("codes", checked.shape[1], self.codes.shape[1]),
            ("factors", columns.shape[1], self.factors),
        ):
            if got != expected:
                raise GanwalkError(f"the test set has {got} {name}, the training set {expected}: they must match")
        labels = np.empty((len(checked), len(self.values)), np.int64)
        for k, (column, values, edges) in enumerate(zip(self.columns, self.values, self.edges, strict=True)):
            found = _binned(columns[:, column], edges)
            at = np.searchsorted(values, found).clip(max=len(values) - 1)
            labels[:, k] = np.where(values[at] == found, at, -1)
        return checked, labels


def labelled(codes: ArrayLike, factors: ArrayLike, factor_bins: int | None = None) -> Labelled:
    """Checked codes (N, D) and factors (N, F), of which those with a single value are left out: nothing can tell of
    them how a code depends on them.

    Args:
        factor_bins: a factor that takes more values than this is binned into so many ranges, of equal width between its
            least and greatest value.
    Raises:
        GanwalkError: wrong shapes, fewer than 2 rows, values that are not finite, no factor that varies, fewer than 2
            bins, or a factor whose values (or bins) hardly repeat: they are no classes.
    """
    if factor_bins is not None and factor_bins < 2:
        raise GanwalkError(f"factor_bins must be at least 2, not {factor_bins}")
    checked, columns = checked_codes(codes), _checked_factors(factors)
    _check_rows(checked, columns)
    found = [_values_and_labels(column) for column in columns.T]
    edges: list[Array | None] = [None] * len(found)
    for k, (values, _) in enumerate(found):
        if factor_bins is not None and len(values) > factor_bins:
            edges[k] = np.linspace(float(values[0]), float(values[-1]), factor_bins + 1)[1:-1]
            found[k] = _values_and_labels(_binned(columns[:, k], edges[k]))
        _check_classes(found[k][1], k)
    varying = np.array([k for k, (values, _) in enumerate(found) if len(values) > 1], np.int64)
    if not len(varying):
        raise GanwalkError(_CONSTANT)
    return Labelled(
        checked,
        np.stack([found[k][1] for k in varying], axis=1),
        tuple(found[k][0] for k in varying),
        tuple(edges[k] for k in varying),
        varying,
        columns.shape[1],
    )


def numeric(codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
    """Codes (N, D) and the factors (N, f) that vary, taken as the numbers that they are, in double precision.

    Raises:
        GanwalkError: wrong shapes, fewer than 2 rows, values that are not finite, or no factor that varies.
    """
    checked, columns = checked_codes(codes), _checked_factors(factors)
    _check_rows(checked, columns)
    varying = columns.max(axis=0) > columns.min(axis=0)
    if not varying.any():
        raise GanwalkError(_CONSTANT)
    return checked.astype(np.float64), columns[:, varying].astype(np.float64)


def _check_classes(labels: Array, factor: int) -> None:
    lone = int((np.bincount(labels) == 1).sum())
    if lone > max(1, _LONE_SHARE * len(labels)):
        share = "no two rows" if lone == len(labels) else f"only {len(labels) - lone} of {len(labels)} rows"
        raise GanwalkError(
            f"{share} share a value of factor {factor}: bin continuous factors by factor_bins=10, or give more rows"
        )


def _binned(column: Array, edges: Array | None) -> Array:
    """The bin (N,) of each value between inner edges, or the values themselves if there are none."""
    return column if edges is None else np.searchsorted(edges, column, side="right")


def _values_and_labels(column: Array) -> tuple[Array, Array]:
    """Sorted values of a factor, and the position (N,) of each row's among them."""
    least = column.min()
    if np.issubdtype(column.dtype, np.integer) and int(column.max()) - int(least) < 2 * len(column):
        # Counting is several times as fast as sorting.
        places = column.astype(np.int64) - int(least)
        present = np.bincount(places) > 0
        return (np.flatnonzero(present) + int(least)), (np.cumsum(present) - 1)[places]
    values, labels = np.unique(column, return_inverse=True)
    return values, labels.reshape(-1).astype(np.int64)


def checked_codes(codes: ArrayLike) -> Array:
    """Codes (N, D) as floats; GanwalkError if the shape is another, N < 2, or a value is not finite."""
    array = host_array(codes, "codes")
    if array.ndim != 2 or not array.shape[1]:
        raise GanwalkError(f"codes must have shape (N, D) with D at least 1, not {array.shape}")
    if len(array) < 2:
        raise GanwalkError(f"{len(array)} rows of codes are too few for a metric: give thousands")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        raise GanwalkError("codes must be finite: the model that made them has diverged, use an earlier checkpoint")
    return array


def _checked_factors(factors: ArrayLike) -> Array:
    array = host_array(factors, "factors")
    if array.ndim != 2 or not array.shape[1]:
        raise GanwalkError(f"factors must have shape (N, F) with F at least 1, not {array.shape}")
    if not np.isfinite(array).all():
        raise GanwalkError("factors must be finite numbers: one integer per value of a factor")
    return array.astype(np.int64) if array.dtype == bool else array


def _check_rows(codes: Array, factors: Array) -> None:
    if len(codes) != len(factors):
        raise GanwalkError(f"{len(codes)} rows of codes do not match {len(factors)} rows of factors")


def gap(matrix: Array, axis: int) -> Array:
    """Largest minus second largest entry along an axis; where there is one entry only, the second is 0."""
    if matrix.shape[axis] == 1:
        return matrix.max(axis=axis)
    top = np.sort(matrix, axis=axis)
    return np.take(top, -1, axis=axis) - np.take(top, -2, axis=axis)
