"""Codes and factors as every metric takes them, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ganwalk.arrays import host_array
from ganwalk.errors import GanwalkError

# A column is one of classes as long as no more than this share of its rows hold a value that no other row has.
_LONE_SHARE = 0.25
# Squares of larger codes leave single precision, and those of smaller differences double precision.
_LARGEST, _LEAST_SPREAD = 1e18, 1e-150
# Deviations from 0 beyond which codes are moved there.
_FAR = 10
_CONSTANT = "no factor varies over the rows: score codes of images whose factors differ"
_REMEDY = {
    "codes": "drop these rows, or use an earlier checkpoint if the model that made them has diverged",
    "factors": "drop these rows, or give one integer per value of a factor",
}

Array = NDArray[Any]
Continuous = bool | Sequence[bool] | Array
"""Whether factors whose values hardly repeat are taken as numbers, or a mask (F,) of those that are."""


class HardlyRepeats(GanwalkError):
    """A factor is no classes, as too few of its rows share a value.

    Attributes:
        column: which of the factors it is.
        share: how many rows share a value.
        text: whether it is text.
    """

    def __init__(self, column: int, name: str, share: str, *, text: bool):
        self.column, self.share, self.text = column, share, text
        remedy = "leave it out" if text else "bin continuous factors by factor_bins=10"
        super().__init__(f"{share} share a value of factor {name}: {remedy}, or give more rows")


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
        return np.array([len(values) for values in self.values], np.int64)

    def test(self, codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
        """Codes (M, D) and labels (M, f) of a test set; a value that the training set lacks has label -1.

        Raises:
            GanwalkError: as `labelled`, or the test set has other numbers of columns.
        """
        checked, columns = _checked_test(self, codes, factors)
        labels = np.empty((len(checked), len(self.values)), np.int64)
        for k, (column, values, edges) in enumerate(zip(self.columns, self.values, self.edges, strict=True)):
            found = binned(columns[column], edges)
            if values.dtype.kind == found.dtype.kind == "f":
                # The same value is another number in another precision; one that overflows there has no equal.
                coarse = min(values.dtype, found.dtype, key=lambda kind: kind.itemsize)
                with np.errstate(over="ignore"):
                    values, found = values.astype(coarse), found.astype(coarse)
            at = np.searchsorted(values, found).clip(max=len(values) - 1)
            labels[:, k] = np.where(values[at] == found, at, -1)
        return checked, labels


@dataclass(frozen=True)
class ToldApart:
    """Factors that are classes, and continuous ones.

    Attributes:
        classes: codes with the factors that are classes; possibly none of them.
        numbers: (N, c) values of the continuous factors that vary, in double precision.
        columns: (c,) which of the F factors these are.
        continuous: (F,) mask of the continuous factors, among them those that do not vary over these rows.
    """

    classes: Labelled
    numbers: Array
    columns: Array
    continuous: Array

    def test(self, codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array, Array]:
        """Codes (M, D), labels (M, f) and numbers (M, c) of a test set; see `Labelled.test`."""
        checked, labels = self.classes.test(codes, factors)
        columns = _factor_columns(factors)
        return checked, labels, _numbers(columns, self.columns, len(checked))


def labelled(codes: ArrayLike, factors: ArrayLike, factor_bins: int | None = None) -> Labelled:
    """Checked codes (N, D) and factors (N, F), of which those with a single value are left out: nothing can tell of
    them how a code depends on them.

    Args:
        factors: an array of numbers, or a frame, whose columns may hold text, too.
        factor_bins: a factor that takes more values than this is binned into so many ranges, of equal width between its
            least and greatest value.
    Raises:
        GanwalkError: wrong shapes, fewer than 2 rows, values that are not finite, no factor that varies, fewer than 2
            bins, or a factor whose values (or bins) hardly repeat: they are no classes.
    """
    return told_apart(codes, factors, factor_bins).classes


def told_apart(
    codes: ArrayLike, factors: ArrayLike, factor_bins: int | None = None, *, continuous: Continuous = False
) -> ToldApart:
    """As `labelled`, for metrics that have an estimator for continuous factors.

    Args:
        continuous: whether factors whose values hardly repeat are taken as numbers, instead of being refused. A mask
            (F,) says of each factor what it is, as more rows than these have told: in a part of them a factor that is
            near the bound would now be one, now the other. Factors that are cut into ranges, and text, are classes.
    """
    if factor_bins is not None:
        check_least(2, factor_bins=factor_bins)
    checked, columns = checked_codes(codes), _factor_columns(factors)
    _check_rows(checked, columns)
    names = _names(factors, len(columns))
    found = [values_and_labels(column) for column in columns]
    edges: list[Array | None] = [None] * len(found)
    mask, told = _mask(continuous, len(columns)), np.ndim(continuous) > 0
    for k, (values, _) in enumerate(found):
        text = columns[k].dtype.kind == "U"
        if factor_bins is not None and len(values) > factor_bins and not text:
            edges[k] = bin_edges(values, factor_bins)
            found[k] = values_and_labels(binned(columns[k], edges[k]))
        own = found[k][1]
        lone = _all_alone(own) if told else lone_rows(own)
        mask[k] &= edges[k] is None and not text and (told or lone > 0)
        if lone and not mask[k]:
            raise HardlyRepeats(k, names[k], shared(lone, len(own)), text=text)
    varying = [k for k, (values, _) in enumerate(found) if len(values) > 1]
    if not varying:
        raise GanwalkError(_CONSTANT)
    classes, numbers = ([k for k in varying if mask[k] == kind] for kind in (False, True))
    labels = np.stack([found[k][1] for k in classes], axis=1) if classes else np.empty((len(checked), 0), np.int64)
    given = Labelled(
        checked,
        labels,
        tuple(found[k][0] for k in classes),
        tuple(edges[k] for k in classes),
        np.array(classes, np.int64),
        len(columns),
    )
    which = np.array(numbers, np.int64)
    return ToldApart(given, _numbers(columns, which, len(checked)), which, mask)


def _mask(continuous: Continuous, factors: int) -> Array:
    if np.ndim(continuous) == 0:
        return np.full(factors, bool(continuous))
    mask = np.array(continuous, bool)
    if mask.shape != (factors,):
        raise GanwalkError(f"continuous must be one boolean, or one of each of the {factors} factors")
    return mask


def continuous_factors(factors: ArrayLike) -> Array:
    """Mask (F,) of the factors that are continuous: more than a quarter of the rows hold a value that no other has.

    Text is never continuous.
    """
    columns = _factor_columns(factors)
    return np.array([c.dtype.kind != "U" and lone_rows(values_and_labels(c)[1]) > 0 for c in columns], bool)


def numeric(codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
    """Codes (N, D) and the factors (N, f) that vary, taken as the numbers that they are, in double precision.

    Raises:
        GanwalkError: wrong shapes, fewer than 2 rows, values that are not finite, text, or no factor that varies.
    """
    checked, columns = checked_codes(codes), _factor_columns(factors)
    _check_rows(checked, columns)
    for name, column in zip(_names(factors, len(columns)), columns, strict=True):
        if column.dtype.kind == "U":
            raise GanwalkError(f"factor {name} holds text, which is no number: leave it out, or score it as classes")
    varying = np.array([k for k, column in enumerate(columns) if column.max() > column.min()], np.int64)
    if not len(varying):
        raise GanwalkError(_CONSTANT)
    return checked.astype(np.float64), _numbers(columns, varying, len(checked))


def rows_of(values: ArrayLike, rows: Array, name: str) -> Any:
    """These rows of an array-like or a frame."""
    frame: Any = values
    if _is_frame(values):
        return frame.iloc[rows] if hasattr(frame, "iloc") else frame[rows]
    return _array(values, name)[rows]


def lone_rows(labels: Array) -> int:
    """How many rows hold a value that no other row has, if these are too many for classes; else 0."""
    lone = int((np.bincount(labels) == 1).sum())
    return lone if lone > max(1, _LONE_SHARE * len(labels)) else 0


def shared(lone: int, rows: int) -> str:
    """How many of so many rows share a value, in words."""
    return "no two rows" if lone == rows else f"only {rows - lone} of {rows} rows"


def _all_alone(labels: Array) -> int:
    """How many rows there are if no two share a value; else 0."""
    return len(labels) if (np.bincount(labels) == 1).all() else 0


def bin_edges(values: Array, bins: int) -> Array:
    """The inner edges (bins - 1,) of ranges of equal width from the least to the greatest value."""
    return np.linspace(float(values.min()), float(values.max()), bins + 1)[1:-1]


def binned(column: Array, edges: Array | None) -> Array:
    """The bin (N,) of each value between inner edges, or the values themselves if there are none."""
    return column if edges is None else np.searchsorted(edges, column, side="right")


def values_and_labels(column: Array) -> tuple[Array, Array]:
    """Sorted values of a factor, and the position (N,) of each row's among them."""
    if np.issubdtype(column.dtype, np.integer) and int(column.max()) - int(least := column.min()) < 2 * len(column):
        # Counting is several times as fast as sorting. The greatest integers are not signed, and small types overflow.
        wide = np.uint64 if column.dtype == np.uint64 else np.int64
        places = (column.astype(wide) - wide(least)).astype(np.int64)
        present = np.bincount(places) > 0
        return np.flatnonzero(present).astype(wide) + wide(least), (np.cumsum(present) - 1)[places]
    values, labels = np.unique(column, return_inverse=True)
    return values, labels.reshape(-1).astype(np.int64)


