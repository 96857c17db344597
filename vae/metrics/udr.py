"""Unsupervised disentanglement ranking (Duan et al., ICLR 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from ganwalk.arrays import host_array
from ganwalk.errors import GanwalkError
from vae.metrics.arrays import Array, checked_codes

Similarity = Literal["lasso", "spearman"]


@dataclass(frozen=True)
class UDR:
    """Attributes:
    scores: (R,) of each run, the median of its comparisons with the others; higher is more disentangled.
    pairwise: (R, R) comparisons, 0 on the diagonal.
    """

    scores: Array
    pairwise: Array


def udr(
    codes: Sequence[ArrayLike],
    kls: Sequence[ArrayLike],
    *,
    similarity: Similarity = "lasso",
    min_kl: float = 0.01,
    alpha: float = 0.1,
) -> UDR:
    """How far the runs of one setting agree on their codes, up to order and sign; no factors are needed.

    For two runs, the similarities of their informative codes form a matrix; each of its rows and columns scores
    max² / sum, and the comparison is the mean of the mean over rows and the mean over columns, as in the authors'
    code. 0 where a run has no informative code.

    Args:
        codes: of R runs, at least 2, each (N, D) on the same N images in the same order; D may differ.
        kls: of each run, KL divergence (D,) of each code in nats.
        similarity: "lasso": |coefficients| of the codes of one run in predicting those of the other, both
            standardised; "spearman": |rank correlations|.
        min_kl: codes below it are uninformative.
        alpha: penalty of the lasso.
    Raises:
        GanwalkError: fewer than 2 runs, arrays that do not match, or an unknown similarity.
    """
    if len(codes) < 2 or len(codes) != len(kls):
        raise GanwalkError(f"UDR compares runs: give codes and KL of at least 2, not {len(codes)} and {len(kls)}")
    if similarity not in get_args(Similarity):
        raise GanwalkError(f"unknown similarity {similarity!r}: choose from {', '.join(get_args(Similarity))}")
    if not alpha > 0:
        raise GanwalkError(f"alpha must be above 0, not {alpha}")
    parts: list[Array] = []
    for run, (values, kl) in enumerate(zip(codes, kls, strict=True)):
        checked, kl = checked_codes(values).astype(np.float64), host_array(kl, f"the KL of run {run}")
        if kl.shape != checked.shape[1:] or len(checked) != len(parts[0] if parts else checked):
            raise GanwalkError(f"run {run} has codes {checked.shape} and KL {kl.shape}: all need the same images")
        parts.append(_standardised(checked[:, (kl > min_kl) & (checked.max(axis=0) > checked.min(axis=0))], similarity))
    pairwise = np.zeros((len(parts), len(parts)))
    for i, j in np.ndindex(pairwise.shape):
        if i != j and parts[i].shape[1] and parts[j].shape[1]:
            pairwise[i, j] = _agreement(_similarities(parts[i], parts[j], similarity, alpha))
    return UDR(np.array([np.median(np.delete(pairwise[:, i], i)) for i in range(len(parts))]), pairwise)


def _standardised(values: Array, similarity: Similarity) -> Array:
    """Columns with mean 0 and variance 1, for Spearman's correlation their ranks."""
    from scipy.stats import rankdata

    if similarity == "spearman" and values.shape[1]:
        values = rankdata(values, axis=0)
    return (values - values.mean(axis=0)) / values.std(axis=0)


def _similarities(a: Array, b: Array, similarity: Similarity, alpha: float) -> Array:
    """Similarities (p, q) of the standardised codes (N, p) and (N, q)."""
    if similarity == "spearman":
        return np.abs(a.T @ b) / len(a)
    from sklearn.linear_model import Lasso

    return np.abs(Lasso(alpha=alpha).fit(a, b).coef_.reshape(b.shape[1], a.shape[1])).T


def _agreement(matrix: Array) -> float:
    """Mean of max² / sum over the columns and over the rows, averaged; 0 for those without similarity."""
    means = []
    for axis in (0, 1):
        sums = matrix.sum(axis=axis)
        means.append((matrix.max(axis=axis) ** 2 / np.where(sums > 0, sums, 1)).mean())
    return float(sum(means) / 2)
