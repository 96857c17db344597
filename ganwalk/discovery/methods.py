"""The methods that find directions, by name: ours, and those that a user would compare it with.

A method is a closed form (`find`), an optimisation (`objective`), a training (`learner`), with the factors known a fit
to them (`fit`), or a choice between others (`candidates`). All work in the same view of a generator and leave unit
vectors, so that their results can be compared: orthonormal ones, unless the method says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ganwalk.discovery import interfacegan, jacobian, local, pca, sefa
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.learned import disco, latent_deformator, latentclr
from ganwalk.discovery.learned.base import Cost, Learner
from ganwalk.discovery.objectives import hessian, orojar, rtd
from ganwalk.discovery.objectives.base import Objective
from ganwalk.discovery.objectives.penalty import TOGETHER, PenaltyObjective
from ganwalk.discovery.rotation import random_rotation
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss

MakeObjective = Callable[[Generator, DiscoverySettings, RTDLoss], Objective]
MakeLearner = Callable[[Generator, DiscoverySettings, Subspace], Learner]


class Find(Protocol):
    """A closed form: (n, d) rows of unit length, float64, strongest first, on the CPU."""

    def __call__(
        self,
        generator: Generator,
        view: View,
        n: int,
        *,
        seed: int,
        on_share: Callable[[float], None] | None = None,
    ) -> Tensor: ...


class Fit(Protocol):
    """Directions from known factors: (n, d) rows of unit length, float64, on the CPU, and sentences about them."""

    def __call__(
        self,
        generator: Generator,
        settings: DiscoverySettings,
        reader: FactorReader,
        on_share: Callable[[float], None] | None = None,
    ) -> tuple[Tensor, tuple[str, ...]]: ...


@dataclass(frozen=True)
class Method:
    """How directions are found.

    Attributes:
        summary: in a few words.
        source: the paper that it follows.
        find: the directions in closed form; None for a method that goes step by step.
        objective: what a basis is rotated for; None for any other method.
        learner: what directions and networks are trained for; None for any other method.
        cost: of a step of the optimisation, whose directions are the shifts that it measures, or of the training.
        together: syntheses of a batch whose gradients a step of the optimisation takes at once, at most.
        fit: the directions from what reads the factors, of a supervised method; None for any other.
        candidates: methods, an optimisation and a closed form, of which the better one's directions are kept; empty for
            any other method.
        oblique: whether the directions need not be orthogonal.
    """

    summary: str
    source: str
    find: Find | None = None
    objective: MakeObjective | None = None
    learner: MakeLearner | None = None
    cost: Cost | None = None
    together: int = 1
    fit: Fit | None = None
    candidates: tuple[str, ...] = ()
    oblique: bool = False


def _random(
    generator: Generator, view: View, n: int, *, seed: int, on_share: Callable[[float], None] | None = None
) -> Tensor:
    """A uniformly distributed orthonormal basis of the subspace that PCA spans."""
    return random_rotation(n, seed) @ pca.find_directions(generator, view, n, seed=seed, on_share=on_share)


METHODS = {
    "rtd": Method(
        "smallest Representation Topology Divergence of shifted batches",
        "Balabin et al., ICML 2024",
        objective=rtd.RTDObjective,
        cost=rtd.cost,
    ),
    "local": Method(
        "changes in different places of the picture",
        "a criterion of our own, 2026",
        find=local.find_directions,
        oblique=True,
    ),
    "auto": Method(
        "rtd or local, whichever changes the shape of a batch less at a shift of one standard deviation",
        "a rule of our own, 2026",
        candidates=("rtd", "local"),
    ),
    "random": Method(
        "a random basis of the subspace that PCA spans", "as in Voynov & Babenko, ICML 2020", find=_random
    ),
    "pca": Method(
        "principal components of w, or of features regressed to z",
        "GANSpace: Härkönen et al., NeurIPS 2020",
        find=pca.find_directions,
    ),
    "sefa": Method(
        "singular vectors of the first weights that the latent meets",
        "Shen & Zhou, CVPR 2021",
        find=sefa.find_directions,
    ),
    "jacobian": Method(
        "eigenvectors of the mean JᵀJ of the synthesis",
        "Ramesh et al., 2018; Wang & Ponce, ICLR 2021",
        find=jacobian.find_directions,
    ),
    "hessian": Method(
        "smallest Hessian penalty",
        "Peebles et al., ECCV 2020",
        objective=lambda generator, settings, loss: PenaltyObjective(
            generator, settings, hessian.hessian_penalty, own_signs=False
        ),
        cost=hessian.cost,
        together=TOGETHER,
    ),
    "orojar": Method(
        "smallest products of what different directions change",
        "Wei et al., ICCV 2021",
        objective=lambda generator, settings, loss: PenaltyObjective(
            generator, settings, orojar.orthogonality_penalty, own_signs=True
        ),
        cost=orojar.cost,
        together=TOGETHER,
    ),
    "latent-deformator": Method(
        "directions that a network can tell apart, trained with it",
        "Voynov & Babenko, ICML 2020",
        learner=latent_deformator.make_latent_deformator,
        cost=latent_deformator.cost,
    ),
    "latentclr": Method(
        "directions whose effects on features are alike everywhere, and unlike one another",
        "Yüksel et al., ICCV 2021",
        learner=latentclr.make_latentclr,
        cost=latentclr.cost,
        oblique=True,
    ),
    "disco": Method(
        "directions whose variations an encoder tells apart by contrast, trained with it",
        "Ren et al., ICLR 2022",
        learner=disco.make_disco,
        cost=disco.cost,
    ),
    "interfacegan": Method(
        "supervised: normals of linear models of the known factors, each beside the others'",
        "Shen et al., CVPR 2020",
        fit=interfacegan.find_directions,
        oblique=True,
    ),
}


def method_of(name: str) -> Method:
    """The method of a name; GanwalkError if there is none."""
    if name not in METHODS:
        raise GanwalkError(f"unknown method {name!r}: choose one of {', '.join(METHODS)}")
    return METHODS[name]
