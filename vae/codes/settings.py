"""Options of `python -m vae.score`. Importing this loads nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from ganwalk.options import check_settings, option

INTERVALS = ("arrays", "all", "none")


@dataclass(frozen=True)
class CodesSettings:
    """What scores of codes depend on, besides the codes."""

    metrics: str = option("full", "Standard settings, or smaller ones that take seconds.", choices=("full", "quick"))
    rows: int | None = option(
        None, "The most rows that are used; of more, so many are drawn.", at_least=40, shown="15000, or 4500 of quick"
    )
    test_share: float = option(
        1 / 3, "Of the rows, for testing what is fitted to the others.", above=0, below=1, shown="a third"
    )
    folds: int | None = option(
        None, "Test on each of so many parts in turn, and give means and deviations.", at_least=2, shown="one split"
    )
    factor_bins: int | None = option(
        None, "Cut factors that take more values into so many ranges.", at_least=2, shown="off"
    )
    standardise: bool = option(
        False, "Scale every code to mean 0 and deviation 1 first: bounds on deviations are made for VAEs."
    )
    intervals: str = option(
        "arrays", "Bootstrap intervals of scores that fit no model, of all, or none.", choices=INTERVALS
    )
    draws: int = option(50, "Halves of the rows that are scored for the intervals.", at_least=2)
    dci: bool = option(True, "Score DCI, which takes longest.")
    seed: int = option(0, "Of everything that is drawn.", at_least=0, at_most=2**62)

    def __post_init__(self) -> None:
        check_settings(self)
