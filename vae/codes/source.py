"""Rows of codes and factors, read in blocks, and what all kinds of files that hold them have in common."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from vae.metrics.arrays import Array

Block = tuple[Array, Array]
_T = TypeVar("_T")

ROWS = 4096
"""Of a block."""

SUFFIXES = ".npz, .csv, .tsv or .parquet, or two of .npy"
LEAVE_OUT = "leave it out (of tables by --factors and --codes)"
"""What may be done about a factor that is of no use."""

_MISSING = ("", "na", "n/a", "nan", "null", "none")


@dataclass(frozen=True)
class CodesSource:
    """Rows of codes and factors.

    Attributes:
        code_names, factor_names: of the D and F columns.
        blocks: codes (n, D) and factors (n, F), block by block; missing values are NaN, text is numbered by value.
        texts: names of the factors that are text, or integers beyond what double precision tells apart.
        numberings: names of columns that number the rows, and are no codes unless they are asked for.
    """

    code_names: tuple[str, ...]
    factor_names: tuple[str, ...]
    blocks: Callable[[], Iterator[Block]]
    texts: tuple[str, ...] = ()
    numberings: tuple[str, ...] = ()


@dataclass
class Numbering:
    """Numbers for the texts of a column, in the order in which they come; missing ones are NaN."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, texts: Sequence[Any]) -> Array:
        return np.array(
            [np.nan if text is None or is_missing(str(text)) else self._number(str(text)) for text in texts]
        )

    def _number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def is_missing(text: str) -> bool:
    """Whether a cell says that there is no value."""
    return text.strip().lower() in _MISSING


def told(path: Path, blocks: Callable[[], Iterator[_T]]) -> Callable[[], Iterator[_T]]:
    """The same blocks, whose errors are said in one line."""

    def read() -> Iterator[_T]:
        try:
            yield from blocks()
        except GanwalkError:
            raise
        except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, csv.Error) as error:
            raise damaged(path, error) from error

    return read


def damaged(path: Path, error: Exception) -> GanwalkError:
    """What is said of a file that could not be read."""
    # numpy says of Python objects how they may be loaded all the same.
    foreign = any(word in str(error) for word in ("pickle", "no header"))
    reason = "damaged, or Python objects" if foreign else one_line(str(error) or type(error).__name__, 200)
    return GanwalkError(f"cannot read {path} ({reason}): give {SUFFIXES}, of numbers and never pickled")
