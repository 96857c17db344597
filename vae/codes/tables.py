"""Codes and factors as columns of tables: .csv, .tsv and .parquet."""

from __future__ import annotations

import csv
import fnmatch
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from vae.codes.source import LEAVE_OUT, ROWS, Block, CodesSource, Numbering, damaged, is_missing, told
from vae.metrics.arrays import Array

# Of a table's columns, those that are factors if nobody names them.
_FACTORS = ("factor*",)
# What pandas calls an index that it writes into a table, or reads back from one.
_NUMBERINGS = ("", "Unnamed: *", "__index_level_*__", "level_0", "index")
# Up to here double precision holds every integer.
_EXACT = 2**53
# Where spreadsheets write a decimal comma, and in a table of the other kind.
_OTHER_MARKS = (";", "\t", ",")


def open_text(path: Path, codes: Sequence[str], factors: Sequence[str]) -> CodesSource:
    """The rows of a .csv or .tsv. Arguments and errors as of `vae.codes.files.open_codes`."""
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","

    def pieces() -> Iterator[list[list[str]]]:
        """The header alone, then blocks of rows."""
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, delimiter=delimiter)
            header = next(reader, [])
            yield [header]
            rows: list[list[str]] = []
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise GanwalkError(
                        f"{path}: line {reader.line_num} has {len(row)} columns, its header {len(header)}: repair it"
                    )
                rows.append(row)
                if len(rows) == ROWS:
                    yield rows
                    rows = []
            if rows:
                yield rows

    try:
        beginning = pieces()
        header = [name.strip() for name in next(beginning)[0]]
        chosen = _chosen(header, codes, factors, path)
        # Text may come late: the column is text from its first row on.
        texts = {k for rows in beginning for k in chosen[1] if not _are_numbers([row[k] for row in rows])}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise damaged(path, error) from error

    def blocks() -> Iterator[Block]:
        number = {k: Numbering() for k in texts}
        done = 0
        for rows in itertools.islice(pieces(), 1, None):
            columns = list(zip(*rows, strict=True))

            def values(k: int, columns: Sequence[Sequence[str]] = columns, done: int = done) -> Array:
                return number[k](columns[k]) if k in number else _parsed(columns[k], header[k], done, path)

            yield tuple(np.stack([values(k) for k in which], axis=1) for which in chosen)  # type: ignore[misc]
            done += len(rows)

    names = [tuple(header[k] for k in which) for which in chosen]
    numberings = () if codes else _ids(header)
    return CodesSource(names[0], names[1], told(path, blocks), tuple(header[k] for k in texts), numberings)


def _parsed(cells: Sequence[str], name: str, start: int, path: Path) -> Array:
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    values = np.empty(len(cells))
    for k, cell in enumerate(cells):
        try:
            values[k] = np.nan if is_missing(cell) else float(cell)
        except ValueError:
            raise GanwalkError(
                f"{path}: column {name} has {one_line(cell, 40)!r} in row {start + k} (counted from 0), which is no "
                "number: repair it, or leave the column out with --codes"
            ) from None
    return values


def _are_numbers(cells: Sequence[str]) -> bool:
    """Whether cells are numbers or missing, and double precision tells integers from their neighbours."""
    try:
        values = list(map(float, cells))
    except ValueError:
        cells = [cell for cell in cells if not is_missing(cell)]
        try:
            values = list(map(float, cells))
        except ValueError:
            return False
    return not any(_is_rounded(cells[k]) for k in np.flatnonzero(np.abs(values) >= _EXACT).tolist())


def _is_rounded(cell: str) -> bool:
    try:
        return int(cell) != int(float(cell))
    except ValueError:
        return False


