"""A whole discovery: subspace, optimisation, comparison with PCA and random bases, the result."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions, shift_latents
from ganwalk.discovery import rtd
from ganwalk.discovery.checkpointing import fingerprint, load_checkpoint, save_checkpoint
from ganwalk.discovery.evaluation import BasisScores
from ganwalk.discovery.objective import features, sample_latents
from ganwalk.discovery.rotation import random_rotation
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.generators.base import Generator
from ganwalk.rtd import Barcode, RTDLoss, cross_barcode, distance_matrix, normalized

_SAVE_EVERY_SECONDS = 5.0


@dataclass(frozen=True)
class Basis:
    """A basis on the held batch, sorted by effect.

    Attributes:
        name: "rtd", "pca" or "random".
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
        bases: the found, the PCA and a random basis of the same subspace, scored alike.
        explained: share of the latent variance inside the subspace.
        settings: resolved settings.
        history, best_step, steps_done: of the optimisation.
        timing: seconds spent in this process.
    """

    directions: Directions
    bases: tuple[Basis, ...]
    explained: float
    settings: DiscoverySettings
    history: list[dict[str, float]]
    best_step: int
    steps_done: int
    timing: rtd.Timing

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
            "best_step": self.best_step,
            "steps_done": self.steps_done,
            "settings": asdict(self.settings),
            "history": self.history,
        }


def run_discovery(
    generator: Generator,
    settings: DiscoverySettings,
    *,
    device: torch.device | str = "cpu",
    threads: int | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    on_step: Callable[[rtd.Progress], None] | None = None,
) -> DiscoveryResult:
    """Finds directions of a generator by RTD.

    Args:
        generator: a module from `load_generator`, already on `device`.
        settings: options; None entries are chosen for the generator.
        device: where latents are drawn and images are made.
        threads: threads of the topology engine.
        checkpoint: file that is kept up to date every few seconds, and read with `resume`.
        on_step: called after each step. If it raises KeyboardInterrupt, the best basis so far is returned.
    Raises:
        GanwalkError: settings that do not fit the generator, or nothing to resume.
    """
    settings = settings.resolve(generator)
    assert settings.space is not None and settings.subspace_dim is not None
    identity = generator.identity  # type: ignore[attr-defined]
    run = fingerprint(settings, identity.sha256 + identity.interface)
    subspace = latent_subspace(
        generator,
        settings.space,
        settings.subspace_dim,
        class_index=settings.class_index,
        seed=settings.seed,
        device=device,
    )
    loss = RTDLoss(threads=threads)
    progress = rtd.start(settings, subspace)
    if resume and checkpoint is not None:
        progress = load_checkpoint(checkpoint, run)
    timing = rtd.Timing()
    saved_at = time.monotonic()

    def after_step(progress: rtd.Progress) -> None:
        nonlocal saved_at
        if checkpoint is not None and time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
            save_checkpoint(checkpoint, progress, run)
            saved_at = time.monotonic()
        if on_step is not None:
            on_step(progress)

    try:
        rtd.optimise(generator, settings, subspace, loss, progress, device=device, timing=timing, on_step=after_step)
    except KeyboardInterrupt:
        if progress.best_step == 0 and progress.step == 0:
            raise
    finally:
        if checkpoint is not None and progress.step > 0:
            save_checkpoint(checkpoint, progress, run)

    def basis(name: str, rotation: Tensor, factors: Tensor) -> Basis:
        target = progress.target
        return _scored_basis(generator, settings, subspace, loss, name, rotation, factors, target, device)

    n, k = settings.n_directions, settings.subspace_dim
    ones = torch.ones(n, dtype=torch.float64)
    bases = (
        basis("rtd", progress.best_rotation, progress.best_factors),
        basis("pca", torch.eye(k, dtype=torch.float64)[:n], ones),
        basis("random", random_rotation(k, settings.seed)[:n], ones),
    )
    found = bases[0]
    directions = Directions(
        vectors=found.vectors,
        scales=found.scales,
        space=settings.space,
        layers=settings.layers,
        generator=identity,
        method="rtd",
        settings=asdict(settings),
        seed=settings.seed,
        version=__version__,
        effects=found.effects,
    )
    return DiscoveryResult(
        directions,
        bases,
        subspace.explained,
        settings,
        progress.history,
        progress.best_step,
        progress.step,
        timing,
    )


def held_barcodes(
    generator: Generator, settings: DiscoverySettings, basis: Basis, device: torch.device | str = "cpu"
) -> list[Barcode]:
    """Cross-barcodes (mode "min") between the held batch and its shift along each direction of a scored basis."""
    view = settings.view()
    seed = settings.seed + rtd.HELD_SEED
    with torch.no_grad():
        latents = sample_latents(generator, view, settings.batch, seed, device)
        reference = normalized(distance_matrix(features(generator, view, latents, seed)), 0.9)
        barcodes = []
        for step in basis.steps.to(device):
            shifted = features(generator, view, shift_latents(latents, step, view.layers), seed)
            barcodes.append(cross_barcode(reference, normalized(distance_matrix(shifted), 0.9), mode="min"))
    return barcodes


def _scored_basis(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    name: str,
    rotation: Tensor,
    factors: Tensor,
    target: float,
    device: torch.device | str,
) -> Basis:
    """A rotated basis with its scores on the held batch, sorted by falling effect on the image."""
    plain = rtd.held_scores(generator, settings, subspace, loss, rotation, torch.ones_like(factors), device)
    scores = plain
    if settings.equalize:
        scores, factors, _ = rtd.equalized_scores(
            generator, settings, subspace, loss, rotation, factors, target, device, rounds=3
        )
    order = plain.displacement.argsort(descending=True)
    return Basis(
        name=name,
        vectors=(rotation @ subspace.components).float()[order],
        scales=subspace.scales(rotation).float()[order],
        effects=plain.displacement[order],
        steps=rtd.latent_steps(rotation, subspace, factors * settings.amplitude)[order],
        scores=BasisScores(scores.rtd[order], scores.displacement[order]),
    )