def checked_codes(codes: ArrayLike) -> Array:
    """Codes (N, D) as floats; GanwalkError if the shape is another, N < 2, or a value is not finite."""
    if _is_frame(codes):
        columns = _frame_columns(codes, "codes")
        for name, column in zip(_names(codes, len(columns)), columns, strict=True):
            if column.dtype.kind == "U":
                raise GanwalkError(f"codes must be finite numbers: column {name} holds text; leave it out")
        array = np.stack(columns, axis=1) if columns else np.empty((0, 0))
    else:
        array = _array(codes, "codes")
    if array.ndim != 2 or not array.shape[1]:
        raise GanwalkError(f"codes must have shape (N, D) with D at least 1, not {array.shape}")
    if len(array) < 2:
        raise GanwalkError(f"{len(array)} rows of codes are too few for a metric: give thousands")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    # The sum is not finite if any value is not, and costs no array of the size of the codes.
    with np.errstate(invalid="ignore", over="ignore"):
        total = array.sum(dtype=np.float64)
    if not np.isfinite(total):
        _check_finite(array.T, _names(codes, array.shape[1]), "codes")
    _check_size(array, _names(codes, array.shape[1]))
    return array


def _check_size(codes: Array, names: tuple[str, ...]) -> None:
    """GanwalkError if squares of codes or of their differences are no numbers any more."""
    high, low = codes.max(axis=0), codes.min(axis=0)
    most = np.maximum(high, -low)
    if (most > _LARGEST).any():
        column = int(most.argmax())
        raise GanwalkError(
            f"codes must lie within ±{_LARGEST:g}: column {names[column]} reaches {most[column]:g}: scale it"
        )
    if codes.dtype == np.float64 and (tiny := (high > low) & (high - low < _LEAST_SPREAD)).any():
        name = names[int(tiny.argmax())]
        raise GanwalkError(f"codes must vary by {_LEAST_SPREAD:g} or more: column {name} varies by less: scale it")


