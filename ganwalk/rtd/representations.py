"""Representations in files: the rows of a table or an array, each a point, which an id may name."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import open_regular

FORMATS = (".npy", ".npz", ".csv")
# Where spreadsheets write a decimal comma, and in tables with tabs.
_OTHER_MARKS = (";", "\t")


@dataclass(frozen=True)
class Representation:
    """Points, and what they are called.

    Attributes:
        name: of the file, without its ending.
        points: (n, …).
        ids: (n,) texts, or None where rows are told by their order.
    """

    name: str
    points: np.ndarray
    ids: list[str] | None


def read_representation(path: Path, id_name: str | None) -> Representation:
    """Reads an array (.npy), one of an archive (.npz) beside its ids, or a table with a header (.csv).

    Args:
        id_name: column of the table or array of the archive that holds the ids; None takes rows in their order.
    Raises:
        GanwalkError: with the remedy.
    """
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise GanwalkError(f"{path} must end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    if suffix == ".npy" and id_name is not None:
        raise GanwalkError(f"{path} has no ids: give .npz or .csv files, or leave out --id")
    with open_regular(path) as file:
        data = file.read()
    ids: list[str] | None
    if suffix == ".csv":
        points, ids = _read_table(data, path, id_name)
    else:
        points, ids = _read_arrays(data, path, id_name)
    if points.ndim < 2 or points.dtype.kind not in "biuf":
        raise GanwalkError(
            f"{path} must hold numbers, a row for each point: its array is {points.dtype} {points.shape}"
        )
    if ids is not None and len(ids) != len(points):
        raise GanwalkError(f"{path} has {len(ids)} ids for {len(points)} points")
    if not np.isfinite(points).all():
        raise GanwalkError(f"{path} holds a value that is not finite: leave out its row")
    return Representation(path.stem, points, ids)


def _read_arrays(data: bytes, path: Path, id_name: str | None) -> tuple[np.ndarray, list[str] | None]:
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded, None
        arrays = {name: loaded[name] for name in loaded.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise GanwalkError(f"{path} is damaged, or holds Python objects: save an array of numbers") from error
    if id_name is not None and id_name not in arrays:
        raise GanwalkError(f"{path} has no array {id_name!r} for --id: it has {', '.join(arrays) or 'none'}")
    named = None if id_name is None else [str(each) for each in arrays.pop(id_name).ravel()]
    tables = {name: array for name, array in arrays.items() if array.ndim > 1 and array.dtype.kind in "biuf"}
    if len(tables) != 1:
        raise GanwalkError(f"{path} must hold one array of points, not {len(tables)}: save that one alone")
    return next(iter(tables.values())), named


def _read_table(data: bytes, path: Path, id_name: str | None) -> tuple[np.ndarray, list[str] | None]:
    try:
        header, *rows = [row for row in csv.reader(io.StringIO(data.decode("utf-8-sig"))) if row]
    except (UnicodeDecodeError, csv.Error, ValueError) as error:
        raise GanwalkError(f"{path} is no table: give comma-separated values with a header") from error
    if len(header) == 1 and (mark := next((mark for mark in _OTHER_MARKS if mark in header[0]), None)):
        raise GanwalkError(f"{path} has columns between {mark!r}: save it with commas, and points in numbers")
    if any(len(row) != len(header) for row in rows):
        raise GanwalkError(f"{path}: rows have more or fewer cells than the header")
    if id_name is not None and id_name not in header:
        raise GanwalkError(f"{path} has no column {id_name!r} for --id: it has {one_line(', '.join(header), 200)}")
    columns = dict(zip(header, zip(*rows, strict=True), strict=True)) if rows else {name: () for name in header}
    ids = None if id_name is None else list(columns.pop(id_name))
    numbers = []
    for name, cells in columns.items():
        try:
            numbers.append(np.array(cells, dtype=np.float64))
        except ValueError as error:
            hint = "leave it out" if id_name else f"leave it out, or match rows by it with --id {one_line(name, 40)}"
            raise GanwalkError(f"{path}: column {one_line(name, 40)!r} is no number: {hint}") from error
    return (np.stack(numbers, axis=1) if numbers else np.empty((len(rows), 0))), ids


def matched(representations: Sequence[Representation]) -> list[Representation]:
    """The points that all have, in the order of the first: by their ids, or else by their place.

    Raises:
        GanwalkError: an id stands twice in a file, fewer than two are in all of them, or numbers of rows differ.
    """
    if representations[0].ids is None:
        counts = {each.name: len(each.points) for each in representations}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise GanwalkError(f"rows cannot be matched by their order ({told}): give .csv or .npz files, and --id")
        if len(representations[0].points) < 2:
            raise GanwalkError("a representation needs two points or more")
        return list(representations)
    places = []
    for each in representations:
        ids = each.ids or []
        rows = {name: row for row, name in enumerate(ids)}
        if len(rows) < len(ids):
            twice = next(name for row, name in enumerate(ids) if rows[name] != row)
            raise GanwalkError(f"{each.name}: the id {one_line(twice, 40)!r} stands there twice: an id names one point")
        places.append(rows)
    shared = [name for name in places[0] if all(name in rows for rows in places)]
    if len(shared) < 2:
        raise GanwalkError(f"{len(shared)} ids are in all files: two or more are needed; look whether --id is right")
    return [
        replace(each, points=each.points[[rows[name] for name in shared]], ids=shared)
        for each, rows in zip(representations, places, strict=True)
    ]
