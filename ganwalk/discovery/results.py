"""What a discovery leaves: scored bases, how they were searched, the artifact."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.scores import BasisScores
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.files import timestamp
from ganwalk.generators.base import Generator
from ganwalk.layers import Layers


@dataclass(frozen=True)
class Basis:
    """A basis on the held batch, sorted by effect.

    Attributes:
        name: the method that found it.
        vectors: (n, d) of unit length; orthonormal unless the method leaves oblique ones.
        scales: (n,) latent standard deviations along them.
        effects: (n,) mean image change of a shift by `amplitude` standard deviations.
        steps: (n, d), or layer by layer (n, num_layers, d), the shifts that were scored: of that length, or of the
            length that equalises the image change.
        scores: of `steps`.
    """

    name: str
    vectors: Tensor
    scales: Tensor
    effects: Tensor
    steps: Tensor
    scores: BasisScores


@dataclass(frozen=True)
class StudentReport:
    """What a search on a student rests on.

    Attributes:
        images: that it was fitted to.
        r2: share of the coordinates' variance that it explains on images held back.
        captured: share of the features' variance that the coordinates hold.
        history: rows of the search on it, as `Progress.history`.
        cut: whether more images would have been made for it, but for a budget.
    """

    images: int
    r2: float
    captured: float
    history: list[dict[str, float]] = field(default_factory=list)
    cut: bool = False


@dataclass(frozen=True)
class Polish:
    """What steps on the network itself made of a student's basis: mean RTD on the held batch of the network.

    Attributes:
        steps: done.
        before, after: mean RTD; what is written is the better one.
    """

    steps: int
    before: float
    after: float

    @property
    def kept(self) -> bool:
        """Whether the polished basis is the result."""
        return self.after < self.before


@dataclass(frozen=True)
class DiscoveryResult:
    """What a discovery leaves.

    Attributes:
        directions: the artifact.
        bases: the found one first, then those that it was compared with, scored alike.
        explained: share of the latent variance inside the subspace.
        settings: resolved settings.
        timing: seconds spent in this process.
        history, steps_done: of the optimisation; empty and 0 for a closed form.
        student: of a search on a student; None for any other.
        polish: of a search on a student that ended on the network; None for any other.
        target: image change that the search equalised shifts to; 0 for a closed form.
        ended: what ended the steps early: "budget", "interrupt" or nothing.
        notices: sentences that people should read.
        early: whether this is a first result of a search that goes on, scored on the student.
    """

    directions: Directions
    bases: tuple[Basis, ...]
    explained: float
    settings: DiscoverySettings
    timing: Timing
    history: list[dict[str, float]] = field(default_factory=list)
    steps_done: int = 0
    student: StudentReport | None = None
    polish: Polish | None = None
    target: float = 0.0
    ended: str = ""
    notices: tuple[str, ...] = ()
    early: bool = False

    def metrics(self) -> dict[str, Any]:
        """Everything measured, as JSON-able values."""
        found = self.bases[0]
        values: dict[str, Any] = {
            "rtd": [round(float(v), 6) for v in found.scores.rtd],
            "displacement": [round(float(v), 6) for v in found.scores.displacement],
            "scale": [round(float(v), 6) for v in found.scales],
            "effect": [round(float(v), 6) for v in found.effects],
            "bases": {
                basis.name: {
                    "mean_rtd": round(basis.scores.mean_rtd, 6),
                    "mean_displacement": round(basis.scores.mean_displacement, 6),
                }
                for basis in self.bases
            },
            "subspace_explained_variance": round(self.explained, 6),
            "steps_done": self.steps_done,
            "settings": asdict(self.settings),
            "history": self.history,
        }
        if self.student is not None:
            student = self.student
            values["student"] = {
                "images": student.images,
                "held_r2": round(student.r2, 6),
                "captured_variance": round(student.captured, 6),
                "cut": student.cut,
            }
        if self.polish is not None:
            values["polish"] = {
                "steps": self.polish.steps,
                "held_rtd_before": round(self.polish.before, 6),
                "held_rtd_after": round(self.polish.after, 6),
                "kept": self.polish.kept,
            }
        if self.early:
            values["early"] = True
        return values


def as_directions(
    generator: Generator,
    settings: DiscoverySettings,
    basis: Basis,
    *,
    oblique: bool = False,
    own_layers: tuple[Layers | None, ...] = (),
) -> Directions:
    """The artifact of a scored basis and resolved settings; `own_layers` are of each direction, where they differ."""
    assert settings.space is not None
    return Directions(
        vectors=basis.vectors,
        scales=basis.scales,
        space=settings.space,
        layers=settings.layers or None,
        own_layers=own_layers,
        generator=generator.identity,
        method=basis.name,
        settings=asdict(settings),
        seed=settings.seed,
        version=__version__,
        created=timestamp(),
        effects=basis.effects,
        oblique=oblique,
    )
