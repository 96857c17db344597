"""What a discovery will take on this machine, phase by phase: for progress bars and warnings, never for results."""

from __future__ import annotations

import time

import torch

from ganwalk.discovery import local, pca
from ganwalk.discovery.jacobian import PROBES, SKETCH_SAMPLES
from ganwalk.discovery.methods import Method, method_of
from ganwalk.discovery.ranges import ranges_of_layers
from ganwalk.discovery.searches.on_student import polish_settings
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.search import SHIFTED_COMPONENTS
from ganwalk.discovery.view import features, sample_latents
from ganwalk.generators.base import Generator
from ganwalk.generators.timing import seconds_per_latent
from ganwalk.layers import AUTO, in_words
from ganwalk.progress.phases import Phase, Phases

# Images that the speed is measured on, after as many to warm up.
_PROBE = 4
# Fitting a student and searching on it, which depend little on the generator.
_FIT, _SEARCH_STEP = 12.0, 0.03
# A step of the networks that directions are trained with.
_NETWORK_STEP = 0.05
# Searching among derivatives, which does not depend on the generator.
_ROTATION = 6.0
# A backward pass in units of a forward one.
_BACKWARD = 1.25


def plan(generator: Generator, settings: DiscoverySettings, *, pictures: float = 0.0) -> Phases:
    """The phases of `run_discovery` that resolved settings need, from the speed of a few images.

    Args:
        pictures: seconds of the pictures that follow.
    """
    assert settings.layer is not None and settings.scored is not None
    forward = seconds_per_latent(generator, settings.layer, batch=min(_PROBE, settings.view().chunk))
    phases = _search(generator, settings, forward)
    if settings.layers == AUTO:
        # A search takes about as long in each of the ranges.
        limits = ranges_of_layers(generator, settings.layer)
        both = 2 * settings.n_directions * len(limits) * forward
        phases = [Phase(f"{in_words(layers)}: {one.name}", one.seconds) for layers in limits for one in phases]
        phases.append(Phase("choice", both * (settings.scored + 2 * settings.measured)))
    each = 2 * settings.n_directions * (settings.measured + settings.scored) * forward
    phases += [
        Phase(f"baseline {name}", _closed_form_seconds(name, generator, settings, forward) + each)
        for name in settings.compared
        if name != settings.method
    ]
    return Phases([*phases, Phase("pictures", pictures)])


def _search(generator: Generator, settings: DiscoverySettings, forward: float) -> list[Phase]:
    """The phases of a search in one range of layers, with the seconds that the features of a latent take."""
    assert settings.scored is not None and settings.steps is not None
    n = settings.n_directions
    effects = 2 * n * settings.measured * forward
    scores = 2 * n * settings.scored * forward
    method = method_of(settings.method)
    phases: list[Phase] = []
    if method.candidates:
        searched, other = method.candidates
        method = method_of(searched)
        phases += [
            Phase(other, _closed_form_seconds(other, generator, settings, forward)),
            Phase("choice", effects + 3 * scores),
        ]
    if method.learner is not None:
        assert method.cost is not None
        plain, shifted = method.cost(settings.batch, n)
        step = plain * forward + shifted * _seconds_with_gradient(generator, settings) + _NETWORK_STEP
        phases += [
            Phase("start", _space_seconds(generator, settings, forward)),
            Phase("steps", settings.steps * step),
            Phase("scores", 2 * effects + scores),
        ]
    elif method.fit is not None:
        assert settings.images is not None
        each = seconds_per_latent(generator, batch=_PROBE)
        phases += [Phase("images", settings.images * each), Phase("scores", 2 * effects + scores)]
    elif method.objective is None:
        phases += [
            Phase("search", _closed_form_seconds(settings.method, generator, settings, forward)),
            Phase("scores", effects + scores),
        ]
    elif settings.search == "direct":
        both = _seconds_with_gradient(generator, settings)
        held = (settings.steps // settings.evaluate_every + 1) * 2 * n * settings.batch * forward
        starting = _space_seconds(generator, settings, forward)
        if settings.start == "jacobian":
            starting += settings.batch * n * (both + 2 * forward)
        phases += [
            Phase("start", starting),
            Phase("steps", _seconds_of_steps(method, settings, forward, both) + held),
            Phase("scores", 2 * effects + scores),
        ]
    else:
        assert settings.images is not None and settings.polish is not None
        phases += [
            Phase("start", _space_seconds(generator, settings, forward, SHIFTED_COMPONENTS)),
            Phase("images", settings.images * forward),
            Phase("student", _FIT),
            Phase("search", settings.steps * _SEARCH_STEP),
            Phase("scores before", scores),
        ]
        if settings.polish:
            both = _seconds_with_gradient(generator, settings)
            polish = _seconds_of_steps(method, polish_settings(settings), forward, both)
            phases += [Phase("polish", polish), Phase("scores", scores)]
        phases.append(Phase("effects", effects))
    return phases


def _seconds_of_steps(method: Method, settings: DiscoverySettings, forward: float, both: float) -> float:
    """Of all steps on the generator; what does not fit is made again for its gradient."""
    assert method.cost is not None and settings.chunk is not None and settings.steps is not None
    plain, shifted = method.cost(settings.batch, settings.directions_per_step * (1 + settings.both_signs))
    again = forward if method.together * settings.batch > settings.chunk else 0.0
    return settings.steps * (plain * forward + shifted * (both + again))


def _space_seconds(generator: Generator, settings: DiscoverySettings, forward: float, least: int = 1) -> float:
    """Of the subspace of at least so many dimensions: in z its components are those that change the image."""
    assert settings.subspace_dim is not None
    partial = settings.space == "z" and max(settings.subspace_dim, least) < generator.z_dim
    return _jacobian_seconds(forward) if partial else 0.0


def _jacobian_seconds(forward: float) -> float:
    return forward * SKETCH_SAMPLES * (1 + PROBES * _BACKWARD)


def _closed_form_seconds(name: str, generator: Generator, settings: DiscoverySettings, forward: float) -> float:
    view, n = settings.view(), settings.n_directions
    if name == "local":
        each = {
            layer: seconds_per_latent(generator, layer, batch=min(_PROBE, view.chunk))
            for layer in local.seen_layers(generator, view)
        }
        partial = view.space == "z" and local.components_for(generator, view, n) < generator.z_dim
        basis = _jacobian_seconds(forward) if partial else 0.0
        return _ROTATION + basis + local.passes(generator, view, n) * sum(each.values())
    if name == "jacobian":
        return _jacobian_seconds(forward)
    return 2.0 + (pca.passes(generator, view) * forward if name in ("pca", "random") else 0.0)


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
