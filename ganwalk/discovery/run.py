"""A whole discovery: subspace, method, comparison with the simplest baselines, the result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.discovery import jacobian
from ganwalk.discovery.checkpointing import fingerprint, load_checkpoint, save_checkpoint
from ganwalk.discovery.methods import METHODS, method_of
from ganwalk.discovery.objectives.base import HELD_SEED, Objective, Timing
from ganwalk.discovery.objectives.rtd import RTDObjective
from ganwalk.discovery.optimisation import Progress, equalize, optimise, start
from ganwalk.discovery.scores import BasisScores, shift_barcodes
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.rtd import Barcode, RTDLoss

_SAVE_EVERY_SECONDS = 5.0
# What every result is compared with in the same run.
COMPARED = ("pca", "random")


@dataclass(frozen=True)
class Basis:
    """A basis on the held batch, sorted by effect.

    Attributes:
        name: the method that found it.
        vectors: (n, d) orthonormal.
        scales: (n,) latent standard deviations along them.
        effects: (n,) mean image change of a shift by `amplitude` standard deviations.
        steps: (n, d) the shifts that were scored: of that length, or of the length that equalises the image change.
        scores: of `steps`.
    """

    name: str
    vectors: Tensor
    scales: Tensor
    effects: Tensor
    steps: Tensor
    scores: BasisScores


@dataclass(frozen=True)
class DiscoveryResult:
    """What a discovery leaves.

    Attributes:
        directions: the artifact.
        bases: the found one first, then PCA's and a random one, scored alike.
        explained: share of the latent variance inside the subspace.
        settings: resolved settings.
        history, steps_done: of the optimisation; empty and 0 for a closed form.
        timing: seconds spent in this process.
    """

    directions: Directions
    bases: tuple[Basis, ...]
    explained: float
    settings: DiscoverySettings
    history: list[dict[str, float]]
    steps_done: int
    timing: Timing

    def metrics(self) -> dict[str, Any]:
        """Everything measured, as JSON-able values."""
        found = self.bases[0]
        return {
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


def discover(
    generator: Generator, n_directions: int = 20, *, threads: int | None = None, **settings: Any
) -> Directions:
    """Directions of a generator along which batches of images keep their shape (TopDis, Balabin et al. 2024).

    Args:
        generator: a module from `ganwalk.load_generator`.
        n_directions: how many directions to find.
        threads: threads of the topology engine; None takes all cores.
        settings: any further field of `DiscoverySettings`, such as steps=300, batch=64, amplitude=2.0, seed=0.
    Returns:
        Orthonormal directions, sorted by their effect on the image.
    Raises:
        GanwalkError: settings that do not fit the generator.
    """
    options = DiscoverySettings(n_directions=n_directions, **settings)
    return run_discovery(generator, options, threads=threads).directions


def run_discovery(
    generator: Generator,
    settings: DiscoverySettings,
    *,
    threads: int | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    compared: Sequence[str] = COMPARED,
) -> DiscoveryResult:
    """Finds directions of a generator by the method of the settings, and scores them beside two baselines.

    Args:
        generator: a module from `load_generator`.
        settings: options; None entries are chosen for the generator.
        threads: threads of the topology engine.
        checkpoint: file that is kept up to date every few seconds, and read with `resume`.
        on_step: called after each step. If it raises KeyboardInterrupt, the basis as it stands is returned.
        compared: closed forms that are scored beside the result.
    Raises:
        GanwalkError: settings that do not fit the generator or the method, or nothing to resume.
    """
    settings = settings.resolve(generator)
    objective = method_of(settings.method).objective
    loss = RTDLoss(minimax=settings.minimax, scale_gradient=settings.scale_gradient, threads=threads)
    timing = Timing()
    progress = None
    if objective is None:
        if resume:
            raise GanwalkError(f"nothing to resume: {settings.method} has a closed form; run without --resume")
        subspace = _latent_statistics(generator, settings)
        vectors = closed_form(generator, settings, settings.method)
    else:
        subspace = search_space(generator, settings)
        progress = _optimised(
            generator,
            settings,
            subspace,
            objective(generator, settings, loss),
            timing,
            checkpoint=checkpoint,
            resume=resume,
            on_step=on_step,
        )
        vectors = progress.rotation() @ subspace.components
    target = 0.0 if progress is None else progress.target
    found = score_vectors(generator, settings, subspace, loss, settings.method, vectors, target=target)
    if settings.equalize:
        target = target or float(found.effects.square().mean().sqrt())
    bases = [found]
    for name in compared:
        if name == settings.method:
            continue
        # A baseline that cannot serve this generator is no reason to lose the result.
        with contextlib.suppress(GanwalkError):
            baseline = closed_form(generator, settings, name)
            bases.append(score_vectors(generator, settings, subspace, loss, name, baseline, target=target))
    return DiscoveryResult(
        as_directions(generator, settings, found),
        tuple(bases),
        subspace.explained,
        settings,
        [] if progress is None else progress.history,
        0 if progress is None else progress.step,
        timing,
    )


def search_space(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """The informative subspace of resolved settings.

    In w, the latents' own principal components; in z, where they have no preferred ones, the directions that change
    the image.
    """
    subspace = _latent_statistics(generator, settings)
    dim = len(subspace.components)
    if settings.space == "w" or dim == generator.z_dim:
        return subspace
    components = jacobian.find_directions(generator, settings.view(), dim, seed=settings.seed)
    return replace(subspace, components=components)


def _latent_statistics(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """Covariance and principal components of the latents: all that a closed form needs for its scales."""
    assert settings.space is not None and settings.subspace_dim is not None
    return latent_subspace(
        generator,
        settings.space,
        settings.subspace_dim,
        class_index=settings.class_index,
        seed=settings.seed,
    )


def closed_form(generator: Generator, settings: DiscoverySettings, name: str) -> Tensor:
    """Directions (n, d) of a method that has a closed form, for resolved settings."""
    find = METHODS[name].find
    assert find is not None
    return find(generator, settings.view(), settings.n_directions, seed=settings.seed)


def as_directions(generator: Generator, settings: DiscoverySettings, basis: Basis) -> Directions:
    """The artifact of a scored basis and resolved settings."""
    assert settings.space is not None
    return Directions(
        vectors=basis.vectors,
        scales=basis.scales,
        space=settings.space,
        layers=settings.layers,
        generator=generator.identity,
        method=basis.name,
        settings=asdict(settings),
        seed=settings.seed,
        version=__version__,
        effects=basis.effects,
    )


def score_vectors(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    name: str,
    vectors: Tensor,
    *,
    target: float = 0.0,
) -> Basis:
    """Orthonormal vectors (n, d) with their scores on the held batch, sorted by falling effect on the image.

    Args:
        target: image change that equalised shifts are to make; 0 stands for the root mean square of these vectors' own.
    """
    objective = RTDObjective(generator, settings, loss)
    ones = torch.ones(len(vectors), dtype=torch.float64)
    plain = objective.scores(subspace.steps(vectors, settings.amplitude))
    scores, factors = plain, ones
    if settings.equalize:
        scores, factors, _ = equalize(
            objective.scores, plain, subspace, vectors, settings.amplitude, ones, target, rounds=3
        )
    order = plain.displacement.argsort(descending=True)
    return Basis(
        name=name,
        vectors=vectors.float()[order],
        scales=subspace.scales(vectors).float()[order],
        effects=plain.displacement[order],
        steps=subspace.steps(vectors, factors * settings.amplitude)[order],
        scores=BasisScores(scores.rtd[order], scores.displacement[order]),
    )


def held_barcodes(generator: Generator, settings: DiscoverySettings, basis: Basis) -> list[Barcode]:
    """Cross-barcodes (mode "min") between the held batch and its shift along each direction of a scored basis."""
    seed = settings.seed + HELD_SEED
    return shift_barcodes(generator, settings.view(), basis.steps, batch=settings.batch, seed=seed)


def _optimised(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    objective: Objective,
    timing: Timing,
    *,
    checkpoint: Path | None,
    resume: bool,
    on_step: Callable[[Progress], None] | None,
) -> Progress:
    """Runs an optimisation to its end or to an interrupt, with checkpoints."""
    identity = generator.identity
    run = fingerprint(settings, identity.sha256 + identity.interface)
    if resume and checkpoint is not None:
        progress = load_checkpoint(checkpoint, run)
    else:
        progress = start(generator, settings, subspace)
    saved_at = time.monotonic()

    def after_step(progress: Progress) -> None:
        nonlocal saved_at
        if checkpoint is not None and time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
            save_checkpoint(checkpoint, progress, run)
            saved_at = time.monotonic()
        if on_step is not None:
            on_step(progress)

    try:
        optimise(generator, settings, subspace, objective, progress, timing=timing, on_step=after_step)
    except KeyboardInterrupt:
        if progress.step == 0:
            raise
    finally:
        if checkpoint is not None and progress.step > 0:
            save_checkpoint(checkpoint, progress, run)
    return progress
