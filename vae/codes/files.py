"""Codes and factors in files of any size: .npz, pairs of .npy, .csv and .tsv, .parquet; read in blocks of rows."""

from __future__ import annotations

import csv
import fnmatch
import itertools
import math
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import check_regular
from vae.metrics.arrays import Array

Block = tuple[Array, Array]
_T = TypeVar("_T")

_ROWS = 4096
_MISSING = ("", "na", "n/a", "nan", "null", "none")
# Of a table's columns, those that are factors if nobody names them.
_FACTORS = ("factor*",)
# Where spreadsheets write a decimal comma, and in a table of the other kind.
_OTHER_MARKS = (";", "\t", ",")
# numpy's own bound for the header of a file that nobody vouches for.
_MAX_HEADER, _MAX_NAMES = 10_000, 2**24
_SUFFIXES = ".npz, .csv, .tsv or .parquet, or two of .npy"


@dataclass(frozen=True)
class CodesSource:
    """Rows of codes and factors.

    Attributes:
        code_names, factor_names: of the D and F columns.
        blocks: codes (n, D) and factors (n, F), block by block; missing values are NaN, text is numbered by value.
        texts: names of the factors that are text.
    """

    code_names: tuple[str, ...]
    factor_names: tuple[str, ...]
    blocks: Callable[[], Iterator[Block]]
    texts: tuple[str, ...] = ()


def open_codes(
    paths: Sequence[Path], *, codes: Sequence[str] = (), factors: Sequence[str] = ()
) -> tuple[CodesSource, CodesSource | None]:
    """The rows of a file or of a pair of .npy, and those of its test set, if an .npz has one.

    An .npz holds `codes` (N, D) and `factors` (N, F), or (N,) of one, and may hold `test_codes`, `test_factors`,
    `code_names` and `factor_names`. A table has a column for each code and factor, named in its first line.

    Args:
        codes, factors: of tables, names of columns, with * for any text. Without them factors are the columns whose
            names begin with factor, and codes are all others.
    Raises:
        GanwalkError: a file is missing, damaged, or not laid out like this.
    """
    for path in paths:
        check_regular(path)
        if not path.is_file():
            raise GanwalkError(f"{path} is no file: give {_SUFFIXES}")
    kinds = [path.suffix.lower() for path in paths]
    if kinds == [".npy", ".npy"]:
        _refuse_columns(codes, factors)
        return _pair(paths[0], paths[1]), None
    if len(paths) != 1 or kinds[0] not in (".npz", ".csv", ".tsv", ".parquet"):
        raise GanwalkError(f"cannot read {' and '.join(map(str, paths))}: give {_SUFFIXES}, codes first")
    if kinds[0] == ".npz":
        _refuse_columns(codes, factors)
        return _archive(paths[0])
    return (_parquet if kinds[0] == ".parquet" else _text)(paths[0], codes, factors), None


def _refuse_columns(codes: Sequence[str], factors: Sequence[str]) -> None:
    if codes or factors:
        raise GanwalkError("--codes and --factors name columns of tables: arrays have none, leave them out")


