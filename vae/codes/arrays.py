"""Codes and factors as arrays: .npz files, and pairs of .npy."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files.npy import NpyHeader, read_npy_header
from vae.codes.source import ROWS, Block, CodesSource, Numbering, damaged, told
from vae.metrics.arrays import Array

_MAX_NAMES = 2**24
# Bytes before the name of a member of an archive; the lengths of the name and of what follows it are the last of them.
_LOCAL_HEADER = 30
# Bytes that are unpacked at a time.
_COPIED = 2**20
_OF_ARCHIVE = ("codes", "factors", "test_codes", "test_factors")


def open_pair(codes: Path, factors: Path) -> CodesSource:
    """The rows of two .npy files. Errors as of `vae.codes.files.open_codes`."""
    paths = (codes, factors)
    headers = []
    for path in paths:
        try:
            with path.open("rb") as file:
                header = read_npy_header(file)
                if os.fstat(file.fileno()).st_size < header.start + header.size:
                    raise ValueError("it ends too early")
        except (OSError, ValueError, EOFError) as error:
            raise damaged(path, error) from error
        _check_kind(header.dtype, str(path), text=path == factors)
        headers.append(header)
    widths = [_columns(header.shape, str(path)) for header, path in zip(headers, paths, strict=True)]
    _check_rows([header.shape[0] for header in headers], f"{codes} and {factors}")

    def blocks() -> Iterator[Block]:
        number = [Numbering() for _ in range(widths[1])]
        for parts in zip(*(told(path, partial(_file_blocks, path))() for path in paths), strict=True):
            yield tuple(_plain(part, number) for part in parts)  # type: ignore[misc]

    names = _numbered("factor", widths[1])
    return CodesSource(_numbered("code", widths[0]), names, blocks, names if headers[1].dtype.kind == "U" else ())


def _file_blocks(path: Path) -> Iterator[Array]:
    """The rows of a .npy, read and not mapped: a mapped file that somebody cuts meanwhile kills the process."""
    with path.open("rb") as file:
        header = read_npy_header(file)
        if not header.by_columns or len(header.shape) == 1:
            yield from _stream_blocks(file, header, path.name)
        else:
            yield from _column_blocks(file, header, header.start, path.name)


def _column_blocks(file: IO[bytes], header: NpyHeader, start: int, name: str) -> Iterator[Array]:
    """Rows of an array (N, D) in Fortran's order, which are all over the file, from the place of its first value on."""
    (n, width), size = header.shape, header.dtype.itemsize
    for first in range(0, n, ROWS):
        rows = min(ROWS, n - first)
        columns = []
        for k in range(width):
            file.seek(start + (k * n + first) * size)
            columns.append(np.frombuffer(_exactly(file, rows * size, name), header.dtype))
        yield np.stack(columns, axis=1)


def open_archive(path: Path) -> tuple[CodesSource, CodesSource | None]:
    """The rows of an .npz, and those of its test set. Errors as of `vae.codes.files.open_codes`."""
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
    widths = {name: _columns(header.shape, f"{name} in {path}") for name, header in headers.items()}
    sources = []
    for pair in (("codes", "factors"), ("test_codes", "test_factors")):
        if pair[0] not in headers:
            continue
        for name in pair:
            _check_kind(headers[name].dtype, f"{name} in {path}", text="factors" in name)
        _check_rows([headers[name].shape[0] for name in pair], str(path))
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

        is_text = headers[pair[1]].dtype.kind == "U"
        return CodesSource(labels[0], labels[1], told(path, blocks), labels[1] if is_text else ())

    found = [source(*parts) for parts in sources]
    return found[0], found[1] if len(found) > 1 else None


def _header(archive: zipfile.ZipFile, name: str) -> NpyHeader:
    with archive.open(f"{name}.npy") as stream:
        return read_npy_header(stream)


def _short(archive: zipfile.ZipFile, name: str) -> Array:
    """An array of names: a few bytes in an archive may stand for any number of them."""
    if _header(archive, name).size > _MAX_NAMES:
        raise ValueError(f"{name} is larger than any names")
    with archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _member_blocks(archive: zipfile.ZipFile, name: str) -> Iterator[Array]:
    with archive.open(f"{name}.npy") as stream:
        header = read_npy_header(stream)
        if header.by_columns and len(header.shape) > 1:
            with _seekable(archive, stream, header, name) as (file, start):
                yield from _column_blocks(file, header, start, name)
            return
        yield from _stream_blocks(stream, header, name)


@contextlib.contextmanager
def _seekable(
    archive: zipfile.ZipFile, stream: IO[bytes], header: NpyHeader, name: str
) -> Iterator[tuple[IO[bytes], int]]:
    """A file in which any value of a member is a seek away, and where there the first one is.

    It is the archive where the member is stored as it is, and else a temporary one with what the stream unpacks.
    """
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type == zipfile.ZIP_STORED:
        with open(str(archive.filename), "rb") as file:
            file.seek(info.header_offset)
            local = _exactly(file, _LOCAL_HEADER, name)
            extra = sum(int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
            yield file, info.header_offset + _LOCAL_HEADER + extra + header.start
        return
    with tempfile.TemporaryFile() as file:
        for start in range(0, header.size, _COPIED):
            file.write(_exactly(stream, min(_COPIED, header.size - start), name))
        yield file, 0


def _stream_blocks(stream: IO[bytes], header: NpyHeader, name: str) -> Iterator[Array]:
    """Rows of an array in C order, of which the stream stands at the first."""
    shape, dtype = header.shape, header.dtype
    row = math.prod(shape[1:]) * dtype.itemsize
    for start in range(0, shape[0], ROWS):
        rows = min(ROWS, shape[0] - start)
        yield np.frombuffer(_exactly(stream, rows * row, name), dtype).reshape(rows, *shape[1:])


def _exactly(stream: IO[bytes], size: int, name: str) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise ValueError(f"{name} ends too early")
    return data


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
