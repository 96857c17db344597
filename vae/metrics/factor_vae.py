"""FactorVAE score (Kim & Mnih, ICML 2018, section 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Labelled, check_least, labelled
from vae.metrics.held import HeldFactor

# Batches whose codes are in memory at a time: few enough for the processor's cache.
_CHUNK = 256


def factor_vae_score(
    codes: ArrayLike,
    factors: ArrayLike,
    *,
    batch: int = 64,
    train_votes: int = 10_000,
    eval_votes: int = 5_000,
    min_std: float = 0.05,
    factor_bins: int | None = None,
    seed: int = 0,
) -> float:
    """Accuracy with which the least varying code of a batch that shares one factor's value tells the factor.

    Each batch votes for the code with the smallest variance relative to its variance over all rows; a majority vote
    over the training batches gives each code its factor. In [0, 1]. Codes with a standard deviation below `min_std`
    are pruned (the bound of disentanglement_lib's unsupervised study), and constant ones always; 0 if none is left.

    Args:
        codes: (N, D).
        factors: (N, F) integers, from whose rows the batches are drawn.
        batch: rows in a batch.
        train_votes, eval_votes: numbers of batches.
        min_std: in units of the codes.
        factor_bins: of a continuous factor; see `vae.metrics`.
        seed: of the draws.
    Raises:
        GanwalkError: as `labelled`.
    """
    given = labelled(codes, factors, factor_bins)
    return factor_vae_of(given, batch=batch, train_votes=train_votes, eval_votes=eval_votes, min_std=min_std, seed=seed)


def factor_vae_of(
    given: Labelled, *, batch: int, train_votes: int, eval_votes: int, min_std: float, seed: int
) -> float:
    """The score of checked arrays; arguments as of `factor_vae_score`."""
    check_least(1, batch=batch, train_votes=train_votes, eval_votes=eval_votes)
    check_least(0, min_std=min_std, seed=seed)
    values = given.codes.astype(np.float64)
    std = values.std(axis=0, ddof=1)
    kept = (std >= min_std) & (values.max(axis=0) > values.min(axis=0))
    if not kept.any():
        return 0.0
    values = (values[:, kept] - values[:, kept].mean(axis=0)) / std[kept]
    held = [HeldFactor(labels) for labels in given.labels.T]
    rng = np.random.default_rng(seed)
    factor_of_code = _votes(values, held, batch, train_votes, rng).argmax(axis=0)
    counted = _votes(values, held, batch, eval_votes, rng)
    return float(counted[factor_of_code, np.arange(counted.shape[1])].sum() / counted.sum())


def _votes(values: Array, held: list[HeldFactor], batch: int, n: int, rng: np.random.Generator) -> Array:
    """Of n batches of codes with unit variance, the numbers (f, d) that held a factor and varied least in a code."""
    votes = np.zeros((len(held), values.shape[1]), np.int64)
    for f, m in enumerate(np.bincount(rng.integers(len(held), size=n), minlength=len(held))):
        for start in range(0, m, _CHUNK):
            drawn = values[held[f].batches(min(_CHUNK, m - start), batch, rng)]
            variances = np.einsum("nbd,nbd->nd", drawn, drawn) - drawn.sum(axis=1) ** 2 / batch
            votes[f] += np.bincount(variances.argmin(axis=1), minlength=values.shape[1])
    return votes
