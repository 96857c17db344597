"""Options of the objectives, a dataclass for each. Importing this loads no torch."""

from __future__ import annotations

from dataclasses import dataclass

from ganwalk.errors import GanwalkError
from ganwalk.options import check_settings, option

SAMPLINGS = ("weighted", "stratified")
_OF_CAPACITY = ("capacity_weight", "capacity_until")


@dataclass(frozen=True)
class BetaSettings:
    """β is 4 in the paper for dSprites; with a capacity its place is taken by the weight of the distance from it."""

    beta: float = option(4.0, "Weight of the KL divergence, or of its total correlation.", at_least=0)
    capacity: float | None = option(
        None, "Capacity in nats that the KL divergence is drawn to at last.", at_least=0, shown="off"
    )
    capacity_weight: float = option(1000.0, "Weight of the KL divergence's distance from the capacity.", at_least=0)
    capacity_until: float = option(0.5, "Share of the steps over which the capacity grows.", at_least=0, at_most=1)

    def __post_init__(self) -> None:
        check_settings(self)
        what, unused = ("with", ("beta",)) if self.capacity is not None else ("without", _OF_CAPACITY)
        for name in unused:
            if getattr(self, name) != getattr(type(self), name):
                raise GanwalkError(f"{name.replace('_', '-')} has no effect {what} a capacity: leave it out")


@dataclass(frozen=True)
class BetaTCSettings:
    """β is 6 in the paper for dSprites, and in TopDis' experiments."""

    beta: float = option(6.0, "Weight of the KL divergence, or of its total correlation.", at_least=0)
    sampling: str = option("weighted", "How the aggregate posterior is estimated from a minibatch.", choices=SAMPLINGS)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class ControlSettings:
    """Of the paper for dSprites, where the capacity grows by 0.15 nats every 5000 of a million steps.

    `ki` is per step, and so is the paper's: it depends on how fast the optimiser moves the KL divergence, not on how
    long the training takes.
    """

    capacity: float = option(18.0, "Capacity in nats that the KL divergence is drawn to at last.", at_least=0)
    capacity_start: float = option(0.5, "Capacity in nats at the first step.", at_least=0)
    capacity_until: float = option(0.6, "Share of the steps over which the capacity grows.", at_least=0, at_most=1)
    capacity_levels: int = option(117, "Stairs by which the capacity grows; 0 for a straight line.", at_least=0)
    kp: float = option(0.01, "Proportional gain of the controller.", at_least=0)
    ki: float = option(0.001, "Integral gain of the controller.", at_least=0)
    beta_min: float = option(1.0, "Smallest weight of the KL divergence.", at_least=0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class DavaSettings:
    """Of the authors' code for dSprites, except that the discriminator is half as wide (theirs has a width of 32).

    Their weights multiply sums over a batch of 128 images, these multiply means: 0.3 · 128 and 0.001 · 128. Their
    capacity grows by 4e-5 nats per step and dimension, which makes 60 nats of 10 dimensions in their 150 000 steps.
    """

    capacity_weight: float = option(500.0, "Weight of the KL divergence's distance from the capacity.", at_least=0)
    capacity_growth: float = option(60.0, "Nats that the capacity gains over all steps if it always grows.", at_least=0)
    encoder_weight: float = option(
        38.4, "Weight of fooling the discriminator, for each percent that it is right above 50.", at_least=0
    )
    decoder_weight: float = option(
        0.128, "Largest weight of what the discriminator tells the decoder; 0 leaves it out.", at_least=0
    )
    confidence: float = option(
        0.6,
        "Probability from which the discriminator's verdict counts as a reconstruction.",
        at_least=0.5,
        below=1,
    )
    width: int = option(16, "Width of the discriminator's layers.", at_least=1)
    discriminator_lr: float = option(1e-4, "Learning rate of the discriminator.", above=0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class FactorSettings:
    """γ is 35 in the paper for dSprites and 5 to 10 for pictures in colour; its discriminator has 6 layers of 1000."""

    gamma: float = option(10.0, "Weight of the total correlation.", at_least=0)
    width: int = option(1000, "Width of the discriminator's layers.", at_least=1)
    depth: int = option(6, "Number of the discriminator's hidden layers.", at_least=1)
    discriminator_lr: float = option(1e-4, "Learning rate of the discriminator.", above=0)

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class DipSettings:
    """λ_od is 2 to 100 in the paper; λ_d is 10 times that in its version I and as much in version II."""

    dip: str = option("ii", "Covariance of the means (i), or of samples (ii).", choices=("i", "ii"))
    off_diagonal: float = option(10.0, "Weight of squared covariances of different dimensions.", at_least=0)
    diagonal: float | None = option(
        None,
        "Weight of variances' squared distance from 1, as a multiple of that.",
        at_least=0,
        shown="10 of i, 1 of ii",
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class AdaGvaeSettings:
    """β is 1 to 16 in the paper."""

    beta: float = option(1.0, "Weight of the KL divergence, or of its total correlation.", at_least=0)
    changes: int | None = option(
        None, "Factors in which the images of a pair differ.", at_least=1, shown="drawn for each pair"
    )

    def __post_init__(self) -> None:
        check_settings(self)


@dataclass(frozen=True)
class QlaeSettings:
    """Of the authors' code for 3D Shapes; their dimensions are twice as many as there are factors."""

    levels: int = option(10, "Levels of each dimension of the code.", at_least=2)
    quantisation: float = option(0.01, "Weight of the levels' distance from the codes.", at_least=0)
    commitment: float = option(0.01, "Weight of the codes' distance from their levels.", at_least=0)
    weight_decay: float = option(
        0.1, "Decay of the weights of convolutions per step, times the learning rate.", at_least=0
    )

    def __post_init__(self) -> None:
        check_settings(self)
