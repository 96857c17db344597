"""The search of a method with an objective on a student of the generator, and its polish on the generator itself."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganwalk.discovery.checkpointing import Polishing, load_checkpoint, save_beginning
from ganwalk.discovery.held_scores import score_steps, score_vectors
from ganwalk.discovery.optimisation import Progress
from ganwalk.discovery.results import DiscoveryResult, Polish
from ganwalk.discovery.scores import BasisScores
from ganwalk.discovery.search_space import search_space
from ganwalk.discovery.searches.base import Run
from ganwalk.discovery.searches.direct import search_directly
from ganwalk.discovery.searches.steps import run_steps
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.search import (
    SHIFTED_COMPONENTS,
    USABLE,
    StudentSearch,
    search_on_students,
    student_settings,
)
from ganwalk.discovery.subspace import Subspace
from ganwalk.generators.channels import space_dim

# Of the steps on a network after a search on a student: they only correct what the student got wrong.
_POLISH_BATCH = 32
_POLISH_DIRECTIONS = 4
_POLISH_LR = 0.04
# Share of a budget after which no more images are made: steps and scores follow.
_BUDGET_IMAGES = 0.45


def search_on_student(run: Run) -> DiscoveryResult:
    """The optimisation on a student of the generator, and a few steps on the generator itself."""
    generator, settings = run.generator, run.settings
    assert settings.space is not None and settings.subspace_dim is not None
    dim = settings.subspace_dim
    shifted = max(dim, min(SHIFTED_COMPONENTS, space_dim(generator, settings.space)))
    run.on_phase("start", 0.0, "")
    wide = search_space(generator, replace(settings, subspace_dim=shifted))
    subspace = wide.first(dim)
    if run.resume and run.checkpoint is not None:
        before, polishing = load_checkpoint(run.checkpoint, run.fingerprint, Progress)
        if before is not None:
            return search_directly(run) if polishing is None else _polished(run, subspace, before, polishing)
    elif run.checkpoint is not None:
        # Whose images these are, and later whose directions, also where no step on the generator follows.
        save_beginning(run.checkpoint, run.fingerprint)
    found = _student(run, wide, subspace)
    r2 = found.report.r2
    if settings.search == "auto" and r2 < USABLE:
        run.on_phase("steps", 0.0, "searching on the generator itself: no student explains it")
        notice = (
            f"a student of {found.report.images} images explains too little (R² {r2:.2f}): "
            "the search was on the generator itself"
        )
        return search_directly(replace(run, resume=False), (notice,))
    progress = Progress(
        found.progress.rotation(),
        torch.zeros_like(found.progress.skew),
        {},
        found.progress.factors,
        found.progress.target,
    )
    steps = _steps(settings, subspace, progress)
    scored = score_steps(generator, settings, run.loss, steps, run.sharing("scores before"))
    return _polished(run, subspace, progress, Polishing(found.report, scored.mean_rtd), scored)


def _polished(
    run: Run, subspace: Subspace, progress: Progress, polishing: Polishing, scored: BasisScores | None = None
) -> DiscoveryResult:
    """A student's basis after the steps on the generator that it lacks, or as it was where they did no good.

    Args:
        scored: the student's basis on the generator, where no earlier process has taken it.
    """
    generator, settings = run.generator, run.settings
    assert settings.polish is not None and settings.steps is not None
    best = progress.base @ subspace.components
    ended, polish = "", None
    if settings.polish > 0:
        ended = run_steps(run, "polish", polish_settings(settings), subspace, progress, polishing)
        after = score_steps(generator, settings, run.loss, _steps(settings, subspace, progress), run.sharing("scores"))
        polish = Polish(progress.step, polishing.before, after.mean_rtd)
        if polish.kept:
            best, scored = progress.rotation() @ subspace.components, after
    basis = score_vectors(
        generator,
        settings,
        subspace,
        run.loss,
        settings.method,
        best,
        factors=progress.factors,
        scores=scored,
        on_share=run.sharing("effects"),
    )
    return run.result(
        subspace,
        basis,
        history=polishing.student.history,
        steps_done=settings.steps,
        target=progress.target,
        student=polishing.student,
        polish=polish,
        ended=ended,
    )


def polish_settings(settings: DiscoverySettings) -> DiscoverySettings:
    """The settings of the steps on the generator that follow a search on a student, of resolved ones."""
    assert settings.polish is not None
    return replace(
        settings,
        steps=settings.polish,
        batch=min(settings.batch, _POLISH_BATCH),
        directions_per_step=min(settings.directions_per_step, _POLISH_DIRECTIONS),
        lr=_POLISH_LR * settings.lr,
        ramp=1.0,
    )


def _student(run: Run, wide: Subspace, subspace: Subspace) -> StudentSearch:
    """The last of better and better students; results of earlier ones are handed out while the search goes on."""
    settings = run.settings
    found = None
    for found in search_on_students(
        run.generator,
        settings,
        wide,
        subspace,
        run.loss,
        kept=run.images,
        on_phase=run.on_phase,
        stop=run.out_of(_BUDGET_IMAGES),
    ):
        if not found.final and run.on_early is not None:
            run.on_phase("early pictures", 0.0, "")
            run.on_early(_early(run, found, subspace))
    assert found is not None
    return found


def _early(run: Run, found: StudentSearch, subspace: Subspace) -> DiscoveryResult:
    """The result of a student, scored on it."""
    progress = found.progress
    basis = score_vectors(
        found.student,
        student_settings(run.settings),
        subspace,
        run.loss,
        run.settings.method,
        progress.rotation() @ subspace.components,
        factors=progress.factors,
    )
    return run.result(
        subspace,
        basis,
        history=progress.history,
        steps_done=progress.step,
        student=found.report,
        early=True,
    )


def _steps(settings: DiscoverySettings, subspace: Subspace, progress: Progress) -> Tensor:
    """Shifts (n, d) along the basis as it stands, with the factors that equalise them."""
    return subspace.steps(progress.rotation() @ subspace.components, progress.factors * settings.amplitude)
