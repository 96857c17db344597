"""The same search in several ranges of layers, and the cleanest of what they find."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from ganwalk.directions import Directions
from ganwalk.discovery.held_scores import score_steps
from ganwalk.discovery.objectives.base import HELD_SEED
from ganwalk.discovery.optimisation import equal_factors
from ganwalk.discovery.ranges import cleanest, likeness, ranges_of_layers
from ganwalk.discovery.results import Basis, DiscoveryResult, as_directions
from ganwalk.discovery.scores import image_changes
from ganwalk.discovery.searches.base import Run
from ganwalk.layers import Layers, in_words

_ALL_LAYERS = "all layers"


def search_ranges(run: Run, find: Callable[[Run], DiscoveryResult]) -> DiscoveryResult:
    """The cleanest directions of several ranges of layers, each with the range that it was found in.

    Clean is a direction whose shift, as long as it takes for one common change of the image, changes the shape of a
    batch little (`ranges.cleanest`).

    Args:
        find: a discovery in one range of layers.
    """
    generator, settings = run.generator, run.settings
    assert settings.layer is not None and settings.space is not None
    limits = ranges_of_layers(generator, settings.layer)
    parts: list[DiscoveryResult] = []
    for k, layers in enumerate(limits):
        parts.append(find(_within(run, layers, k, len(limits))))
        if parts[-1].ended == "interrupt":
            break
    found = [part.directions for part in parts]
    candidates = Directions(
        torch.cat([part.vectors for part in found]),
        torch.cat([part.scales for part in found]),
        settings.space,
        generator.identity,
        method=settings.method,
        oblique=True,
        own_layers=tuple(part.layers for part in found for _ in range(len(part))),
    )
    view, seed = settings.view(), settings.seed + HELD_SEED
    tell = run.sharing("choice")
    shifts = candidates.shifts(settings.amplitude, num_layers=generator.num_layers)
    plain = image_changes(
        generator, view, shifts, batch=settings.measured, seed=seed, on_share=lambda share: tell(share / 3)
    ).displacement
    target = float(plain[: len(found[0])].square().mean().sqrt())
    factors = equal_factors(plain, torch.ones(len(candidates), dtype=torch.float64), target)
    steps = factors.float()[:, None, None] * shifts.cpu()
    scores = score_steps(generator, settings, run.loss, steps, lambda share: tell((1 + 2 * share) / 3))
    alike = likeness(generator, view, candidates, factors * settings.amplitude, samples=settings.measured, seed=seed)
    chosen = torch.tensor(cleanest(scores.rtd, plain, alike, settings.n_directions))
    chosen = chosen[plain[chosen].argsort(descending=True)]
    basis = Basis(
        settings.method,
        candidates.vectors[chosen],
        candidates.scales[chosen],
        plain[chosen],
        steps[chosen],
        scores.ordered(chosen),
    )
    own = tuple(candidates.layers_of(index) for index in chosen.tolist())
    counts = [f"{own.count(layers)} of {in_words(layers)}" for layers in limits if layers in own]
    first = parts[0]
    return replace(
        first,
        directions=as_directions(generator, settings, basis, oblique=True, own_layers=own),
        bases=(basis, replace(first.bases[0], name=_ALL_LAYERS)),
        settings=settings,
        target=target,
        ended=parts[-1].ended or next((part.ended for part in parts if part.ended), ""),
        notices=(*(notice for part in parts for notice in part.notices), f"the cleanest are {', '.join(counts)}"),
    )


def _within(run: Run, layers: Layers | None, number: int, count: int) -> Run:
    """The part of a discovery that searches in one range of layers, with files of its own beside the whole one's."""
    settings = run.settings
    budget = None if settings.budget is None else settings.budget / count

    def own(path: Path | None) -> Path | None:
        return path if path is None or number == 0 else path.with_stem(f"{path.stem}-{number}")

    checkpoint = own(run.checkpoint)
    begun = checkpoint is not None and checkpoint.exists()
    return replace(
        run,
        settings=replace(settings, layers=layers, budget=budget),
        started=time.monotonic(),
        checkpoint=checkpoint,
        images=own(run.images),
        resume=run.resume and (begun or number == 0),
        on_phase=lambda phase, share, note: run.on_phase(f"{in_words(layers)}: {phase}", share, note),
        on_early=None,
    )
