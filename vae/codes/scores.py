"""Scores of anybody's codes: a split or folds, intervals, and what the factors were taken for."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ganwalk.errors import GanwalkError
from ganwalk.progress.callbacks import OnStage
from vae.codes.sample import Sample, draw_sample
from vae.codes.settings import CodesSettings
from vae.codes.source import LEAVE_OUT, CodesSource
from vae.metrics import (
    LEVELS,
    OF_CLASSES,
    SCORES,
    continuous_factors,
    mutual_information,
    score_codes,
    score_intervals,
    scores_of_arrays,
)
from vae.metrics.arrays import Array, HardlyRepeats, bin_edges, binned, lone_rows, shared, values_and_labels
from vae.metrics.scores import MetricSettings

Split = tuple[Array, Array, Array, Array]


@dataclass(frozen=True)
class Bound:
    """A bound, in units of the codes, below which some of them do not count.

    Attributes:
        condition: what it asks of a code.
        scores: names of those that have it.
        codes: how many it leaves out of those that vary.
    """

    condition: str
    scores: tuple[str, ...]
    codes: int


@dataclass(frozen=True)
class CodesScores:
    """Scores of codes.

    Attributes:
        scores: by the names in `vae.metrics.SCORES`; of folds their means.
        deviations: over the folds; empty without.
        intervals: (low, high) of 95 %, of those that have one.
        missing: why a score is missing, by its name.
        kinds: of each factor: classes, continuous, binned or constant.
        information: (D, F) mutual information in nats.
        rows: how many there were, how many were used for what, and which were dropped.
        without_intervals: why there are none, though they were asked for.
        bounds: on how much a code varies, which left some out of a score.
    """

    scores: dict[str, float]
    deviations: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    missing: dict[str, str]
    kinds: tuple[str, ...]
    information: Array
    rows: dict[str, Any]
    without_intervals: str = ""
    bounds: tuple[Bound, ...] = ()


def read_samples(
    source: CodesSource, test: CodesSource | None, settings: CodesSettings, *, drop_missing: bool = False
) -> tuple[Sample, Sample | None]:
    """The rows that are scored, and those of the test set if the file has one; see `draw_sample`."""
    if test is not None and settings.folds is not None:
        raise GanwalkError("the file has a test set of its own: leave --folds out")
    # Rows to draw, and the halves of intervals of all scores, are divided by it all the same.
    divided = settings.intervals == "all" or (test is not None and settings.rows is not None)
    if settings.test_share != CodesSettings().test_share and not divided:
        if test is not None:
            raise GanwalkError("the file has a test set of its own: leave --test-share out")
        if settings.folds is not None:
            raise GanwalkError(f"each of {settings.folds} folds is tested in turn: leave --test-share out")
    train_rows, test_rows = _most(settings)
    options: dict[str, Any] = {"seed": settings.seed, "drop_missing": drop_missing}
    if test is None:
        return draw_sample(source, train_rows + test_rows, **options), None
    return draw_sample(source, train_rows, **options), draw_sample(test, test_rows, **options)


def check_factors(source: CodesSource, sample: Sample, settings: CodesSettings) -> None:
    """GanwalkError if a factor is text that hardly repeats, neither classes nor numbers, or so are its ranges."""
    bins = settings.factor_bins
    for name, column in zip(source.factor_names, sample.factors.T, strict=True):
        text = name in source.texts
        cut = bins is not None and len(np.unique(column)) > bins and not text
        lone = lone_rows(values_and_labels(binned(column, bin_edges(column, bins) if cut and bins else None))[1])
        if lone and text:
            raise GanwalkError(
                f"factor {name} is text that hardly repeats, such as a name, or integers beyond 2**53, which are "
                f"taken as text: {LEAVE_OUT}"
            )
        if lone and bins is not None:
            raise GanwalkError(
                f"{shared(lone, len(column))} share a range of factor {name}: give fewer --factor-bins, such as 10"
            )


def score_samples(
    sample: Sample,
    test: Sample | None,
    settings: CodesSettings,
    *,
    names: Sequence[str] | None = None,
    texts: Sequence[bool] | None = None,
    threads: int | None = None,
    on_progress: OnStage | None = None,
) -> CodesScores:
    """Every score of these rows, on the test set, a random split or folds.

    Args:
        names: of the factors, for messages; None for their numbers.
        texts: which factors number texts, and are never cut into ranges; None for none.
    Raises:
        GanwalkError: too few rows, or what the metrics refuse.
    """
    tell = on_progress or (lambda what, share: None)
    if settings.standardise:
        sample, test = _standardised(sample, test)
    kinds = _kinds(sample, test, continuous_factors(sample.factors), settings.factor_bins, texts)
    for_numbers = "continuous" in kinds
    if any(texts or ()) and "binned" in kinds:
        sample, test, settings = _with_ranges(sample, test, settings, kinds)
    # Said once, of all rows: in a split, a fold or a half a factor near the bound may seem to be of the other kind.
    mask = np.array([kind == "continuous" for kind in kinds])
    how: dict[str, Any] = {"factor_bins": settings.factor_bins, "continuous": mask}
    splits = _splits(sample, test, settings)
    names = names or [str(k) for k in range(len(kinds))]
    texts = texts or [False] * len(kinds)
    with _in_options(names, texts):
        scores, deviations = _over_splits(splits, settings, how, threads, tell)
    # Intervals are of the rows that the scores are of: with a split those of the training set.
    codes, factors = (sample.codes, sample.factors) if len(splits) > 1 else splits[0][:2]
    intervals: dict[str, tuple[float, float]] = {}
    without = ""
    try:
        with _in_options(names, texts):
            intervals = _intervals(codes, factors, scores, settings, how, threads, tell)
    except GanwalkError as error:
        # Of half of the rows no two may share a value of a factor, or no factor may vary.
        without = f"in half of the rows {error}"
    estimator = "neighbours" if for_numbers else "histogram"
    return CodesScores(
        scores=scores,
        deviations=deviations,
        intervals=intervals,
        missing=_missing(settings, for_numbers=for_numbers),
        kinds=kinds,
        information=mutual_information(
            sample.codes, sample.factors, factor_bins=settings.factor_bins, estimator=estimator
        ),
        rows=_counts(sample, test, splits[0]),
        without_intervals=without,
        bounds=_bounds(codes, _constants(settings), for_numbers=for_numbers),
    )


def _standardised(sample: Sample, test: Sample | None) -> tuple[Sample, Sample | None]:
    """Samples whose codes have mean 0 and deviation 1 over the first one's rows; those that do not vary have 0."""
    codes = sample.codes.astype(np.float64)
    # Squares of what is very large or small would be no numbers.
    largest = np.abs(codes).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    mean = (codes / unit).mean(axis=0)
    deviation = np.where(codes.max(axis=0) > codes.min(axis=0), (codes / unit).std(axis=0), 1.0)

    def scaled(part: Sample) -> Sample:
        return replace(part, codes=(part.codes / unit - mean) / deviation)

    return scaled(sample), None if test is None else scaled(test)


