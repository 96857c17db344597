"""Directions against the true axes of a generator that knows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery.view import sample_latents
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.assignment import Assignment, assign
from ganwalk.evaluation.views import view_of


@dataclass(frozen=True)
class AxisScores:
    """How well n directions match k true axes; each mean is over the axes, 0 for those that got no direction.

    Attributes:
        axes: names of the k axes.
        cosines: (n, k) |cosine| of direction and axis.
        correlations: (n, k) |Pearson correlation| of the latents' coordinate along the direction and the true factor.
        matching: directions assigned to the axes by cosine.
        correlation_matching: directions assigned to the axes by correlation.
    """

    axes: tuple[str, ...]
    cosines: Tensor
    correlations: Tensor
    matching: Assignment
    correlation_matching: Assignment

    @property
    def mean_cosine(self) -> float:
        """Mean |cosine| under the optimal assignment."""
        return self.matching.total / self.cosines.shape[1]

    @property
    def mcc(self) -> float:
        """Mean correlation coefficient under the optimal assignment (Hyvärinen & Morioka, NeurIPS 2016)."""
        return self.correlation_matching.total / self.correlations.shape[1]


def has_axes(generator: Any, directions: Directions) -> bool:
    """Whether the generator knows true axes in the directions' space: w if it has one, else z."""
    return hasattr(generator, "axes") and directions.space == ("w" if generator.style_based else "z")


def axis_scores(
    generator: Any,
    directions: Directions,
    *,
    samples: int = 4000,
    seed: int = 0,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
) -> AxisScores:
    """|Cosine| and MCC of directions with the true axes; no image is made.

    Args:
        generator: one with `axes` (k, d), `factors` and `factor_names`, such as `blobs`.
        samples: latents whose coordinates are correlated with the true factors.
    Raises:
        GanwalkError: the generator knows no axes in the directions' space.
    """
    if not has_axes(generator, directions):
        raise GanwalkError(f"this generator knows no true axes in {directions.space}: its axes cannot be scored")
    view = view_of(
        generator,
        directions,
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
    )
    with torch.no_grad():
        latents = sample_latents(generator, view, samples, seed)
        latents = latents[:, 0] if latents.ndim == 3 else latents
        vectors = directions.vectors.to(latents)
        cosines = (vectors @ torch.nn.functional.normalize(generator.axes.to(latents), dim=1).T).abs().cpu()
        correlations = _correlations(latents @ vectors.T, generator.factors(latents)).abs().cpu()
    return AxisScores(
        axes=tuple(generator.factor_names),
        cosines=cosines,
        correlations=correlations,
        matching=assign(cosines),
        correlation_matching=assign(correlations),
    )


def _correlations(a: Tensor, b: Tensor) -> Tensor:
    """Pearson correlations (p, q) of the columns of (n, p) and (n, q); 0 for columns that do not vary."""
    a, b = (values - values.mean(dim=0) for values in (a.cpu().double(), b.cpu().double()))
    norms = a.norm(dim=0)[:, None] * b.norm(dim=0)
    return torch.where(norms > 0, a.T @ b / norms.clamp_min(1e-30), 0.0)
