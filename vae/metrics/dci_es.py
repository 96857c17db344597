"""Explicitness and size, the extension of DCI (Eastwood et al., "DCI-ES", ICLR 2023, section 4)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vae.metrics.arrays import Array, Labelled, check_least, labelled, near_zero

# The capacities of the authors' random-forest probes.
DEPTHS = (1, 2, 3, 4, 8, 10, 12, 14, 16, 18, 20, 32)


@dataclass(frozen=True)
class ExplicitnessAndSize:
    """Attributes:
    explicitness: at most 1; 1 if the weakest probe is as good as any, 0 if the loss falls evenly with capacity.
    size: number of factors that vary / number of codes.
    losses: (f, depths) the loss-capacity curves, each the least loss up to a depth.
    """

    explicitness: float
    size: float
    losses: Array


def dci_es(
    train_codes: ArrayLike,
    train_factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    *,
    trees: int = 100,
    factor_bins: int | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> ExplicitnessAndSize:
    """How little capacity it takes to read the factors off the codes.

    Explicitness depends on the family of probes; this is the paper's random forests, whose capacity κ is their depth:
    E = 1 - 2 · area between the loss-capacity curve and its least loss / ((κ_last - κ_first) · baseline), mean over the
    factors. The loss is the test error of classifying a factor's value, the baseline that of the most frequent one. As
    it measures ease and not success, codes that hold nothing score 1 too: read it beside informativeness.
    One forest is grown to the largest depth and cut at the others, instead of one forest for each depth.

    Args:
        train_codes, test_codes: (N, D), (M, D).
        train_factors, test_factors: (N, F), (M, F) integers.
        trees: in a forest.
        factor_bins: of a continuous factor; see `vae.metrics`.
        seed: of the forests.
        threads: trees that are grown at the same time; all processors without it.
    """
    train = labelled(train_codes, train_factors, factor_bins)
    return dci_es_of(train, *train.test(test_codes, test_factors), trees=trees, seed=seed, threads=threads)


def dci_es_of(
    train: Labelled, codes: Array, labels: Array, *, trees: int, seed: int, threads: int | None
) -> ExplicitnessAndSize:
    """The scores of a checked training set, and of codes and labels of a test set."""
    from sklearn.ensemble import RandomForestClassifier

    check_least(1, trees=trees)
    check_least(0, seed=seed)
    train_codes, codes = (part.astype(np.float32) for part in near_zero(train.codes, codes))
    curves, scores = [], []
    depths = np.array(DEPTHS)
    for f in range(len(train.sizes)):
        forest = RandomForestClassifier(
            # numpy's seeds end where 32 bits do.
            trees,
            max_depth=DEPTHS[-1],
            random_state=(seed + f) % 2**32,
            n_jobs=threads or os.cpu_count(),
        ).fit(train_codes, train.labels[:, f])
        errors = _errors_by_depth(forest, codes, labels[:, f])
        curve = np.minimum.accumulate(errors)
        baseline = float((labels[:, f] != np.bincount(train.labels[:, f]).argmax()).mean())
        heights = curve - curve[-1]
        area = ((heights[1:] + heights[:-1]) / 2 * np.diff(depths)).sum()
        curves.append(curve)
        # A test set with one value only has nothing to lose, at any capacity.
        scores.append(1 - 2 * area / ((depths[-1] - depths[0]) * baseline) if baseline > 0 else 1.0)
    return ExplicitnessAndSize(float(np.mean(scores)), len(train.sizes) / codes.shape[1], np.stack(curves))


def _errors_by_depth(forest: Any, codes: Array, labels: Array) -> Array:
    """Test errors of a forest cut at each of `DEPTHS`."""
    votes = np.zeros((len(DEPTHS), len(codes), forest.n_classes_), np.float32)
    for tree in (member.tree_ for member in forest.estimators_):
        parent, depth = _parents_and_depths(tree.children_left, tree.children_right)
        shares = (tree.value[:, 0] / tree.value[:, 0].sum(axis=1, keepdims=True)).astype(np.float32)
        at = tree.apply(codes)
        place = len(DEPTHS) - 1
        for cut in range(DEPTHS[-1], 0, -1):
            at = np.where(depth[at] > cut, parent[at], at)
            if cut == DEPTHS[place]:
                votes[place] += shares[at]
                place -= 1
    return (votes.argmax(axis=2) != labels).mean(axis=1)


def _parents_and_depths(left: Array, right: Array) -> tuple[Array, Array]:
    """Parent and depth of each node of a tree, from the children (-1 at leaves) of each."""
    parent, depth = np.zeros(len(left), np.int64), np.zeros(len(left), np.int64)
    level, nodes = 0, np.zeros(1, np.int64)
    while len(nodes := nodes[left[nodes] >= 0]):
        level += 1
        parent[left[nodes]] = parent[right[nodes]] = nodes
        nodes = np.concatenate([left[nodes], right[nodes]])
        depth[nodes] = level
    return parent, depth
