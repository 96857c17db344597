"""Codes and factors in files of any size, told apart by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ganwalk.errors import GanwalkError
from ganwalk.files import check_regular
from vae.codes.arrays import open_archive, open_pair
from vae.codes.source import SUFFIXES, CodesSource
from vae.codes.tables import open_parquet, open_text


def open_codes(
    paths: Sequence[Path], *, codes: Sequence[str] = (), factors: Sequence[str] = ()
) -> tuple[CodesSource, CodesSource | None]:
    """The rows of a file or of a pair of .npy, and those of its test set, if an .npz has one.

    An .npz holds `codes` (N, D) and `factors` (N, F), or (N,) of one, and may hold `test_codes`, `test_factors`,
    `code_names` and `factor_names`. A table has a column for each code and factor, named in its first line.

    Args:
        codes, factors: of tables, names of columns, with * for any text. Without them factors are the columns whose
            names begin with factor. Codes are all others, but for further ones whose names begin with factor, and
            those that number the rows, as pandas writes them.
    Raises:
        GanwalkError: a file is missing, damaged, or not laid out like this.
    """
    for path in paths:
        check_regular(path)
        if not path.is_file():
            raise GanwalkError(f"{path} is no file: give {SUFFIXES}")
    kinds = [path.suffix.lower() for path in paths]
    if kinds == [".npy", ".npy"]:
        _refuse_columns(codes, factors)
        return open_pair(paths[0], paths[1]), None
    if len(paths) != 1 or kinds[0] not in (".npz", ".csv", ".tsv", ".parquet"):
        raise GanwalkError(f"cannot read {' and '.join(map(str, paths))}: give {SUFFIXES}, codes first")
    if kinds[0] == ".npz":
        _refuse_columns(codes, factors)
        return open_archive(paths[0])
    return (open_parquet if kinds[0] == ".parquet" else open_text)(paths[0], codes, factors), None


def _refuse_columns(codes: Sequence[str], factors: Sequence[str]) -> None:
    if codes or factors:
        raise GanwalkError("--codes and --factors name columns of tables: arrays have none, leave them out")
