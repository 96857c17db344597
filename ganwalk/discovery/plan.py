"""What a discovery will take on this machine, phase by phase: for progress bars and warnings, never for results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ganwalk.discovery.jacobian import PROBES, SKETCH_SAMPLES
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.run import POLISH_BATCH, POLISH_DIRECTIONS
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.view import features, sample_latents
from ganwalk.generators.base import Generator
from ganwalk.generators.timing import seconds_per_latent

# Images that the speed is measured on, after as many to warm up.
_PROBE = 4
# Fitting a student and searching on it, which depend little on the generator.
_FIT, _SEARCH_STEP = 12.0, 0.03
# A backward pass in units of a forward one.
_BACKWARD = 1.25


@dataclass(frozen=True)
class Phase:
    """A part of a discovery, as `run_discovery` names it, and the seconds that it should take."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Plan:
    """The phases of a discovery, in their order."""

    phases: tuple[Phase, ...]

    @property
    def seconds(self) -> float:
        return sum(phase.seconds for phase in self.phases)

    def share(self, name: str, share: float) -> float:
        """The share of everything that is done when this share of a phase is."""
        before = 0.0
        for phase in self.phases:
            if phase.name == name:
                return min(1.0, (before + share * phase.seconds) / max(self.seconds, 1e-9))
            before += phase.seconds
        return 0.0


def plan(
    generator: Generator, settings: DiscoverySettings, *, compared: Sequence[str] = (), pictures: float = 0.0
) -> Plan:
    """The phases that resolved settings need, from the speed of a few images.

    Args:
        compared: baselines that are scored.
        pictures: seconds of the pictures that follow.
    """
    assert settings.scored is not None
    forward = seconds_per_latent(generator, settings.layer, batch=min(_PROBE, settings.view().chunk))
    n = settings.n_directions
    effects = 2 * n * settings.measured * forward
    scores = 2 * n * settings.scored * forward
    method = method_of(settings.method)
    phases: list[Phase] = []
    if method.objective is None:
        phases += [
            Phase("search", _closed_form_seconds(settings.method, forward)),
            Phase("scores", effects + scores),
        ]
    elif settings.search == "direct":
        both = _seconds_with_gradient(generator, settings)
        again = 1 if settings.batch <= (settings.chunk or settings.batch) else 2
        step = settings.batch * (forward + settings.directions_per_step * (both + (again - 1) * forward))
        held = (settings.steps // settings.evaluate_every + 1) * 2 * n * settings.batch * forward
        starting = settings.batch * n * (both + 2 * forward) if settings.start == "jacobian" else 0.0
        phases += [
            Phase("start", starting),
            Phase("steps", settings.steps * step + held),
            Phase("scores", 2 * effects + scores),
        ]
    else:
        assert settings.images is not None and settings.polish is not None
        phases += [
            Phase("images", settings.images * forward),
            Phase("student", _FIT),
            Phase("search", settings.steps * _SEARCH_STEP),
            Phase("scores before", scores),
        ]
        if settings.polish:
            both = _seconds_with_gradient(generator, settings)
            batch = min(settings.batch, POLISH_BATCH)
            directions = min(settings.directions_per_step, POLISH_DIRECTIONS)
            step = batch * (forward + directions * (both + forward))
            phases += [Phase("polish", settings.polish * step), Phase("scores", scores)]
        phases.append(Phase("effects", effects))
    phases += [
        Phase(f"baseline {name}", _closed_form_seconds(name, forward) + effects + scores)
        for name in compared
        if name != settings.method
    ]
    phases.append(Phase("pictures", pictures))
    return Plan(tuple(phases))


def _closed_form_seconds(name: str, forward: float) -> float:
    if name != "jacobian":
        return 2.0
    return forward * SKETCH_SAMPLES * (1 + PROBES * _BACKWARD)


def _seconds_with_gradient(generator: Generator, settings: DiscoverySettings) -> float:
    """Of the features of one latent, with their gradient."""
    view = settings.view()
    count = min(_PROBE, view.chunk)
    latents = sample_latents(generator, view, count, settings.seed).requires_grad_()
    began = 0.0
    for _ in range(2):
        began = time.perf_counter()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(features(generator, view, latents, 0).mean(), latents)
        # Reading a value waits for the device.
        float(gradient.flatten()[0])
    return (time.perf_counter() - began) / count
