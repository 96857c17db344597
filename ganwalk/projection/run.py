"""A whole projection: from a picture to the latents whose image is like it (GAN inversion by optimisation).

The weights of the generator stay as they are. To fit them to one picture as well (pivotal tuning, Roich et al. 2022) is
left out: directions are of one generator, and would be of another for every picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, device_of
from ganwalk.options import takes_settings
from ganwalk.projection.checkpointing import fingerprint, load_checkpoint, save_checkpoint
from ganwalk.projection.coordinates import Coordinates, coordinates_of
from ganwalk.projection.distance import Distance, shown
from ganwalk.projection.optimisation import Progress, optimise
from ganwalk.projection.perceptual import Perceptual
from ganwalk.projection.settings import ProjectionSettings
from ganwalk.projection.start import Candidates, sample_candidates

_SAVE_EVERY_SECONDS = 5.0
# After which a first result is worth a look, and between further ones.
_EARLY_SECONDS, _BETWEEN_SECONDS = 10.0, 30.0


@dataclass(frozen=True)
class Projection:
    """Latents of n pictures.

    Attributes:
        styles: (n, num_layers, w_dim) float32, on the CPU.
        codes: (n, z_dim) float32, of projections in z; None otherwise.
        images: (n, channels, h, w) that the generator makes of them, on the CPU.
        error: (n,) root mean square difference from the pictures, in units of the range from black to white.
        steps: that were done.
        settings: resolved.
    """

    styles: Tensor
    codes: Tensor | None
    images: Tensor
    error: Tensor
    steps: int
    settings: ProjectionSettings


@dataclass(frozen=True)
class Prepared:
    """What projections onto one generator share.

    Attributes:
        generator: whose latents are looked for.
        settings: resolved.
        coordinates: in which they are.
        candidates: to start from.
        perceptual: beside pixels and gradients.
    """

    generator: Any
    settings: ProjectionSettings
    coordinates: Coordinates
    candidates: Candidates
    perceptual: Perceptual | None = None

    def sampled(self, count: int, seed: int) -> Prepared:
        """With so many more candidates, of another seed."""
        chosen = self.settings.class_index
        more = sample_candidates(self.generator, count, class_index=chosen, seed=seed)
        return replace(self, candidates=self.candidates.joined(more))

    def fingerprint(self, pictures: Tensor) -> str:
        """What tells a projection of these pictures from others."""
        identity = "" if self.perceptual is None else self.perceptual.identity
        return fingerprint(self.generator, pictures, self.settings, identity)


@dataclass(frozen=True)
class Ongoing:
    """A projection that is done piece by piece: between the pieces, the machine can do something else.

    Attributes:
        prepared: what it shares with others onto the same generator.
        pictures: (n, colours, h, w) in [-1, 1], on the generator's device.
        distance: from the pictures.
        progress: where it stands.
    """

    prepared: Prepared
    pictures: Tensor
    distance: Distance
    progress: Progress

    @property
    def steps(self) -> int:
        """Of the whole projection."""
        assert self.prepared.settings.steps is not None
        return self.prepared.settings.steps

    @property
    def share(self) -> float:
        """What is done of the steps."""
        return self.progress.step / self.steps

    def further(
        self, *, on_step: Callable[[Progress], None] | None = None, enough: Callable[[], bool] | None = None
    ) -> Ongoing:
        """The projection after more steps, to the end unless it is stopped; arguments as of `optimise`."""
        coordinates = self.prepared.coordinates
        return replace(self, progress=optimise(coordinates, self.distance, self.progress, self.steps, on_step, enough))

    def result(self) -> Projection:
        """What there is so far."""
        values = self.progress.values
        with torch.no_grad():
            styles = self.prepared.coordinates.styles(values)
            images = self.prepared.generator.synthesis(styles).clamp(-1, 1)
            error = (shown(images) - self.pictures).square().flatten(1).mean(dim=1).sqrt() / 2
        return Projection(
            styles=styles.cpu().contiguous(),
            codes=self.prepared.coordinates.codes(values).cpu() if self.prepared.settings.space == "z" else None,
            images=images.cpu(),
            error=error.cpu(),
            steps=self.progress.step,
            settings=self.prepared.settings,
        )


def prepare(
    generator: Generator,
    settings: ProjectionSettings,
    *,
    perceptual: Perceptual | None = None,
    on_share: Callable[[float], object] | None = None,
) -> Prepared:
    """Samples the generator once for all pictures; GanwalkError if the settings do not fit it."""
    settings = settings.resolve(generator)
    assert settings.space is not None and settings.candidates is not None
    chosen: dict[str, Any] = {"class_index": settings.class_index, "seed": settings.seed}
    coordinates = coordinates_of(generator, settings.space, **chosen)
    candidates = sample_candidates(generator, settings.candidates, on_share=on_share, **chosen)
    return Prepared(generator, settings, coordinates, candidates, perceptual)


def begin_projection(prepared: Prepared, pictures: Tensor) -> Ongoing:
    """A projection of pictures (n, colours, height, width) in [-1, 1], at the nearest candidates.

    Raises:
        GanwalkError: the pictures do not fit the generator.
    """
    generator = prepared.generator
    wanted = (1 if generator.img_channels < 3 else 3, *generator.image_size)
    if pictures.ndim != 4 or len(pictures) == 0 or tuple(pictures.shape[1:]) != wanted:
        shape = ", ".join(map(str, wanted))
        raise GanwalkError(f"pictures of shape {tuple(pictures.shape)} given, expected (n, {shape})")
    pictures = pictures.to(device_of(generator), torch.float32)
    perceptual = None if prepared.perceptual is None else prepared.perceptual.towards(pictures)
    start = Progress(prepared.coordinates.of(*prepared.candidates.nearest(pictures)))
    return Ongoing(prepared, pictures, Distance(pictures, perceptual), start)


def run_projection(
    prepared: Prepared,
    pictures: Tensor,
    *,
    checkpoint: Path | None = None,
    resume: bool = False,
    on_share: Callable[[float], object] | None = None,
    on_early: Callable[[Projection], object] | None = None,
) -> Projection:
    """Projects pictures (n, colours, height, width) in [-1, 1], all at once.

    Args:
        pictures: of three colours, or one for a generator of grey images.
        checkpoint: file that is kept up to date every few seconds; it goes when the projection is done.
        resume: continue from the checkpoint, if there is one.
        on_share: called with the share of the steps that is done.
        on_early: given the result so far, now and then.
    Raises:
        GanwalkError: the pictures do not fit the generator, or the checkpoint is another projection's.
    """
    ongoing = begin_projection(prepared, pictures)
    steps = ongoing.steps
    run = prepared.fingerprint(ongoing.pictures)
    if resume and checkpoint is not None and checkpoint.exists():
        ongoing = replace(ongoing, progress=load_checkpoint(checkpoint, run, prepared.generator))
    saved = time.monotonic()
    shown_at = saved + _EARLY_SECONDS - _BETWEEN_SECONDS

    def on_step(now: Progress) -> None:
        nonlocal saved, shown_at
        if on_share is not None:
            on_share(now.step / steps)
        moment = time.monotonic()
        if checkpoint is not None and (moment - saved > _SAVE_EVERY_SECONDS or now.step == steps):
            save_checkpoint(checkpoint, now, run)
            saved = moment
        if on_early is not None and now.step < steps and moment - shown_at > _BETWEEN_SECONDS:
            on_early(replace(ongoing, progress=now).result())
            shown_at = moment

    return ongoing.further(on_step=on_step).result()


@takes_settings(ProjectionSettings)
def project(generator: Generator, pictures: Tensor, **settings: Any) -> Projection:
    """Latents of pictures (n, colours, height, width) in [-1, 1], such as of `ganwalk.pictures.photos.read_photo`.

    Args:
        generator: a module from `ganwalk.load_generator`.
        pictures: of three colours, or one for a generator of grey images; all are projected at once.
        settings: any field of `ProjectionSettings`, such as steps=300, space="w", seed=1.
    Raises:
        GanwalkError: settings or pictures that do not fit the generator.
    """
    return run_projection(prepare(generator, ProjectionSettings(**settings)), pictures)
