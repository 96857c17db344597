"""Walks of a batch of samples along every direction, both ways, and what is measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ganwalk.calibration.clouds import WITHIN, Cloud, reduced
from ganwalk.calibration.curves import Curves, reach_of
from ganwalk.calibration.settings import ReachSettings, default_sizes
from ganwalk.directions import Directions
from ganwalk.directions.reach import Reach
from ganwalk.discovery.view import View, code_labels, latent_styles, sample_latents, style_features
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import Generator
from ganwalk.generators.timing import seconds_per_latent
from ganwalk.options import takes_settings
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import progress_bar
from ganwalk.progress.callbacks import OnShare, share_counter

# Added to seeds, so that the walked samples and the cloud share none. Neither has latents of the seed itself: where the
# weights of a network were drawn from the same seed, as those of `scenes` from 0, these are unlike all others.
_WALKED, _CLOUD = 1_000_003, 2_000_003


@takes_settings(ReachSettings)
def measure_reach(generator: Generator, directions: Directions, *, progress: bool = False, **settings: Any) -> Reach:
    """How far directions may be walked; `settings` are any fields of `ReachSettings`, such as samples=64, share=0.5.

    Args:
        progress: show a bar.
    Raises:
        GanwalkError: the directions or the settings do not fit the generator.
    """
    options = ReachSettings(**settings)
    with progress_bar(100, "measuring", not progress) as advance:
        curves = walk_directions(generator, directions, options, lambda share: advance(round(100 * share), ""))
    return reach_of(curves, options.share)


def walk_directions(
    generator: Generator, directions: Directions, settings: ReachSettings, on_share: OnShare | None = None
) -> Curves:
    """Measures along every direction, both ways.

    Samples are truncated as the settings say; the distribution that they leave or do not is what the generator was
    trained to make, without truncation.

    Args:
        settings: None entries are chosen for the generator.
        on_share: called with the share of the synthesis that is done.
    Raises:
        GanwalkError: the directions or the settings do not fit the generator.
    """
    options, sizes = as_discovered(settings, directions.class_index).resolve(generator), default_sizes(generator)
    assert options.samples is not None and options.steps is not None
    view = _view(generator, directions, options)
    count = share_counter(latents_of_reach(generator, directions, settings), on_share)
    with torch.no_grad():
        whole = replace(view, truncation_psi=1.0, truncation_cutoff=None)
        cloud, clamped_limit, deviation = _cloud(
            generator, whole, sizes.natural + sizes.held, sizes.held, options.seed + _CLOUD, count
        )
        seed = options.seed + _WALKED
        latents = sample_latents(generator, view, options.samples, seed)
        labels = _labels_of_chunks(generator, view, options.samples, seed)
        shifts = directions.shifts(num_layers=generator.num_layers).to(latents)
        amplitudes = torch.linspace(0, options.limit, options.steps + 1)
        parts = [
            _walks(generator, view, cloud, part, own, shifts, amplitudes, seed + k * view.chunk, count)
            for k, (part, own) in enumerate(zip(latents.split(view.chunk), labels, strict=True))
        ]
    distances, changes, clamped = (torch.cat(rows, dim=3) for rows in zip(*parts, strict=True))
    return Curves(
        amplitudes=amplitudes,
        distances=distances,
        changes=changes,
        clamped=clamped if _is_image(generator, view) else None,
        clamped_limit=clamped_limit,
        deviation=deviation,
    )


def latents_of_reach(generator: Generator, directions: Directions, settings: ReachSettings) -> int:
    """Latents that `walk_directions` synthesises."""
    options, sizes = settings.resolve(generator), default_sizes(generator)
    assert options.samples is not None and options.steps is not None
    return sizes.natural + sizes.held + options.samples * (1 + 2 * len(directions) * options.steps)


def seconds_of_reach(generator: Generator, directions: Directions, settings: ReachSettings) -> float:
    """Roughly what `walk_directions` takes on this machine."""
    options = settings.resolve(generator)
    assert options.samples is not None
    view = _view(generator, directions, options)
    each = seconds_per_latent(generator, view.layer, batch=min(options.samples, view.chunk))
    return each * latents_of_reach(generator, directions, settings)


def _view(generator: Generator, directions: Directions, options: ReachSettings) -> View:
    return view_of(
        generator,
        directions,
        layer=options.layer,
        truncation_psi=options.truncation_psi,
        truncation_cutoff=options.truncation_cutoff,
        class_index=options.class_index,
        chunk=options.chunk,
    )


def _is_image(generator: Generator, view: View) -> bool:
    return view.layer == generator.num_layers - 1


def _labels_of_chunks(generator: Generator, view: View, n: int, seed: int) -> Sequence[Tensor | None]:
    """Labels of the latents of each chunk, drawn for all at once: chunks decide nothing but the memory."""
    labels = code_labels(generator, view, n, seed)
    return [None] * -(-n // view.chunk) if labels is None else labels.split(view.chunk)


def _cloud(
    generator: Generator, view: View, n: int, held: int, seed: int, count: Callable[[int], None]
) -> tuple[Cloud, float, float]:
    """Unshifted samples, the share of clamped values that is natural, and the deviation of their pictures."""
    latents = sample_latents(generator, view, n, seed)
    labels = _labels_of_chunks(generator, view, n, seed)
    styles, pictures, clamped, squares = [], [], [], 0.0
    for k, (part, own) in enumerate(zip(latents.split(view.chunk), labels, strict=True)):
        found, made = _made(generator, view, part, own, seed + k * view.chunk)
        styles.append(found)
        pictures.append(reduced(made))
        clamped.append(_clamped(made))
        squares += float(made.flatten(1).std(dim=1).square().sum())
        count(len(made))
    limit = float(torch.cat(clamped).cpu().quantile(WITHIN))
    return Cloud.of(torch.cat(styles), torch.cat(pictures), held), limit, (squares / n) ** 0.5


def _walks(
    generator: Generator,
    view: View,
    cloud: Cloud,
    latents: Tensor,
    labels: Tensor | None,
    shifts: Tensor,
    amplitudes: Tensor,
    seed: int,
    count: Callable[[int], None],
) -> tuple[Tensor, ...]:
    """Along every direction (n, 2, …, samples) from a few latents: the fields of `Curves` but for the last ones."""

    def look(shift: Tensor | float) -> tuple[Tensor, Tensor]:
        styles, made = _made(generator, view, latents + shift, labels, seed)
        count(len(latents))
        return made, cloud.together(*cloud.distances(styles, reduced(made)))

    start, unshifted = look(0.0)
    first = (unshifted, _clamped(start))
    rows = []
    for shift in shifts:
        for sign in (-1, 1):
            previous, values, changes = start, [first], []
            for before, here in zip(amplitudes.tolist(), amplitudes.tolist()[1:], strict=False):
                made, distances = look(sign * here * shift)
                changes.append(_change(previous, made) / (here - before))
                values.append((distances, _clamped(made)))
                previous = made
            moved, clamped = (torch.stack(column).cpu() for column in zip(*values, strict=True))
            rows.append((moved, torch.stack(changes).cpu(), clamped))
    return tuple(torch.stack(column).unflatten(0, (len(shifts), 2)) for column in zip(*rows, strict=True))


def _made(generator: Generator, view: View, latents: Tensor, labels: Tensor | None, seed: int) -> tuple[Tensor, Tensor]:
    """Styles of a few latents, and their images, as they are shown, or features."""
    styles = latent_styles(generator, view, latents, seed, labels)
    made = style_features(generator, view, styles, seed)
    return styles, made.clamp(-1, 1) if _is_image(generator, view) else made


def _clamped(made: Tensor) -> Tensor:
    """Shares (n,) of values at black or white."""
    return (made.abs() >= 1).float().flatten(1).mean(dim=1)


def _change(before: Tensor, after: Tensor) -> Tensor:
    """Root mean squares (n,) of differences; 0 where they are no numbers."""
    return (after - before).flatten(1).square().mean(dim=1).sqrt().nan_to_num(0.0, 0.0)
