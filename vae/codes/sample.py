"""Rows drawn from a source of any size in one pass, and the rows that are missing something."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganwalk.errors import GanwalkError
from vae.codes.source import CodesSource
from vae.metrics.arrays import Array

# Rows that a message names.
_NAMED = 5


@dataclass(frozen=True)
class Sample:
    """Rows of a source, in its order.

    Attributes:
        codes: (n, D), factors: (n, F).
        total: rows of the source.
        dropped: numbers, from 0, of the rows that were left out since a value is missing or infinite.
    """

    codes: Array
    factors: Array
    total: int
    dropped: tuple[int, ...]


def draw_sample(source: CodesSource, rows: int, *, seed: int = 0, drop_missing: bool = False) -> Sample:
    """All rows of a source, or so many drawn uniformly; memory does not grow with the source.

    Every row gets a random key, and the rows with the least keys are kept.

    Raises:
        GanwalkError: a row has a missing or infinite value, unless such rows are to be dropped.
    """
    rng = np.random.default_rng(seed)
    kept: list[tuple[Array, Array, Array, Array]] = []
    missing: list[int] = []
    places: list[str] = []
    total = 0
    for codes, factors in source.blocks():
        whole = np.isfinite(codes).all(axis=1) & np.isfinite(factors).all(axis=1)
        for row in np.flatnonzero(~whole):
            missing.append(total + int(row))
            if len(places) < _NAMED:
                places.append(f"row {missing[-1]} ({_column(source, codes[row], factors[row])})")
        at = total + np.flatnonzero(whole)
        total += len(codes)
        kept.append((rng.random(len(at)), at, codes[whole], factors[whole]))
        if sum(len(part[0]) for part in kept) > 2 * rows:
            kept = [_least(kept, rows)]
    if missing and not drop_missing:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise GanwalkError(
            f"{len(missing)} of {total} rows have missing or infinite values: {', '.join(places)}{more} (counted from "
            "0); leave such rows out with --drop-missing, or repair them"
        )
    if sum(len(part[0]) for part in kept) < 2:
        raise GanwalkError(f"{total - len(missing)} rows are too few for a metric: give thousands")
    _, at, codes, factors = _least(kept, rows)
    order = np.argsort(at)
    return Sample(codes[order], factors[order], total, tuple(missing))


def _least(parts: list[tuple[Array, Array, Array, Array]], rows: int) -> tuple[Array, Array, Array, Array]:
    keys, at, codes, factors = (np.concatenate([part[k] for part in parts]) for k in range(4))
    if len(keys) > rows:
        chosen = np.argpartition(keys, rows)[:rows]
        keys, at, codes, factors = keys[chosen], at[chosen], codes[chosen], factors[chosen]
    return keys, at, codes, factors


def _column(source: CodesSource, codes: Array, factors: Array) -> str:
    names = [*source.code_names, *source.factor_names]
    return names[int(np.flatnonzero(~np.isfinite(np.concatenate([codes, factors])))[0])]