def open_parquet(path: Path, codes: Sequence[str], factors: Sequence[str]) -> CodesSource:
    """The rows of a .parquet. Arguments and errors as of `vae.codes.files.open_codes`."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise GanwalkError(f"{path} is read with pyarrow, which is not here: pip install 'ganwalk[tables]'") from error
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise damaged(path, error) from error
    chosen = _chosen(schema.names, codes, factors, path)
    names = [tuple(schema.names[k] for k in which) for which in chosen]
    texts = set()
    for name in (*names[0], *names[1]):
        kind = schema.field(name).type
        if pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_boolean(kind):
            continue
        if name in names[0] or not (
            pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or pyarrow.types.is_dictionary(kind)
        ):
            remedy = "leave it out with --codes" if name in names[0] else LEAVE_OUT
            raise GanwalkError(f"{path}: column {name} holds {kind}, which is no number: {remedy}")
        texts.add(name)
    integers = [name for name in names[1] if name not in texts and pyarrow.types.is_integer(schema.field(name).type)]
    try:
        texts |= _beyond_doubles(path, [name for name in integers if schema.field(name).type.bit_width == 64])
    except (OSError, pyarrow.ArrowException) as error:
        raise damaged(path, error) from error

    def blocks() -> Iterator[Block]:
        number = {name: Numbering() for name in texts}
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(ROWS, columns=[*names[0], *names[1]]):
                columns = {name: batch.column(name) for name in (*names[0], *names[1])}
                yield tuple(  # type: ignore[misc]
                    np.stack([_of_arrow(columns[name], number.get(name)) for name in part], axis=1) for part in names
                )

    numberings = () if codes else _ids(schema.names)
    return CodesSource(names[0], names[1], told(path, blocks), tuple(texts), numberings)


def _beyond_doubles(path: Path, columns: Sequence[str]) -> set[str]:
    """Those of some columns of integers in which double precision would merge values."""
    import pyarrow.compute
    import pyarrow.parquet

    found = set()
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS, columns=columns) if columns else ():
            for name in columns:
                ends = pyarrow.compute.min_max(batch.column(name)).as_py().values()
                found |= {name} if any(end is not None and abs(end) >= _EXACT for end in ends) else set()
    return found


def _of_arrow(column: Any, number: Numbering | None) -> Array:
    if number is not None:
        return number(column.to_pylist())
    return column.cast("float64", safe=False).to_numpy(zero_copy_only=False)


def _chosen(
    header: Sequence[str], codes: Sequence[str], factors: Sequence[str], path: Path
) -> tuple[list[int], list[int]]:
    """Which columns are codes, and which are factors."""
    if not header:
        raise GanwalkError(f"{path} has no columns in its first line: name them there, one for each code and factor")
    if len(set(header)) < len(header):
        twice = next(name for name in header if list(header).count(name) > 1)
        raise GanwalkError(f"{path} has two columns {twice!r}: rename one of them")
    if len(header) == 1 and (mark := next((mark for mark in _OTHER_MARKS if mark in header[0]), None)):
        raise GanwalkError(f"{path} has columns between {mark!r}: save it with commas, or as .tsv with tabs")
    asked = [pattern for pattern in (*codes, *factors) if not fnmatch.filter(header, pattern)]
    if asked:
        raise GanwalkError(f"{path} has no column {asked[0]}: its columns are {one_line(', '.join(header), 300)}")
    found = _matching(header, factors or _FACTORS)
    if not found:
        raise GanwalkError(
            f"{path}: name its columns of factors with --factors A,B; it has {one_line(', '.join(header), 300)}"
        )
    no_codes = {*_ids(header), *(header[k] for k in _matching(header, _FACTORS))}
    others = _matching(header, codes) if codes else [k for k in range(len(header)) if header[k] not in no_codes]
    rest = [k for k in others if k not in found]
    if not rest:
        raise GanwalkError(f"{path}: no column is left for codes; name fewer with --factors")
    return rest, found


def _ids(header: Sequence[str]) -> tuple[str, ...]:
    """Columns that number the rows: where these lie in an order, their number knows every factor."""
    return tuple(header[k] for k in _matching(header, _NUMBERINGS))


def _matching(header: Sequence[str], patterns: Sequence[str]) -> list[int]:
    return [k for k, name in enumerate(header) if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
