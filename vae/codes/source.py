"""Rows of codes and factors, block by block, and what is said of files that hold none."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from vae.metrics.arrays import Array

Block = tuple[Array, Array]

# Of a block.
ROWS = 4096
# Cells of a table that stand for no value, in lower case.
MISSING = ("", "na", "n/a", "nan", "null", "none")
SUFFIXES = ".npz, .csv, .tsv or .parquet, or two of .npy"


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


@dataclass
class Numbering:
    """Numbers for the texts of a column, in the order in which they come; missing ones are NaN."""

    numbers: dict[str, int] = field(default_factory=dict)

    def __call__(self, texts: Sequence[Any]) -> Array:
        return np.array(
            [
                np.nan if text is None or str(text).strip().lower() in MISSING else self._number(str(text))
                for text in texts
            ]
        )

    def _number(self, text: str) -> int:
        return self.numbers.setdefault(text, len(self.numbers))


def told(path: Path, blocks: Callable[[], Iterator[Block]]) -> Callable[[], Iterator[Block]]:
    """The same blocks, whose errors are said in one line; of a file at `path`."""

    def read() -> Iterator[Block]:
        try:
            yield from blocks()
        except GanwalkError:
            raise
        except (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, csv.Error) as error:
            raise damaged(path, error) from error

    return read


def damaged(path: Path, error: Exception) -> GanwalkError:
    """What to raise where a file cannot be read."""
    reason = one_line(str(error) or type(error).__name__, 200)
    return GanwalkError(f"cannot read {path} ({reason}): give {SUFFIXES}, of numbers and never pickled")
