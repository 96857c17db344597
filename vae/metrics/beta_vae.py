"""BetaVAE score (Higgins et al., ICLR 2017, section 3)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Labelled, check_least, labelled
from vae.metrics.held import HeldFactor

# Batches whose codes are in memory at a time: few enough for the processor's cache.
_CHUNK = 256


def beta_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    batch: int = 64,
    train_points: int = 10_000,
    eval_points: int = 5_000,
    factor_bins: int | None = None,
    seed: int = 0,
) -> float:
    """Accuracy of a linear classifier that tells which factor the pairs of a batch share.

    It sees the mean absolute difference of the codes over the batch's pairs; logistic regression as in
    disentanglement_lib. In [0, 1]; 1 where one factor varies.

    Args:
        codes: (N, D).
        factors: (N, F) integers, from whose rows the pairs are drawn.
        batch: pairs in a batch.
        train_points, eval_points: numbers of batches.
        factor_bins: of a continuous factor; see `vae.metrics`.
        seed: of the draws.
    Raises:
        GanwalkError: as `labelled`.
    """
    given = labelled(codes, factors, factor_bins)
    return beta_vae_of(given, batch=batch, train_points=train_points, eval_points=eval_points, seed=seed)


def beta_vae_of(given: Labelled, *, batch: int, train_points: int, eval_points: int, seed: int) -> float:
    """The score of checked arrays; arguments as of `beta_vae_score`."""
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    check_least(1, batch=batch, train_points=train_points, eval_points=eval_points)
    check_least(0, seed=seed)
    held = [HeldFactor(labels) for labels in given.labels.T]
    if len(held) == 1:
        return 1.0
    values = given.codes.astype(np.float64)
    rng = np.random.default_rng(seed)
    points, shared = _points(values, held, batch, train_points, rng)
    # The same minimum as the default solver's, in fewer steps; too small for more than one thread.
    with threadpool_limits(limits=1, user_api="blas"):
        model = LogisticRegression(solver="newton-cholesky", max_iter=1000).fit(points, shared)
    points, shared = _points(values, held, batch, eval_points, rng)
    return float((model.predict(points) == shared).mean())


def _points(values: Array, held: list[HeldFactor], batch: int, n: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Mean absolute differences (n, D) over batches of pairs, and which factor (n,) the pairs shared."""
    counts = np.bincount(rng.integers(len(held), size=n), minlength=len(held))
    parts = [np.empty((0, values.shape[1]))]
    for f, m in enumerate(counts):
        for start in range(0, m, _CHUNK):
            first, second = held[f].pairs((min(_CHUNK, m - start), batch), rng)
            difference = values[first]
            difference -= values[second]
            parts.append(np.abs(difference, out=difference).sum(axis=1) / batch)
    return np.concatenate(parts), np.repeat(np.arange(len(held)), counts)
