"""The search of a method with an objective, on the generator itself."""

from __future__ import annotations

from ganwalk.discovery.checkpointing import load_checkpoint
from ganwalk.discovery.held_scores import score_vectors
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.optimisation import Progress, start
from ganwalk.discovery.results import DiscoveryResult
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.searches.steps import run_steps


def search_directly(run: Run, notices: tuple[str, ...] = ()) -> DiscoveryResult:
    """The whole optimisation on the generator itself."""
    generator, settings = run.generator, run.settings
    make = method_of(settings.method).objective
    assert make is not None
    run.on_phase("start", 0.0, "")
    subspace = search_space(generator, settings)
    progress = None
    if run.resume and run.checkpoint is not None:
        progress, _ = load_checkpoint(run.checkpoint, run.fingerprint, Progress)
    if progress is None:
        progress = start(generator, settings, subspace)
    ended = run_steps(run, "steps", settings, subspace, progress)
    vectors = progress.rotation() @ subspace.components
    found = score_vectors(
        generator,
        settings,
        subspace,
        run.loss,
        settings.method,
        vectors,
        target=progress.target,
        on_share=run.sharing("scores"),
    )
    return run.result(
        subspace,
        found,
        history=progress.history,
        steps_done=progress.step,
        target=progress.target,
        ended=ended,
        notices=notices,
    )