def _bounds(codes: Array, constants: MetricSettings, *, for_numbers: bool) -> tuple[Bound, ...]:
    """The bounds that leave some of the codes out, of those that vary over these rows."""
    variance = codes.astype(np.float64).var(axis=0)[codes.max(axis=0) > codes.min(axis=0)]
    active = ("active_units",) if for_numbers else ("active_units", "mig_sup")
    found = [
        Bound(f"a variance above {constants.active:g}", active, int((variance <= constants.active).sum())),
        Bound(f"a deviation of {constants.min_std:g}", ("factor_vae",), int((variance < constants.min_std**2).sum())),
    ]
    return tuple(one for one in (found[:1] if for_numbers else found) if one.codes)


def _with_ranges(
    sample: Sample, test: Sample | None, settings: CodesSettings, kinds: Sequence[str]
) -> tuple[Sample, Sample | None, CodesSettings]:
    """Samples whose binned factors are the numbers of their ranges, and settings that cut no other factor."""
    bins = settings.factor_bins
    assert bins is not None
    edges = [
        bin_edges(column, bins) if kind == "binned" else None
        for column, kind in zip(sample.factors.T, kinds, strict=True)
    ]
    sample = replace(sample, factors=_cut(sample.factors, edges))
    test = None if test is None else replace(test, factors=_cut(test.factors, edges))
    return sample, test, replace(settings, factor_bins=None)


def _over_splits(
    splits: Sequence[Split], settings: CodesSettings, how: dict[str, Any], threads: int | None, tell: OnStage
) -> tuple[dict[str, float], dict[str, float]]:
    """Means of the scores over the splits, and their deviations if there are several."""
    found = []
    for turn, split in enumerate(splits):
        tell("scoring", 0.5 * turn / len(splits))
        found.append(_scores_of(split, settings, how, threads))
    columns = {name: [fold[name] for fold in found] for name in found[0]}
    deviations = {name: float(np.std(column, ddof=1)) for name, column in columns.items()} if len(found) > 1 else {}
    return {name: float(np.mean(column)) for name, column in columns.items()}, deviations


def _scores_of(split: Split, settings: CodesSettings, how: dict[str, Any], threads: int | None) -> dict[str, float]:
    return score_codes(
        *split, settings=_constants(settings), with_dci=settings.dci, seed=settings.seed, threads=threads, **how
    )


@contextlib.contextmanager
def _in_options(names: Sequence[str], texts: Sequence[bool]) -> Iterator[None]:
    """Says what the metrics say of a factor with its name, and with an option of the command."""
    try:
        yield
    except HardlyRepeats as error:
        name, text = names[error.column], texts[error.column]
        remedy = LEAVE_OUT if text else "cut it into ranges by --factor-bins 10"
        raise GanwalkError(
            f"{error.share} of those that are fitted share a value of factor {name}: {remedy}, or give more rows"
        ) from error


