"""A whole discovery: subspace, optimisation, comparison with PCA and random bases, the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.discovery import rtd
from ganwalk.discovery.checkpointing import fingerprint, load_checkpoint, save_checkpoint
from ganwalk.discovery.evaluation import BasisScores
from ganwalk.discovery.objective import features, sample_latents, shift_latents
from ganwalk.discovery.rotation import random_rotation
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.generators.base import Generator
from ganwalk.rtd import Barcode, RTDLoss, cross_barcode, distance_matrix

# Fixed-point steps that equalise the image change of a basis that is only scored.
_EQUALIZE_ROUNDS = 4


@dataclass(frozen=True)
class Basis:
    """A basis on the held batch: `steps` (n, d) are the shifts that were scored, sorted by effect."""

    name: str
    vectors: Tensor
    scales: Tensor
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
        checkpoint: file that `on_step` may keep up to date; read with `resume`.
        on_step: called after each step. If it raises KeyboardInterrupt, the best basis so far is returned.
    Raises:
        GanwalkError: settings that do not fit the generator, or nothing to resume.
    """
    settings = settings.resolve(generator)
    assert settings.space is not None and settings.subspace_dim is not None
    identity = generator.identity  # type: ignore[attr-defined]
    run = fingerprint(settings, identity.sha256)
    subspace = latent_subspace(
        generator,
        settings.space,
        settings.subspace_dim,
        class_index=settings.class_index,
        seed=settings.seed,
        device=device,
    )
    loss = RTDLoss(threads=threads)
    if resume and checkpoint is not None:
        progress = load_checkpoint(checkpoint, run)
    else:
        progress = rtd.start(settings, subspace)
    timing = rtd.Timing()
    try:
        rtd.optimise(
            generator, settings, subspace, loss, progress, device=device, timing=timing, on_step=on_step
        )
    except KeyboardInterrupt:
        if progress.best_step == 0 and progress.step == 0:
            raise
    finally:
        if checkpoint is not None and progress.step > 0:
            save_checkpoint(checkpoint, progress, run)

    def basis(name: str, rotation: Tensor, factors: Tensor) -> Basis:
        return _scored_basis(generator, settings, subspace, loss, name, rotation, factors, device)

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
        effects=found.scores.displacement,
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
        reference = distance_matrix(features(generator, view, latents, seed))
        barcodes = []
        for step in basis.steps.to(device):
            shifted = features(generator, view, shift_latents(latents, step, view.layers), seed)
            barcodes.append(cross_barcode(reference, distance_matrix(shifted), mode="min"))
    return barcodes


def _scored_basis(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    name: str,
    rotation: Tensor,
    factors: Tensor,
    device: torch.device | str,
) -> Basis:
    """A rotated basis with its scores on the held batch, sorted by falling effect on the image."""
    scores = rtd.held_scores(generator, settings, subspace, loss, rotation, factors, device)
    if settings.equalize:
        for _ in range(_EQUALIZE_ROUNDS):
            factors = rtd.equalized_factors(scores.displacement, factors)
            scores = rtd.held_scores(generator, settings, subspace, loss, rotation, factors, device)
    order = scores.displacement.argsort(descending=True)
    return Basis(
        name=name,
        vectors=(rotation @ subspace.components).float()[order],
        scales=(subspace.scales(rotation) * factors).float()[order],
        steps=rtd.latent_steps(rotation, subspace, factors * settings.amplitude)[order],
        scores=BasisScores(scores.rtd[order], scores.displacement[order]),
    )