def near_zero(codes: Array, test_codes: Array) -> tuple[Array, Array]:
    """Codes of two sets (N, D), (M, D), of which those far from 0 for how they vary are moved there, in double
    precision: single precision would merge their values, and no penalised intercept would reach them."""
    mean, deviation = codes.mean(axis=0, dtype=np.float64), codes.std(axis=0, dtype=np.float64)
    shift = np.where(np.abs(mean) > _FAR * deviation, mean, 0.0)
    return (codes - shift, test_codes - shift) if shift.any() else (codes, test_codes)


def check_least(least: int, **options: float) -> None:
    """GanwalkError if an option is less than it may be."""
    for name, value in options.items():
        if not value >= least:
            raise GanwalkError(f"{name} must be at least {least}, not {value}")


def _factor_columns(factors: ArrayLike) -> tuple[Array, ...]:
    """The factors as columns (N,) of finite numbers or, from frames, text."""
    if _is_frame(factors):
        columns = tuple(_frame_columns(factors, "factors"))
        if not columns:
            raise GanwalkError("factors must have shape (N, F) with F at least 1: the frame has no columns")
    else:
        array = _array(factors, "factors")
        if array.ndim != 2 or not array.shape[1]:
            raise GanwalkError(f"factors must have shape (N, F) with F at least 1, not {array.shape}")
        columns = tuple(array.T)
    _check_finite(columns, _names(factors, len(columns)), "factors")
    return tuple(column.astype(np.int64) if column.dtype == bool else column for column in columns)


