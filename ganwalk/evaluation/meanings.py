"""What every score is called and says, in a line: for terminals, reports and pages that people read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Score:
    """How people read a score.

    Attributes:
        words: its name in a heading.
        meaning: what it says, in a line.
        lower_is_better: what is best has the lowest value; otherwise the highest, if any is better at all.
        ranks: whether any value is better than another.
    """

    words: str
    meaning: str
    lower_is_better: bool = False
    ranks: bool = True


# Of single directions, as the rows of an evaluation have them: what a direction is about, and numbers.
SUBJECTS = {
    "axis": Score("true axis", "the true axis that this direction is assigned to; each axis has one direction at most"),
    "factor": Score("factor", "the factor that this direction moves most; no effect: it moves none by 0.1 σ or more"),
}
OF_DIRECTIONS = {
    "cosine": Score("|cosine|", "1 if this direction is that axis, 0 if they are at right angles"),
    "effect": Score("effect", "how far a shift by one σ moves that factor, in the factor's own standard deviations"),
    "purity": Score("purity", "that factor's share of everything that this direction moves; at 1, it moves no other"),
    "rtd": Score(
        "RTD", "RTD of shifted batches, lower keeps the shape better (at unequal image changes)", lower_is_better=True
    ),
    "displacement": Score(
        "image change", "how much a shift changes the image; neither more nor less is better", ranks=False
    ),
    "straightness": Score(
        "straightness", "how straight images move along a direction; at 1, every step makes the same change"
    ),
    "interaction": Score(
        "interaction", "how much two directions' changes depend on each other, lower is better", lower_is_better=True
    ),
    "distinctness": Score(
        "distinctness", "how different the changes are that different directions make; at 1, no two are alike"
    ),
    "recall": Score("recall", "share of this direction's shifts that a small network recognises from two images"),
    "fit": Score("fit of the encoder", "how well the encoder reads shifts along this direction off images (R²)"),
}
# Of all directions together, as the summary of an evaluation has them.
OF_ALL = {
    "mean_cosine": Score(
        "mean |cosine|", "mean |cosine| with the true axes, optimal assignment; an axis without a direction counts as 0"
    ),
    "mcc": Score(
        "MCC", "mean correlation of coordinates with true factors, optimal assignment; without a direction: 0"
    ),
    "overall": Score(
        "overall", "how near this is to one direction for each factor: at 1, one alone moves it, and moves nothing else"
    ),
    "disentanglement": Score("disentanglement", "each direction moves one factor (DCI's entropy form)"),
    "completeness": Score("completeness", "each factor is moved by one direction (DCI's entropy form)"),
    "gap": Score("gap", "how far each factor's strongest direction is ahead of its second"),
    "coverage": Score("coverage", "share of factors that are more than half of what some direction moves"),
    **{name: OF_DIRECTIONS[name] for name in ("rtd", "displacement", "straightness", "interaction", "distinctness")},
    "reconstructor_accuracy": Score(
        "reconstructor accuracy", "share of shifts whose direction a small network tells from two images"
    ),
    "reconstructor_amplitude_error": Score(
        "reconstructor amplitude error", "error of that network about the amplitude", lower_is_better=True
    ),
    "representation_fit": Score(
        "representation: fit", "how well an encoder reads coordinates along the directions off images (mean R²)"
    ),
    "representation_mig": Score(
        "representation: MIG", "of the encoder's codes: how far each factor's best code is ahead of its second"
    ),
    "representation_sap": Score(
        "representation: SAP", "likewise, by what a linear classifier of each single code gets right"
    ),
    "representation_dci_disentanglement": Score(
        "representation: DCI disentanglement", "each code is needed to predict one factor alone"
    ),
    "representation_dci_completeness": Score(
        "representation: DCI completeness", "each factor is predicted from one code alone"
    ),
    "representation_dci_informativeness": Score(
        "representation: DCI informativeness", "share of factor values that all codes together predict"
    ),
    "representation_factor_vae": Score(
        "representation: FactorVAE score", "share of fixed factors that are told by the code that varies least"
    ),
    "representation_beta_vae": Score(
        "representation: BetaVAE score", "share of fixed factors that are told by the differences of all codes"
    ),
    "representation_irs": Score(
        "representation: IRS", "how little each code moves while its factor stays and all others change"
    ),
}
SCORES = {**SUBJECTS, **OF_DIRECTIONS, **OF_ALL}
# Means over axes and over factors to which every direction adds at most once.
_OF_AXES, _OF_FACTORS = ("mean_cosine", "mcc"), ("overall", "coverage")
NO_EFFECT = "no effect"


def best_possible(directions: int, axes: int, factors: int) -> dict[str, tuple[float, str]]:
    """The best that fewer directions than axes or factors can have: by score, the value and why, in words."""
    limits: dict[str, tuple[float, str]] = {}
    for names, targets, what in ((_OF_AXES, axes, "axes"), (_OF_FACTORS, factors, "factors")):
        if directions < targets:
            counted = f"{directions} direction{'s' * (directions > 1)} for {targets} {what}"
            limits |= {name: (directions / targets, counted) for name in names}
    return limits


def has_no_effect(row: Mapping[str, Any]) -> bool:
    """Whether the direction of a row of an evaluation moves no factor, or changes no image where there are none."""
    if "factor" in row:
        return row["factor"] is None
    return row.get("straightness", 0.0) is None
