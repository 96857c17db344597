"""What directions do to factors: the effect matrix, and the scores that are computed from it.

An effect matrix (n, f) has one row per direction and one column per factor; entries are not negative. The scores are
pure functions of it. A direction that does nothing has a row near zero, in which the largest entry is chance: no score
looks at the shares of a row without weighing the row by its total effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery.factors import FactorReader, read_factors
from ganwalk.discovery.view import View, sample_latents
from ganwalk.evaluation.assignment import assign
from ganwalk.evaluation.factors import signed_change, size_of_change, spread
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import Generator

# An effect below a tenth of a factor's standard deviation, per standard deviation of the latents, covers nothing.
NEGLIGIBLE = 0.1
# Drawn samples, over which factors vary as usual.
_USUAL = 64


@dataclass(frozen=True)
class EffectScores:
    """Scores of an effect matrix, each in [0, 1], higher is better.

    Attributes:
        factors: names of the f factors.
        matrix: (n, f) effects, in standard deviations of the factor per standard deviation of the latents.
        signed: (n, f) the same with signs, from -matrix to matrix: see `effect_matrices`; None where nobody knows them.
        disentanglement, completeness, gap, coverage, overall: see the functions of these names.
    """

    factors: tuple[str, ...]
    matrix: Tensor
    signed: Tensor | None
    disentanglement: float
    completeness: float
    gap: float
    coverage: float
    overall: float

    @staticmethod
    def of(matrix: Tensor, factors: tuple[str, ...], signed: Tensor | None = None) -> EffectScores:
        """All scores of an effect matrix (n, f)."""
        return EffectScores(
            factors=factors,
            matrix=matrix,
            signed=signed,
            disentanglement=disentanglement(matrix),
            completeness=completeness(matrix),
            gap=gap(matrix),
            coverage=coverage(matrix),
            overall=overall(matrix),
        )


def effect_scores(
    generator: Generator,
    directions: Directions,
    reader: FactorReader,
    *,
    samples: int = 256,
    amplitude: float = 1.0,
    seed: int = 0,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
    chunk: int | None = None,
    given: Tensor | None = None,
    on_share: Callable[[float], None] | None = None,
) -> EffectScores:
    """The effect matrix of directions, measured on one seeded batch, and its scores.

    Args:
        reader: what reads the factors off latents or images, from `factor_reader`.
        samples: size of the batch that is shifted; the standard deviations of the factors are its too.
        amplitude: length of the shift in standard deviations; effects are per standard deviation.
        chunk: images synthesised at once; None chooses for the generator.
        given: latents to shift instead of drawn ones, as `View` has them.
        on_share: called with the share of the work that is done.
    """
    view = view_of(
        generator,
        directions,
        layer=generator.num_layers - 1,
        truncation_psi=truncation_psi,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        chunk=chunk,
        given=given,
    )
    matrix, signed = effect_matrices(
        generator,
        directions,
        reader,
        view,
        samples=samples,
        amplitude=amplitude,
        seed=seed,
        on_share=on_share,
    )
    return EffectScores.of(matrix, tuple(factor.name for factor in reader.factors), signed)


def effect_matrices(
    generator: Generator,
    directions: Directions,
    reader: FactorReader,
    view: View,
    *,
    samples: int,
    amplitude: float,
    seed: int,
    on_share: Callable[[float], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """Effects (n, f): the mean over samples and both signs of |change of the factor| / (its spread · amplitude).

    The second matrix has the same mean of the change itself, that of shifts backwards with the opposite sign: as far
    from 0 as the effect where every sample goes the same way, near 0 where samples go either way. The spread is the
    standard deviation of the factor over the samples (`factors.spread`); a factor that does not vary among them has no
    effects. Of samples that are given, it is that over drawn ones: given ones may be of one kind.
    """
    with torch.no_grad():
        latents = sample_latents(generator, view, samples, seed)
        before = read_factors(generator, reader, view, latents, seed)
        usual = before
        if view.given is not None:
            drawn = replace(view, given=None)
            usual = read_factors(generator, reader, drawn, sample_latents(generator, drawn, _USUAL, seed), seed)
        spreads = [spread(factor, values) for factor, values in zip(reader.factors, usual, strict=True)]
        sizes, changes = (torch.zeros(len(directions), len(reader.factors)) for _ in range(2))
        for i in range(len(directions)):
            step = directions.shift(i, amplitude, num_layers=generator.num_layers).to(latents)
            for sign in (1, -1):
                after = read_factors(generator, reader, view, latents + sign * step, seed)
                for j, factor in enumerate(reader.factors):
                    if spreads[j] > 0:
                        unit = 0.5 / (spreads[j] * amplitude)
                        sizes[i, j] += unit * float(size_of_change(factor, before[j], after[j]).mean())
                        changes[i, j] += unit * sign * float(signed_change(factor, before[j], after[j]).mean())
            if on_share is not None:
                on_share((i + 1) / len(directions))
    return sizes, changes


def disentanglement(matrix: Tensor) -> float:
    """Whether each direction moves one factor only: D of DCI (Eastwood & Williams, ICLR 2018).

    One minus the entropy of each row's shares, to the base of the number of factors, averaged with weights ρ: each
    row's part of all effects. Of one factor alone, any direction with an effect is disentangled.
    """
    totals = matrix.sum(dim=1)
    if totals.sum() <= 0:
        return 0.0
    return float((_concentration(matrix) * totals / totals.sum()).sum())


def completeness(matrix: Tensor) -> float:
    """Whether each factor is moved by one direction only: C of DCI (Eastwood & Williams, ICLR 2018).

    One minus the entropy of each column's shares, to the base of the number of directions, averaged over the factors; a
    factor that nothing moves counts as 0. By this definition a single direction is complete in all it moves.
    """
    return float(_concentration(matrix.T).mean())


def gap(matrix: Tensor) -> float:
    """How far ahead each factor's strongest direction is of the second, in units of the strongest; mean over factors.

    After the mutual information gap (Chen et al., NeurIPS 2018), with effects in place of mutual information. A factor
    that nothing moves counts as 0.
    """
    strongest = matrix.topk(min(2, len(matrix)), dim=0).values
    second = strongest[1] if len(matrix) > 1 else torch.zeros_like(strongest[0])
    gaps = torch.where(strongest[0] > 0, 1 - second / strongest[0].clamp_min(1e-30), 0.0)
    return float(gaps.mean())


def owned_factors(matrix: Tensor) -> list[int | None]:
    """For each direction the factor that is its own: more than half of its row, and not negligible; else None."""
    owned: list[int | None] = []
    for row in matrix:
        value, factor = row.max(dim=0)
        mine = value > 0.5 * row.sum() and value >= NEGLIGIBLE
        owned.append(int(factor) if mine else None)
    return owned


def strongest_factor(factors: Sequence[str], effects: Sequence[float]) -> dict[str, Any]:
    """What a direction does above all: the "factor" it moves most, that "effect", and its "purity".

    The purity is the factor's share of the direction's effects. Where the strongest effect is negligible, shares are
    chance: such a direction has no factor, and no purity.

    Args:
        factors: names of the f factors.
        effects: the row (f,) of the direction in an effect matrix.
    """
    strongest = max(range(len(factors)), key=lambda k: effects[k])
    effect = effects[strongest]
    if effect < NEGLIGIBLE:
        return {"factor": None, "effect": effect, "purity": None}
    return {"factor": factors[strongest], "effect": effect, "purity": effect / sum(map(abs, effects))}


def coverage(matrix: Tensor) -> float:
    """Share of the factors that some direction owns (`owned_factors`)."""
    return len({factor for factor in owned_factors(matrix) if factor is not None}) / matrix.shape[1]


def overall(matrix: Tensor) -> float:
    """How close the directions come to one direction for each factor: one number to rank methods by.

    Every entry is turned into the geometric mean of its share of its row and its share of its column, and each factor
    is assigned a direction of its own so that the sum is greatest; the mean over factors, 0 for those that got none.
    It is 1 only if every factor has a direction that moves it alone and that alone moves it. Disentanglement by itself
    is content with many directions for one clean factor, completeness with one direction that moves everything; this is
    content with neither. A direction without effects has no share of any column, so it earns nothing.
    """
    rows, columns = matrix.sum(dim=1, keepdim=True), matrix.sum(dim=0, keepdim=True)
    entries = matrix / (rows * columns).sqrt().clamp_min(1e-30)
    return assign(entries).total / matrix.shape[1]


def _concentration(matrix: Tensor) -> Tensor:
    """One minus the entropy of each row's shares, in [0, 1]; rows of zeros have 0, single entries above zero 1."""
    totals = matrix.sum(dim=1, keepdim=True)
    shares = matrix / totals.clamp_min(1e-30)
    entropy = -torch.special.xlogy(shares, shares).sum(dim=1) / math.log(max(2, matrix.shape[1]))
    return torch.where(totals[:, 0] > 0, 1 - entropy, 0.0)