def _check_finite(columns: Any, names: tuple[str, ...], what: str) -> None:
    for name, column in zip(names, columns, strict=True):
        if column.dtype.kind == "f" and not (finite := np.isfinite(column)).all():
            rows = np.flatnonzero(~finite)
            count = f"{len(rows)} rows, the first of them row" if len(rows) > 1 else "row"
            raise GanwalkError(
                f"{what} must be finite: column {name} has missing or infinite values in {count} {rows[0]} "
                f"(counted from 0); {_REMEDY[what]}"
            )


def _is_frame(values: Any) -> bool:
    """Whether something is a table with named columns, such as pandas' and polars' frames are."""
    return hasattr(values, "columns") and hasattr(values, "to_numpy")


def _names(values: Any, count: int) -> tuple[str, ...]:
    """What messages call columns: their names, or their numbers from 0."""
    return tuple(map(str, values.columns)) if _is_frame(values) else tuple(map(str, range(count)))


def _array(values: Any, name: str) -> Array:
    """Numbers as `host_array` has them, but half precision as it is, and what is masked as missing."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.where(np.ma.getmaskarray(values), np.nan, values.data) if np.ma.is_masked(values) else values.data
    array = host_array(values, name)
    half = str(getattr(values, "dtype", "")) in ("float16", "torch.float16")
    return array.astype(np.float16) if half else array


def _frame_columns(frame: Any, what: str) -> list[Array]:
    """The columns of a frame as numbers, or text where they hold any, or as categories; missing values are NaN."""
    found = []
    names = list(frame.columns)
    for k, name in enumerate(names):
        # Only frames of pandas, which have places, may have two columns of one name.
        column = np.asarray(frame.iloc[:, k] if names.count(name) > 1 else frame[name])
        if column.dtype.kind in "biuf":
            found.append(_array(column, what))
            continue
        entries = column.tolist()
        # NaN differs from itself; pandas' NA is neither equal nor different.
        missing = np.array([v is None or type(v).__name__ == "NAType" or v != v for v in entries], bool)
        if missing.any():
            column = np.array([np.nan if gone else v for v, gone in zip(entries, missing, strict=True)], object)
        try:
            if any(isinstance(v, str) for v in entries):
                raise ValueError
            found.append(column.astype(np.float64))
        except (TypeError, ValueError):
            _check_finite([np.where(missing, np.nan, 0.0)], (str(name),), what)
            found.append(column.astype(str))
    return found


def _numbers(columns: tuple[Array, ...], which: Array, rows: int) -> Array:
    """Some columns as (N, c) in double precision."""
    return np.stack([columns[k] for k in which], axis=1).astype(np.float64) if len(which) else np.empty((rows, 0))


def _checked_test(given: Labelled, codes: ArrayLike, factors: ArrayLike) -> tuple[Array, tuple[Array, ...]]:
    checked, columns = checked_codes(codes), _factor_columns(factors)
    _check_rows(checked, columns)
    for name, got, expected in (
        ("codes", checked.shape[1], given.codes.shape[1]),
        ("factors", len(columns), given.factors),
    ):
        if got != expected:
            raise GanwalkError(f"the test set has {got} {name}, the training set {expected}: they must match")
    return checked, columns


def _check_rows(codes: Array, factors: tuple[Array, ...]) -> None:
    if len(codes) != len(factors[0]):
        raise GanwalkError(f"{len(codes)} rows of codes do not match {len(factors[0])} rows of factors")


def gap(matrix: Array, axis: int) -> Array:
    """Largest minus second largest entry along an axis; where there is one entry only, the second is 0."""
    if matrix.shape[axis] == 1:
        return matrix.max(axis=axis)
    top = np.sort(matrix, axis=axis)
    return np.take(top, -1, axis=axis) - np.take(top, -2, axis=axis)
