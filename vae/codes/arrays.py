"""Codes and factors as arrays: pairs of .npy, which are mapped, and .npz, which are streamed."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from vae.codes.source import ROWS, Block, CodesSource, Numbering, damaged, told
from vae.metrics.arrays import Array

# numpy's own bound for the header of a file that nobody vouches for.
_MAX_HEADER, _MAX_NAMES = 10_000, 2**24
_OF_ARCHIVE = ("codes", "factors", "test_codes", "test_factors")


def open_pair(codes: Path, factors: Path) -> CodesSource:
    """Two .npy of codes and of factors."""
    arrays = []
    for path in (codes, factors):
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise damaged(path, error) from error
        _check_kind(arrays[-1].dtype, str(path), text=path == factors)
    shapes = [_columns(array.shape, str(path)) for array, path in zip(arrays, (codes, factors), strict=True)]
    _check_rows([array.shape[0] for array in arrays], f"{codes} and {factors}")

    def blocks() -> Iterator[Block]:
        number = [Numbering() for _ in range(shapes[1])]
        for start in range(0, len(arrays[0]), ROWS):
            yield tuple(_plain(np.asarray(array[start : start + ROWS]), number) for array in arrays)  # type: ignore[misc]

    names = _numbered("factor", shapes[1])
    return CodesSource(_numbered("code", shapes[0]), names, blocks, names if arrays[1].dtype.kind == "U" else ())


def open_archive(path: Path) -> tuple[CodesSource, CodesSource | None]:
    """The rows of an .npz, and those of its test set if it has one; see `files.open_codes`."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = {name.removesuffix(".npy") for name in archive.namelist()}
            headers = {name: _header(archive, name) for name in held & set(_OF_ARCHIVE)}
            names = {name: _short(archive, name) for name in held & {"code_names", "factor_names"}}
    except (OSError, ValueError, EOFError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise damaged(path, error) from error
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
    number = [Numbering() for _ in range(widths["factors"])]

    def source(pair: tuple[str, str], labels: list[tuple[str, ...]]) -> CodesSource:
        def blocks() -> Iterator[Block]:
            with zipfile.ZipFile(path) as archive:
                for parts in zip(*(_member_blocks(archive, name) for name in pair), strict=True):
                    yield tuple(_plain(part, number) for part in parts)  # type: ignore[misc]

        is_text = headers[pair[1]][1].kind == "U"
        return CodesSource(labels[0], labels[1], told(path, blocks), labels[1] if is_text else ())

    found = [source(*parts) for parts in sources]
    return found[0], found[1] if len(found) > 1 else None


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
        row = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        if by_columns and len(shape) > 1:
            # In Fortran's order the rows are all over the file.
            whole = np.frombuffer(stream.read(row * shape[0]), dtype).reshape(shape, order="F")
            yield from (whole[start : start + ROWS] for start in range(0, shape[0], ROWS))
            return
        for start in range(0, shape[0], ROWS):
            rows = min(ROWS, shape[0] - start)
            data = stream.read(rows * row)
            if len(data) != rows * row:
                raise ValueError(f"{name} ends too early")
            yield np.frombuffer(data, dtype).reshape(rows, *shape[1:])


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


def _plain(block: Array, number: Sequence[Numbering]) -> Array:
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
