"""A whole discovery: which search finds the directions, and what they are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from ganwalk.discovery.checkpointing import with_stored_chunk
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.held_scores import score_vectors
from ganwalk.discovery.learned.training import Training
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.objectives.base import Timing
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.results import DiscoveryResult
from ganwalk.discovery.search_space import latent_statistics
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.searches.candidates import search_candidates
from ganwalk.discovery.searches.closed import closed_form, search_closed_form
from ganwalk.discovery.searches.direct import search_directly
from ganwalk.discovery.searches.on_student import search_on_student
from ganwalk.discovery.searches.over_ranges import search_ranges
from ganwalk.discovery.searches.training import search_by_training
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.images import IMAGES_FILE
from ganwalk.discovery.student.search import OnPhase
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator
from ganwalk.layers import AUTO
from ganwalk.rtd import RTDLoss


def run_discovery(
    generator: Generator,
    settings: DiscoverySettings,
    *,
    threads: int | None = None,
    checkpoint: Path | None = None,
    resume: bool = False,
    images: Path | None = None,
    on_step: Callable[[Progress | Training], None] | None = None,
    on_phase: OnPhase | None = None,
    on_early: Callable[[DiscoveryResult], object] | None = None,
    reader: FactorReader | None = None,
) -> DiscoveryResult:
    """Finds directions of a generator by the method of the settings, and scores them.

    Args:
        generator: a module from `load_generator`.
        settings: options; None entries are chosen for the generator.
        threads: threads of the topology engine.
        checkpoint: file that is kept up to date every few seconds, and read with `resume`.
        images: file of what is synthesised for students, which other runs on this generator can share; by default
            beside the checkpoint.
        on_step: called after each step on the generator. If it raises KeyboardInterrupt, the directions as they stand
            are returned.
        on_phase: told the phase, by its name in `plan.plan` or by one for what takes no time to speak of, its share
            that is done, and a note.
        on_early: given the results of first students, scored on these, while the search goes on.
        reader: what reads factors, for methods that are supervised.
    Raises:
        GanwalkError: settings that do not fit the generator or the method, or nothing to resume.
    """
    chosen = settings.chunk is not None
    settings = settings.resolve(generator)
    method = method_of(settings.method)
    if resume and (method.find or method.fit):
        raise GanwalkError(f"nothing to resume: {settings.method} has a closed form; run without --resume")
    if resume and checkpoint is not None and not chosen:
        settings = with_stored_chunk(settings, checkpoint)
    run = Run(
        generator,
        settings,
        RTDLoss(minimax=settings.minimax, scale_gradient=settings.scale_gradient, threads=threads),
        Timing(),
        time.monotonic(),
        checkpoint,
        resume,
        checkpoint.with_name(IMAGES_FILE) if images is None and checkpoint is not None else images,
        on_step,
        on_phase or (lambda phase, share, note: None),
        on_early,
        reader,
    )
    return _compared(run, search_ranges(run, _found) if settings.layers == AUTO else _found(run))


def _found(run: Run) -> DiscoveryResult:
    """The directions of one method, in one range of layers."""
    method = method_of(run.settings.method)
    if method.candidates:
        return search_candidates(run, _found)
    if method.learner is not None:
        return search_by_training(run)
    if method.objective is None:
        return search_closed_form(run)
    return search_directly(run) if run.settings.search == "direct" else search_on_student(run)


def _compared(run: Run, result: DiscoveryResult) -> DiscoveryResult:
    """The result with the bases of closed forms beside it, scored alike."""
    found, settings = result.bases[0], run.settings
    names = [name for name in settings.compared if name not in [basis.name for basis in result.bases]]
    if not names:
        return result
    target = result.target
    if settings.equalize:
        target = target or float(found.effects.square().mean().sqrt())
    subspace = latent_statistics(run.generator, settings)
    bases, notices = list(result.bases), list(result.notices)
    for name in names:
        # A baseline that cannot serve this generator is no reason to lose the result.
        try:
            vectors = closed_form(run.generator, settings, name)
            bases.append(
                score_vectors(
                    run.generator,
                    settings,
                    subspace,
                    run.loss,
                    name,
                    vectors,
                    target=target,
                    on_share=run.sharing(f"baseline {name}"),
                )
            )
        except GanwalkError as error:
            notices.append(f"{name} has no scores: {error}")
    return replace(result, bases=tuple(bases), notices=tuple(notices))