def _intervals(
    codes: Array,
    factors: Array,
    scores: dict[str, float],
    settings: CodesSettings,
    how: dict[str, Any],
    threads: int | None,
    tell: OnStage,
) -> dict[str, tuple[float, float]]:
    """Intervals around those of these scores that are wanted, as wide as scores of halves of the rows say."""
    if settings.intervals == "none":
        return {}

    def score_half(codes: Any, factors: Any) -> dict[str, float]:
        if settings.intervals == "all":
            return _scores_of(_split(codes, factors, settings.test_share, settings.seed), settings, how, threads)
        return scores_of_arrays(codes, factors, settings=_constants(settings), **how)

    found = score_intervals(
        codes,
        factors,
        score_half,
        draws=settings.draws,
        seed=settings.seed,
        scores=scores,
        on_draw=lambda done: tell("intervals", 0.5 + 0.5 * done / settings.draws),
    )
    return {name: found[name] for name in SCORES if name in found}


def _missing(settings: CodesSettings, *, for_numbers: bool) -> dict[str, str]:
    """Why scores are missing, by their names."""
    missing = dict.fromkeys(OF_CLASSES, "for classes: give --factor-bins 10") if for_numbers else {}
    if not settings.dci:
        missing |= {name: "left out" for name in SCORES if name.startswith("dci_") and name not in OF_CLASSES}
    return missing


def _counts(sample: Sample, test: Sample | None, split: Split) -> dict[str, Any]:
    """How many rows there were, how many were used for what, and which were dropped."""
    return {
        "total": sample.total + (test.total if test else 0),
        "used": len(sample.codes) + (len(test.codes) if test else 0),
        "train": len(split[0]),
        "test": len(split[2]),
        "dropped": [*sample.dropped],
        "dropped_of_test": [*test.dropped] if test else [],
    }


def _most(settings: CodesSettings) -> tuple[int, int]:
    """The most rows for training and for testing."""
    level: Any = settings.metrics
    if settings.rows is None:
        return LEVELS[level].train_rows, LEVELS[level].test_rows
    test = max(2, round(settings.test_share * settings.rows))
    if settings.rows - test < 2:
        raise GanwalkError(
            f"of --rows {settings.rows}, --test-share {settings.test_share:g} leaves {settings.rows - test} for "
            "training: give more rows, or a smaller share"
        )
    return settings.rows - test, test


def _constants(settings: CodesSettings) -> MetricSettings:
    """The level's, which use every row that is given to them: more were left out when the rows were drawn."""
    level: Any = settings.metrics
    rows = sum(_most(settings))
    return replace(LEVELS[level], train_rows=rows, test_rows=rows)


def _splits(sample: Sample, test: Sample | None, settings: CodesSettings) -> list[Split]:
    if test is not None:
        return [(sample.codes, sample.factors, test.codes, test.factors)]
    if settings.folds is None:
        return [_split(sample.codes, sample.factors, settings.test_share, settings.seed)]
    if len(sample.codes) < 2 * settings.folds:
        raise GanwalkError(f"{len(sample.codes)} rows are too few for {settings.folds} folds: give fewer --folds")
    parts = np.array_split(np.random.default_rng(settings.seed).permutation(len(sample.codes)), settings.folds)
    return [_parted(sample.codes, sample.factors, np.sort(part)) for part in parts]


def _split(codes: Array, factors: Array, test_share: float, seed: int) -> Split:
    """Rows for training and for testing, drawn by the seed."""
    n = len(codes)
    count = min(max(2, round(test_share * n)), n - 2)
    if count < 2:
        raise GanwalkError(f"{n} rows are too few for a split: give thousands")
    return _parted(codes, factors, np.sort(np.random.default_rng(seed).permutation(n)[:count]))


def _parted(codes: Array, factors: Array, tested: Array) -> Split:
    held = np.zeros(len(codes), bool)
    held[tested] = True
    return codes[~held], factors[~held], codes[held], factors[held]


def _kinds(
    sample: Sample, test: Sample | None, continuous: Array, factor_bins: int | None, texts: Sequence[bool] | None
) -> tuple[str, ...]:
    factors = sample.factors if test is None else np.concatenate([sample.factors, test.factors])
    kinds = []
    for column, is_continuous, text in zip(factors.T, continuous, texts or [False] * factors.shape[1], strict=True):
        values = len(np.unique(column))
        is_binned = factor_bins is not None and values > factor_bins and not text
        kinds.append(
            "constant" if values == 1 else "binned" if is_binned else "continuous" if is_continuous else "classes"
        )
    return tuple(kinds)


def _cut(factors: Array, edges: Sequence[Array | None]) -> Array:
    """Factors, those that have edges as the numbers of their ranges."""
    return np.stack([binned(column, own) for column, own in zip(factors.T, edges, strict=True)], axis=1)
