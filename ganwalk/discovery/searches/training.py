"""Methods whose directions are trained, most of them with networks."""

from __future__ import annotations

from collections.abc import Callable

from ganwalk.discovery.checkpointing import load_checkpoint
from ganwalk.discovery.held_scores import score_vectors
from ganwalk.discovery.learned.training import Training, begin, train
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.results import DiscoveryResult
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.searches.steps import BUDGET_STEPS, run_guarded


def search_by_training(run: Run) -> DiscoveryResult:
    """Directions that are trained, most of them with networks."""
    generator, settings = run.generator, run.settings
    make = method_of(settings.method).learner
    assert make is not None and settings.steps is not None
    run.on_phase("start", 0.0, "")
    subspace = search_space(generator, settings)
    learner = make(generator, settings, subspace)
    training = None
    if run.resume and run.checkpoint is not None:
        training, _ = load_checkpoint(run.checkpoint, run.fingerprint, Training)
    if training is None:
        training = begin(generator, settings, subspace, learner)

    def work(after_step: Callable[[Progress | Training], None]) -> None:
        stop = run.out_of(BUDGET_STEPS)
        train(generator, settings, subspace, learner, training, timing=run.timing, on_step=after_step, stop=stop)

    ended = run_guarded(run, "steps", settings.steps, training, work)
    vectors = training.rows(learner) @ subspace.components
    found = score_vectors(
        generator, settings, subspace, run.loss, settings.method, vectors, on_share=run.sharing("scores")
    )
    return run.result(subspace, found, history=training.history, steps_done=training.step, ended=ended)
