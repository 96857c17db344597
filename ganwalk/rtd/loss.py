"""Representation Topology Divergence as a differentiable loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from torch import nn

from ganwalk.rtd.choices import Engine, Over, Variant
from ganwalk.rtd.divergence import of_clouds, of_distances
from ganwalk.rtd.settings import Settings


class RTDLoss(nn.Module):
    """RTD between clouds (batches of images, features, points), with its gradient to both, by default the exact one.

    Barannikov et al. (ICML 2022); the minimax form and its use as a loss: Balabin et al. (ICML 2024). The full loss
    is half of the sum of four terms, min and max, P→Q and Q→P. Without `symmetric` only the two P→Q terms count, whole;
    without `minimax` only the min terms. So every combination is a mean over directions of the sum over modes.

    Args:
        variant: which terms: those of "rtd"; the max terms alone, "max-rtd"; the one of "srtd", of the pair
            min(w, v) ≤ max(w, v). Or their lite variants in O(n²), from spanning trees: "rtd-lite" and "max-rtd-lite"
            (Tulchinskii et al., AISTATS 2025) and "srtd-lite".
        p: power of the bar lengths.
        card: keep only this many longest bars of each term (the authors' code keeps 50); None keeps all.
        minimax: add the max terms to "rtd", by default, or to "rtd-lite", if True.
        symmetric: average over both directions; "srtd" has one term only.
        normalize: quantile of its entries that each distance matrix is divided by; None takes distances as they are.
        over: what the quantile is of: "all" n² entries, or the "positive" ones above the diagonal.
        scale_gradient: "exact" differentiates the scale too, through the entries of its quantile; "constant" takes it
            as a number, as the authors' code does.
        ends: "exact", or "immovable" for comparisons with the authors' code, which is not RTD: a death at an entry of
            min(w, v) that is w's is read from v.
        engine: "relative" is our own; "ripser" is the slow reference, in single precision; see `cross_barcode`.
            The lite variants have none.
        threads: threads for the terms and pairs; None takes all cores.
    Raises:
        ValueError: a value out of its bounds, or options that do not go together.
    """

    def __init__(
        self,
        *,
        p: float = 1.0,
        card: int | None = None,
        minimax: bool | None = None,
        symmetric: bool = True,
        normalize: float | None = 0.9,
        over: Over = "all",
        scale_gradient: str = "exact",
        ends: str = "exact",
        variant: Variant = "rtd",
        engine: Engine = "relative",
        threads: int | None = None,
    ):
        super().__init__()
        self.settings = Settings(
            p, card, minimax, symmetric, normalize, over, scale_gradient, ends, variant, engine, threads
        )

    def forward(self, P: Any, Q: Any) -> Any:
        """Divergence of two clouds, or of several pairs at once.

        Args:
            P: a cloud (n, …); or a sequence of b clouds, of which each is compared with the cloud of Q at its place.
            Q: a cloud (n, …), of any shape of points; or a sequence of b clouds, or b clouds of the shape of P stacked
                as (b, n, …), which are all compared with P. The distances of P are computed once.
            Clouds are tensors, arrays, or lists of numbers.
        Returns:
            A scalar for two clouds, else (b,): a tensor if there is one among the clouds, else numbers of numpy.
        Raises:
            ValueError: the clouds of a pair have different numbers of points or lie on different devices, or values
                are not finite or no numbers, or the sequences are empty or not of one length; more than 16,384 points.
        """
        return of_clouds(P, Q, self.settings)

    def from_distances(self, pairs: Sequence[tuple[Any, Any]], *, normalize: float | None = None) -> Any:
        """Divergences (b,) of b pairs of distance matrices as `cross_barcode` takes them, by default not normalised.

        The gradient stands above the diagonal of each matrix. A matrix that occurs in several pairs as the same object
        is normalised once. A tensor if there is one among the matrices, else an array.

        Raises:
            ValueError: a pair is not one of distance matrices of one size, or there is none.
        """
        return of_distances(pairs, replace(self.settings, normalize=normalize))
