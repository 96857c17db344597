"""The methods that find directions, by name: ours, and those that a user would compare it with.

A method is either a closed form (`find`) or an optimisation (`objective`). All work in the same view of a generator
and leave orthonormal directions, so that their results can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganwalk.discovery.hessian import HessianObjective
from ganwalk.discovery.objective import View
from ganwalk.discovery.optimisation import Objective
from ganwalk.discovery.rotation import random_rotation
from ganwalk.discovery.rtd import RTDObjective
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import latent_subspace
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.rtd import RTDLoss

# (generator, view, n, seed, device) → (n, d) orthonormal rows, float64, strongest first.
Find = Callable[[Generator, View, int, int, "torch.device | str"], Tensor]
MakeObjective = Callable[[Generator, DiscoverySettings, RTDLoss, "torch.device | str"], Objective]


@dataclass(frozen=True)
class Method:
    """How directions are found.

    Attributes:
        summary: in a few words.
        source: the paper that it follows.
        find: the directions in closed form; None for a method that optimises.
        objective: what is optimised; None for a closed form.
    """

    summary: str
    source: str
    find: Find | None = None
    objective: MakeObjective | None = None


def _pca(generator: Generator, view: View, n: int, seed: int, device: torch.device | str) -> Tensor:
    """Principal components of the latent space."""
    return latent_subspace(generator, view.space, n, class_index=view.class_index, seed=seed, device=device).components


def _random(generator: Generator, view: View, n: int, seed: int, device: torch.device | str) -> Tensor:
    """A uniformly distributed orthonormal basis of the informative subspace."""
    return random_rotation(n, seed) @ _pca(generator, view, n, seed, device)


METHODS = {
    "rtd": Method(
        "smallest Representation Topology Divergence of shifted batches",
        "Balabin et al., ICML 2024",
        objective=RTDObjective,
    ),
    "random": Method("a random basis of the informative subspace", "as in Voynov & Babenko, ICML 2020", find=_random),
    "pca": Method(
        "principal components of w, or of features regressed to z",
        "GANSpace: Härkönen et al., NeurIPS 2020",
        find=_pca,
    ),
    "hessian": Method(
        "smallest Hessian penalty",
        "Peebles et al., ECCV 2020",
        objective=lambda g, settings, loss, device: HessianObjective(g, settings, device),
    ),
}


def method_of(name: str) -> Method:
    """The method of a name; GanwalkError if there is none."""
    if name not in METHODS:
        raise GanwalkError(f"unknown method {name!r}: choose one of {', '.join(METHODS)}")
    return METHODS[name]