@dataclass
class _Numbering:
    """Numbers for the texts of a column, in the order in which they come; missing ones are NaN."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, texts: Sequence[Any]) -> Array:
        return np.array(
            [
                np.nan if text is None or str(text).strip().lower() in _MISSING else self._number(str(text))
                for text in texts
            ]
        )

    def _number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def _pair(codes: Path, factors: Path) -> CodesSource:
    paths = (codes, factors)
    headers = []
    for path in paths:
        try:
            with path.open("rb") as file:
                shape, _, dtype = _read_header(file)
                if os.fstat(file.fileno()).st_size < file.tell() + math.prod(shape) * dtype.itemsize:
                    raise ValueError("it ends too early")
        except (OSError, ValueError, EOFError) as error:
            raise _damaged(path, error) from error
        _check_kind(dtype, str(path), text=path == factors)
        headers.append((shape, dtype))
    widths = [_columns(shape, str(path)) for (shape, _), path in zip(headers, paths, strict=True)]
    _check_rows([shape[0] for shape, _ in headers], f"{codes} and {factors}")

    def blocks() -> Iterator[Block]:
        number = [_Numbering() for _ in range(widths[1])]
        for parts in zip(*(_told(path, partial(_file_blocks, path))() for path in paths), strict=True):
            yield tuple(_plain(part, number) for part in parts)  # type: ignore[misc]

    names = _numbered("factor", widths[1])
    return CodesSource(_numbered("code", widths[0]), names, blocks, names if headers[1][1].kind == "U" else ())


def _file_blocks(path: Path) -> Iterator[Array]:
    """The rows of a .npy, read and not mapped: a mapped file that somebody cuts meanwhile kills the process."""
    with path.open("rb") as file:
        shape, by_columns, dtype = _read_header(file)
        if not by_columns or len(shape) == 1:
            yield from _stream_blocks(file, shape, dtype, path.name)
            return
        first = file.tell()
        for start in range(0, shape[0], _ROWS):
            rows = min(_ROWS, shape[0] - start)
            columns = []
            for k in range(shape[1]):
                file.seek(first + (k * shape[0] + start) * dtype.itemsize)
                columns.append(np.frombuffer(_exactly(file, rows * dtype.itemsize, path.name), dtype))
            yield np.stack(columns, axis=1)


def _archive(path: Path) -> tuple[CodesSource, CodesSource | None]:
    try:
        with zipfile.ZipFile(path) as archive:
            held = {name.removesuffix(".npy") for name in archive.namelist()}
            headers = {name: _header(archive, name) for name in held & set(_OF_ARCHIVE)}
            names = {name: _short(archive, name) for name in held & {"code_names", "factor_names"}}
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise _damaged(path, error) from error
    for name in ("codes", "factors"):
        if name not in headers:
            raise GanwalkError(f"{path} has no array {name}: it has {one_line(', '.join(sorted(held)), 200) or 'none'}")
    if ("test_codes" in headers) != ("test_factors" in headers):
        raise GanwalkError(f"{path} has test_codes or test_factors alone: a test set needs both")
    widths = {name: _columns(shape, f"{name} in {path}") for name, (shape, _) in headers.items()}
    sources = []
    for pair in (("codes", "factors"), ("test_codes", "test_factors")):
        if pair[0] not in headers:
            continue
        for name in pair:
            _check_kind(headers[name][1], f"{name} in {path}", text="factors" in name)
        _check_rows([headers[name][0][0] for name in pair], str(path))
        labels = [
            _names(names.get(f"{kind}_names"), kind, widths[name], path)
            for kind, name in zip(("code", "factor"), pair, strict=True)
        ]
        sources.append((pair, labels))
    if len(sources) == 2 and any(widths[a] != widths[b] for a, b in zip(*(pair for pair, _ in sources), strict=True)):
        raise GanwalkError(f"the test set in {path} has other numbers of codes or factors than the training set")
    # Text must have the same numbers in both sets.
    number = [_Numbering() for _ in range(widths["factors"])]

    def source(pair: tuple[str, str], labels: list[tuple[str, ...]]) -> CodesSource:
        def blocks() -> Iterator[Block]:
            with zipfile.ZipFile(path) as archive:
                for parts in zip(*(_member_blocks(archive, name) for name in pair), strict=True):
                    yield tuple(_plain(part, number) for part in parts)  # type: ignore[misc]

        is_text = headers[pair[1]][1].kind == "U"
        return CodesSource(labels[0], labels[1], _told(path, blocks), labels[1] if is_text else ())

    found = [source(*parts) for parts in sources]
    return found[0], found[1] if len(found) > 1 else None


_OF_ARCHIVE = ("codes", "factors", "test_codes", "test_factors")


def _header(archive: zipfile.ZipFile, name: str) -> tuple[tuple[int, ...], np.dtype]:
    with archive.open(f"{name}.npy") as stream:
        shape, _, dtype = _read_header(stream)
    return shape, dtype


def _short(archive: zipfile.ZipFile, name: str) -> Array:
    """An array of names: a few bytes in an archive may stand for any number of them."""
    shape, dtype = _header(archive, name)
    if math.prod(shape) * dtype.itemsize > _MAX_NAMES:
        raise ValueError(f"{name} is larger than any names")
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    return read(stream, max_header_size=_MAX_HEADER)


def _member_blocks(archive: zipfile.ZipFile, name: str) -> Iterator[Array]:
    with archive.open(f"{name}.npy") as stream:
        shape, by_columns, dtype = _read_header(stream)
        if by_columns and len(shape) > 1:
            # In Fortran's order the rows are all over the file.
            size = math.prod(shape) * dtype.itemsize
            whole = np.frombuffer(stream.read(size), dtype).reshape(shape, order="F")
            yield from (whole[start : start + _ROWS] for start in range(0, shape[0], _ROWS))
            return
        yield from _stream_blocks(stream, shape, dtype, name)


def _stream_blocks(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype, name: str) -> Iterator[Array]:
    """Rows of an array in C order, of which the stream stands at the first."""
    row = math.prod(shape[1:]) * dtype.itemsize
    for start in range(0, shape[0], _ROWS):
        rows = min(_ROWS, shape[0] - start)
        yield np.frombuffer(_exactly(stream, rows * row, name), dtype).reshape(rows, *shape[1:])


def _exactly(stream: IO[bytes], size: int, name: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError(f"{name} ends too early")
    return data


def _text(path: Path, codes: Sequence[str], factors: Sequence[str]) -> CodesSource:
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
                if len(rows) == _ROWS:
                    yield rows
                    rows = []
            if rows:
                yield rows

    try:
        beginning = pieces()
        header = [name.strip() for name in next(beginning)[0]]
        chosen = _chosen(header, codes, factors, path)
        first = next(beginning, [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, error) from error
    texts = {k for k in chosen[1] if any(_is_text(row[k]) for row in first)}

    def blocks() -> Iterator[Block]:
        number = {k: _Numbering() for k in texts}
        done = 0
        for rows in itertools.islice(pieces(), 1, None):
            columns = list(zip(*rows, strict=True))

            def values(k: int, columns: Sequence[Sequence[str]] = columns, done: int = done) -> Array:
                return number[k](columns[k]) if k in number else _parsed(columns[k], header[k], done, path)

            yield tuple(np.stack([values(k) for k in which], axis=1) for which in chosen)  # type: ignore[misc]
            done += len(rows)

    names = [tuple(header[k] for k in which) for which in chosen]
    return CodesSource(names[0], names[1], _told(path, blocks), tuple(header[k] for k in texts))


def _parsed(cells: Sequence[str], name: str, start: int, path: Path) -> Array:
    try:
        return np.array(list(map(float, cells)))
    except ValueError:
        pass
    values = np.empty(len(cells))
    for k, cell in enumerate(cells):
        try:
            values[k] = np.nan if cell.strip().lower() in _MISSING else float(cell)
        except ValueError:
            raise GanwalkError(
                f"{path}: column {name} has {one_line(cell, 40)!r} in row {start + k} (counted from 0), which is no "
                "number: repair it, or leave the column out with --codes"
            ) from None
    return values


def _is_text(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.strip().lower() not in _MISSING
    return False


def _parquet(path: Path, codes: Sequence[str], factors: Sequence[str]) -> CodesSource:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise GanwalkError(f"{path} is read with pyarrow, which is not here: pip install 'ganwalk[tables]'") from error
    try:
        schema = pyarrow.parquet.read_schema(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise _damaged(path, error) from error
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
            raise GanwalkError(f"{path}: column {name} holds {kind}, which is no number: leave it out with --codes")
        texts.add(name)

    def blocks() -> Iterator[Block]:
        number = {name: _Numbering() for name in texts}
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS, columns=[*names[0], *names[1]]):
                columns = {name: batch.column(name) for name in (*names[0], *names[1])}
                yield tuple(  # type: ignore[misc]
                    np.stack([_of_arrow(columns[name], number.get(name)) for name in part], axis=1) for part in names
                )

    return CodesSource(names[0], names[1], _told(path, blocks), tuple(texts))


def _of_arrow(column: Any, number: _Numbering | None) -> Array:
    if number is not None:
        return number(column.to_pylist())
    return column.cast("float64").to_numpy(zero_copy_only=False)


def _chosen(
    header: Sequence[str], codes: Sequence[str], factors: Sequence[str], path: Path
) -> tuple[list[int], list[int]]:
    """Which columns are codes, and which are factors."""
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
    rest = [k for k in (_matching(header, codes) if codes else range(len(header))) if k not in found]
    if not rest:
        raise GanwalkError(f"{path}: no column is left for codes; name fewer with --factors")
    return rest, found


def _matching(header: Sequence[str], patterns: Sequence[str]) -> list[int]:
    return [k for k, name in enumerate(header) if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]


def _told(path: Path, blocks: Callable[[], Iterator[_T]]) -> Callable[[], Iterator[_T]]:
    """The same blocks, whose errors are said in one line."""

    def read() -> Iterator[_T]:
        try:
            yield from blocks()
        except GanwalkError:
            raise
        except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, csv.Error) as error:
            raise _damaged(path, error) from error

    return read


def _damaged(path: Path, error: Exception) -> GanwalkError:
    # numpy takes what it does not know for a pickle, and says how such may be loaded all the same; or it shows bytes.
    foreign = any(word in str(error) for word in ("pickle", "magic string"))
    reason = "damaged, or Python objects" if foreign else one_line(str(error) or type(error).__name__, 200)
    return GanwalkError(f"cannot read {path} ({reason}): give {_SUFFIXES}, of numbers and never pickled")


def _check_kind(dtype: np.dtype, name: str, *, text: bool) -> None:
    if dtype.kind not in ("biufU" if text else "biuf"):
        raise GanwalkError(f"{name} holds values of the type {dtype}: save numbers")


def _check_rows(rows: Sequence[int], name: str) -> None:
    if rows[0] != rows[1]:
        raise GanwalkError(f"{name} have {rows[0]} rows of codes and {rows[1]} of factors: they must match")


def _columns(shape: tuple[int, ...], name: str) -> int:
    if not 1 <= len(shape) <= 2 or (len(shape) == 2 and not shape[1]):
        raise GanwalkError(f"{name} has shape {shape}, not (rows, columns)")
    return shape[1] if len(shape) == 2 else 1


def _plain(block: Array, number: Sequence[_Numbering]) -> Array:
    """A block as numbers with two axes."""
    block = block[:, None] if block.ndim == 1 else block
    if block.dtype.kind == "U":
        return np.stack([count(column.tolist()) for count, column in zip(number, block.T, strict=True)], axis=1)
    return block


def _numbered(kind: str, count: int) -> tuple[str, ...]:
    return tuple(f"{kind} {k}" for k in range(count))


def _names(given: Array | None, kind: str, count: int, path: Path) -> tuple[str, ...]:
    if given is None:
        return _numbered(kind, count)
    if given.dtype.kind != "U" or given.shape != (count,):
        raise GanwalkError(f"{kind}_names in {path} must be {count} texts, not {given.dtype} of shape {given.shape}")
    return tuple(one_line(str(name), 60) for name in given)
