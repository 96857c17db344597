"""Directions scored on the held batch of resolved settings: RTD, image change, and the order by it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganwalk.discovery.objectives.base import HELD_SEED
from ganwalk.discovery.optimisation import equal_factors, equalize
from ganwalk.discovery.results import Basis
from ganwalk.discovery.scores import BasisScores, Changes, image_changes, score_basis
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss


def score_vectors(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    name: str,
    vectors: Tensor,
    *,
    target: float = 0.0,
    factors: Tensor | None = None,
    scores: BasisScores | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Basis:
    """Unit vectors (n, d) with their scores on the held batch, sorted by falling effect on the image.

    Args:
        target: image change that equalised shifts are to make; 0 stands for the root mean square of these vectors' own.
        factors: (n,) that equalise their shifts, where they are known.
        scores: of the shifts with these factors, where they are known.
        on_share: called with the share of the work that is done.
    """
    view, seed = settings.view(), settings.seed + HELD_SEED
    assert settings.scored is not None
    tell = on_share or (lambda share: None)
    ones = torch.ones(len(vectors), dtype=torch.float64)

    def changes(steps: Tensor) -> Changes:
        return image_changes(
            generator, view, steps, batch=settings.measured, seed=seed, on_share=lambda share: tell(share / 3)
        )

    plain = changes(subspace.steps(vectors, settings.amplitude))
    if factors is None and settings.equalize and settings.search == "direct":
        _, factors, _ = equalize(changes, plain, subspace, vectors, settings.amplitude, ones, target, rounds=3)
    elif factors is None and settings.equalize:
        # From few images; to measure the outcome again would take as long as all else.
        target = target or float(plain.displacement.square().mean().sqrt())
        factors = equal_factors(plain.displacement, ones, target)
    steps = subspace.steps(vectors, settings.amplitude * (ones if factors is None else factors))
    if scores is None:
        scores = score_steps(generator, settings, loss, steps, lambda share: tell((1 + 2 * share) / 3))
    order = plain.displacement.argsort(descending=True)
    return Basis(
        name=name,
        vectors=vectors.float()[order],
        scales=subspace.scales(vectors).float()[order],
        effects=plain.displacement[order],
        steps=steps[order],
        scores=scores.ordered(order),
    )


def score_steps(
    generator: Generator,
    settings: DiscoverySettings,
    loss: RTDLoss,
    steps: Tensor,
    on_share: Callable[[float], None] | None = None,
) -> BasisScores:
    """Scores and barcodes of shifts (n, d) on the held batch of resolved settings."""
    assert settings.scored is not None
    return score_basis(
        generator,
        settings.view(),
        steps,
        loss,
        batch=settings.scored,
        seed=settings.seed + HELD_SEED,
        with_barcodes=True,
        on_share=on_share,
    )


def shape_change(
    generator: Generator, settings: DiscoverySettings, loss: RTDLoss, vectors: Tensor, scales: Tensor
) -> float:
    """Mean RTD of shifts by one standard deviation on the held batch of resolved settings, weighted by image change.

    Args:
        vectors: (n, d) unit vectors.
        scales: (n,) standard deviations along them.
    """
    assert settings.scored is not None
    seed = settings.seed + HELD_SEED
    steps = scales[:, None] * vectors
    found = score_basis(generator, settings.view(), steps, loss, batch=settings.scored, seed=seed, with_barcodes=False)
    weights = found.displacement.double()
    return float((weights * found.rtd.double()).sum() / weights.sum())
