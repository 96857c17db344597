"""A whole discovery: subspace, search, scores, the result."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.discovery import jacobian
from ganwalk.discovery.checkpointing import Polishing, fingerprint, load_checkpoint, save_checkpoint
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.learned.training import Training, begin, train
from ganwalk.discovery.methods import METHODS, method_of
from ganwalk.discovery.objectives.base import HELD_SEED, Timing
from ganwalk.discovery.optimisation import Progress, equal_factors, equalize, optimise, start
from ganwalk.discovery.ranges import cleanest, likeness, ranges_of_layers
from ganwalk.discovery.results import Basis, DiscoveryResult, Polish, as_directions
from ganwalk.discovery.scores import BasisScores, Changes, image_changes, score_basis
from ganwalk.discovery.settings import OBLIQUE_TOO, DiscoverySettings
from ganwalk.discovery.student.images import IMAGES_FILE
from ganwalk.discovery.student.search import (
    SHIFTED_COMPONENTS,
    USABLE,
    OnPhase,
    StudentSearch,
    search_on_students,
    student_settings,
)
from ganwalk.discovery.subspace import Subspace, latent_subspace
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, space_dim
from ganwalk.layers import AUTO, Layers, in_words
from ganwalk.rtd import RTDLoss

_SAVE_EVERY_SECONDS = 5.0
# Of the steps on a network after a search on a student: they only correct what the student got wrong.
_POLISH_BATCH = 32
_POLISH_DIRECTIONS = 4
_POLISH_LR = 0.04
# Share of a budget after which no more images are made, and another one after which the steps end: scores follow.
_BUDGET_IMAGES = 0.45
_BUDGET_STEPS = 0.75
_ALL_LAYERS = "all layers"


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
        on_phase: told the phase ("images", "student", "search", "steps", "polish", "scores", "baselines"), its share
            that is done, and a note.
        on_early: given the results of first students, scored on these, while the search goes on.
        reader: what reads factors, for methods that are supervised.
    Raises:
        GanwalkError: settings that do not fit the generator or the method, or nothing to resume.
    """
    settings = settings.resolve(generator)
    method = method_of(settings.method)
    if resume and (method.find or method.fit):
        raise GanwalkError(f"nothing to resume: {settings.method} has a closed form; run without --resume")
    run = _Run(
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
    return _compared(run, _over_ranges(run) if settings.layers == AUTO else _found(run))


def _found(run: _Run) -> DiscoveryResult:
    """The directions of one method, in one range of layers."""
    method = method_of(run.settings.method)
    if method.candidates:
        return _chosen(run)
    if method.learner is not None:
        return _learned(run)
    if method.objective is None:
        return _closed(run)
    return _searched_directly(run) if run.settings.search == "direct" else _searched_on_student(run)


@dataclass(frozen=True)
class _Run:
    """What the parts of one discovery share; see `run_discovery`."""

    generator: Generator
    settings: DiscoverySettings
    loss: RTDLoss
    timing: Timing
    started: float
    checkpoint: Path | None
    resume: bool
    images: Path | None
    on_step: Callable[[Progress | Training], None] | None
    on_phase: OnPhase
    on_early: Callable[[DiscoveryResult], object] | None
    reader: FactorReader | None

    def out_of(self, share: float) -> Callable[[], bool] | None:
        """Asks whether a share of the budget is spent; None without a budget."""
        budget = self.settings.budget
        return None if budget is None else lambda: time.monotonic() - self.started > share * budget

    @property
    def fingerprint(self) -> str:
        identity = self.generator.identity
        return fingerprint(self.settings, identity.sha256 + identity.interface)

    def sharing(self, phase: str) -> Callable[[float], None]:
        """Takes the share of a phase that is done."""
        return lambda share: self.on_phase(phase, share, "")

    def result(self, subspace: Subspace, found: Basis, **search: Any) -> DiscoveryResult:
        """The result of a basis, and what is known of its search: further fields of `DiscoveryResult`."""
        settings = self.settings
        oblique = method_of(settings.method).oblique or (settings.oblique and settings.method in OBLIQUE_TOO)
        return DiscoveryResult(
            directions=as_directions(self.generator, settings, found, oblique=oblique),
            bases=(found,),
            explained=subspace.explained,
            settings=settings,
            timing=self.timing,
            **search,
        )


def search_space(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """The informative subspace of resolved settings.

    In w, the latents' own principal components; in z, where they have no preferred ones, the directions that change
    the image.
    """
    subspace = _latent_statistics(generator, settings)
    dim = len(subspace.components)
    if settings.space == "w" or dim == generator.z_dim:
        return subspace
    components = jacobian.find_directions(generator, settings.view(), dim, seed=settings.seed)
    return replace(subspace, components=components)


def _latent_statistics(generator: Generator, settings: DiscoverySettings) -> Subspace:
    """Covariance and principal components of the latents: all that a closed form needs for its scales."""
    assert settings.space is not None and settings.subspace_dim is not None
    return latent_subspace(
        generator,
        settings.space,
        settings.subspace_dim,
        class_index=settings.class_index,
        seed=settings.seed,
    )


def closed_form(
    generator: Generator,
    settings: DiscoverySettings,
    name: str,
    on_share: Callable[[float], None] | None = None,
) -> Tensor:
    """Directions (n, d) of a method that has a closed form, for resolved settings."""
    find = METHODS[name].find
    assert find is not None
    return find(generator, settings.view(), settings.n_directions, seed=settings.seed, on_share=on_share)


def score_vectors(
    generator: Generator,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    name: str,
    vectors: Tensor,
    *,
    target: float = 0.0,
    factors: Tensor | None = None,
    scores: BasisScores | None = None,
    on_share: Callable[[float], None] | None = None,
) -> Basis:
    """Unit vectors (n, d) with their scores on the held batch, sorted by falling effect on the image.

    Args:
        target: image change that equalised shifts are to make; 0 stands for the root mean square of these vectors' own.
        factors: (n,) that equalise their shifts, where they are known.
        scores: of the shifts with these factors, where they are known.
        on_share: called with the share of the work that is done.
    """
    view, seed = settings.view(), settings.seed + HELD_SEED
    assert settings.scored is not None
    tell = on_share or (lambda share: None)
    ones = torch.ones(len(vectors), dtype=torch.float64)

    def changes(steps: Tensor) -> Changes:
        return image_changes(
            generator, view, steps, batch=settings.measured, seed=seed, on_share=lambda share: tell(share / 3)
        )

    plain = changes(subspace.steps(vectors, settings.amplitude))
    if factors is None and settings.equalize and settings.search == "direct":
        _, factors, _ = equalize(changes, plain, subspace, vectors, settings.amplitude, ones, target, rounds=3)
    elif factors is None and settings.equalize:
        # From few images; to measure the outcome again would take as long as all else.
        target = target or float(plain.displacement.square().mean().sqrt())
        factors = equal_factors(plain.displacement, ones, target)
    steps = subspace.steps(vectors, settings.amplitude * (ones if factors is None else factors))
    if scores is None:
        scores = score_steps(generator, settings, loss, steps, lambda share: tell((1 + 2 * share) / 3))
    order = plain.displacement.argsort(descending=True)
    return Basis(
        name=name,
        vectors=vectors.float()[order],
        scales=subspace.scales(vectors).float()[order],
        effects=plain.displacement[order],
        steps=steps[order],
        scores=scores.ordered(order),
    )


def score_steps(
    generator: Generator,
    settings: DiscoverySettings,
    loss: RTDLoss,
    steps: Tensor,
    on_share: Callable[[float], None] | None = None,
) -> BasisScores:
    """Scores and barcodes of shifts (n, d) on the held batch of resolved settings."""
    assert settings.scored is not None
    return score_basis(
        generator,
        settings.view(),
        steps,
        loss,
        batch=settings.scored,
        seed=settings.seed + HELD_SEED,
        with_barcodes=True,
        on_share=on_share,
    )


def _closed(run: _Run) -> DiscoveryResult:
    """The directions of a method with a closed form, or of one that is told the factors."""
    settings = run.settings
    subspace = _latent_statistics(run.generator, settings)
    fit = method_of(settings.method).fit
    notices: tuple[str, ...] = ()
    if fit is None:
        run.on_phase("search", 0.0, "")
        vectors = closed_form(run.generator, settings, settings.method, run.sharing("search"))
    elif run.reader is None:
        raise GanwalkError(
            f"{settings.method} is supervised, and nothing here reads factors off the images: give an attribute "
            "classifier (--classifier FILE --trust; in Python, a reader)"
        )
    else:
        vectors, notices = fit(run.generator, settings, run.reader, run.sharing("images"))
    found = score_vectors(
        run.generator, settings, subspace, run.loss, settings.method, vectors, on_share=run.sharing("scores")
    )
    return run.result(subspace, found, notices=notices)


def _chosen(run: _Run) -> DiscoveryResult:
    """The directions of the candidate by which the shape of a batch changes less, and those of the other beside them.

    RTD at a shift of one standard deviation, weighted by how much each direction changes the image, so that one that
    does nothing cannot win: docs/study-field.md says what speaks for it.
    """
    settings = run.settings
    searched, closed = method_of(settings.method).candidates
    result = _found(replace(run, settings=replace(settings, method=searched)))
    if result.ended == "interrupt":
        return replace(result, settings=settings)
    run.on_phase(closed, 0.0, "")
    subspace = _latent_statistics(run.generator, settings)
    try:
        vectors = closed_form(run.generator, settings, closed, run.sharing(closed))
    except GanwalkError as error:
        notice = f"{searched} was taken, since {closed} cannot serve this generator: {error}"
        return replace(result, settings=settings, notices=(*result.notices, notice))
    first = result.bases[0]
    second = score_vectors(run.generator, settings, subspace, run.loss, closed, vectors, target=result.target)
    run.on_phase("choice", 0.5, "")
    changes = [
        shape_change(run.generator, settings, run.loss, basis.vectors, basis.scales) for basis in (first, second)
    ]
    best, other = (second, first) if changes[1] < changes[0] else (first, second)
    oblique = method_of(best.name).oblique
    notice = (
        f"{best.name} was taken: at one standard deviation the shape of a batch changes by {changes[0]:.2f} "
        f"({searched}) and {changes[1]:.2f} ({closed}): RTD weighted by image change"
    )
    return replace(
        result,
        directions=as_directions(run.generator, settings, best, oblique=oblique),
        bases=(best, other),
        settings=settings,
        notices=(*result.notices, notice),
    )


def _over_ranges(run: _Run) -> DiscoveryResult:
    """The cleanest directions of several ranges of layers, each with the range that it was found in.

    Clean is a direction whose shift, as long as it takes for one common change of the image, changes the shape of a
    batch little (`ranges.cleanest`).
    """
    generator, settings = run.generator, run.settings
    assert settings.layer is not None and settings.space is not None
    limits = ranges_of_layers(generator, settings.layer)
    parts: list[DiscoveryResult] = []
    for k, layers in enumerate(limits):
        parts.append(_found(_within(run, layers, k, len(limits))))
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


def _within(run: _Run, layers: Layers | None, number: int, count: int) -> _Run:
    """The part of a discovery that searches in one range of layers, with files of its own beside the whole one's."""
    settings = run.settings
    budget = None if settings.budget is None else settings.budget / count

    def own(path: Path | None) -> Path | None:
        return path if path is None or number == 0 else path.with_stem(f"{path.stem}-{number}")

    checkpoint, images = own(run.checkpoint), own(run.images)
    begun = any(path is not None and path.exists() for path in (checkpoint, images))
    return replace(
        run,
        settings=replace(settings, layers=layers, budget=budget),
        started=time.monotonic(),
        checkpoint=checkpoint,
        images=images,
        resume=run.resume and (begun or number == 0),
        on_phase=lambda phase, share, note: run.on_phase(f"{in_words(layers)}: {phase}", share, note),
        on_early=None,
    )


def shape_change(
    generator: Generator, settings: DiscoverySettings, loss: RTDLoss, vectors: Tensor, scales: Tensor
) -> float:
    """Mean RTD of shifts by one standard deviation on the held batch of resolved settings, weighted by image change.

    Args:
        vectors: (n, d) unit vectors.
        scales: (n,) standard deviations along them.
    """
    assert settings.scored is not None
    seed = settings.seed + HELD_SEED
    steps = scales[:, None] * vectors
    found = score_basis(generator, settings.view(), steps, loss, batch=settings.scored, seed=seed, with_barcodes=False)
    weights = found.displacement.double()
    return float((weights * found.rtd.double()).sum() / weights.sum())


def _learned(run: _Run) -> DiscoveryResult:
    """Directions that are trained, most of them with networks."""
    generator, settings = run.generator, run.settings
    make = method_of(settings.method).learner
    assert make is not None and settings.steps is not None
    subspace = search_space(generator, settings)
    run.on_phase("start", 0.0, "")
    learner = make(generator, settings, subspace)
    if run.resume and run.checkpoint is not None:
        training, _ = load_checkpoint(run.checkpoint, run.fingerprint, Training)
    else:
        training = begin(generator, settings, subspace, learner)

    def work(after_step: Callable[[Progress | Training], None]) -> None:
        stop = run.out_of(_BUDGET_STEPS)
        train(generator, settings, subspace, learner, training, timing=run.timing, on_step=after_step, stop=stop)

    ended = _guarded(run, "steps", settings.steps, training, work)
    vectors = training.rows(learner) @ subspace.components
    found = score_vectors(
        generator, settings, subspace, run.loss, settings.method, vectors, on_share=run.sharing("scores")
    )
    return run.result(subspace, found, history=training.history, steps_done=training.step, ended=ended)


def _searched_directly(run: _Run, notices: tuple[str, ...] = ()) -> DiscoveryResult:
    """The whole optimisation on the generator itself."""
    generator, settings = run.generator, run.settings
    make = method_of(settings.method).objective
    assert make is not None
    subspace = search_space(generator, settings)
    if run.resume and run.checkpoint is not None:
        progress, _ = load_checkpoint(run.checkpoint, run.fingerprint, Progress)
    else:
        run.on_phase("start", 0.0, "")
        progress = start(generator, settings, subspace)
    ended = _stepped(run, "steps", settings, subspace, progress)
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


def _searched_on_student(run: _Run) -> DiscoveryResult:
    """The optimisation on a student of the generator, and a few steps on the generator itself."""
    generator, settings = run.generator, run.settings
    assert settings.space is not None and settings.subspace_dim is not None
    assert settings.polish is not None and settings.steps is not None
    dim = settings.subspace_dim
    shifted = max(dim, min(SHIFTED_COMPONENTS, space_dim(generator, settings.space)))
    wide = search_space(generator, replace(settings, subspace_dim=shifted))
    subspace = wide.first(dim)
    scored = None
    if run.resume and run.checkpoint is not None and run.checkpoint.exists():
        progress, polishing = load_checkpoint(run.checkpoint, run.fingerprint, Progress)
        if polishing is None:
            return _searched_directly(run)
    else:
        if run.resume and (run.images is None or not run.images.exists()):
            raise GanwalkError(f"nothing to resume: {run.checkpoint} does not exist; run without --resume")
        found = _student(run, wide, subspace)
        r2 = found.report.r2
        if settings.search == "auto" and r2 < USABLE:
            run.on_phase("steps", 0.0, "searching on the generator itself: no student explains it")
            notice = (
                f"a student of {found.report.images} images explains too little (R² {r2:.2f}): "
                "the search was on the generator itself"
            )
            return _searched_directly(replace(run, resume=False), (notice,))
        progress = Progress(
            found.progress.rotation(),
            torch.zeros_like(found.progress.skew),
            {},
            found.progress.factors,
            found.progress.target,
        )
        steps = _steps(settings, subspace, progress)
        scored = score_steps(generator, settings, run.loss, steps, run.sharing("scores before"))
        polishing = Polishing(found.report, scored.mean_rtd)
    best = progress.base @ subspace.components
    ended, polish = "", None
    if settings.polish > 0:
        ended = _stepped(run, "polish", polish_settings(settings), subspace, progress, polishing)
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


def _student(run: _Run, wide: Subspace, subspace: Subspace) -> StudentSearch:
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


def _early(run: _Run, found: StudentSearch, subspace: Subspace) -> DiscoveryResult:
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


def _stepped(
    run: _Run,
    phase: str,
    settings: DiscoverySettings,
    subspace: Subspace,
    progress: Progress,
    polishing: Polishing | None = None,
) -> str:
    """Runs an optimisation on the generator; returns what ended it early, as `_guarded`."""
    make = method_of(settings.method).objective
    assert make is not None and settings.steps is not None
    objective = make(run.generator, settings, run.loss)

    def work(after_step: Callable[[Progress | Training], None]) -> None:
        optimise(
            run.generator,
            settings,
            subspace,
            objective,
            progress,
            timing=run.timing,
            on_step=after_step,
            evaluated=polishing is None,
            stop=run.out_of(_BUDGET_STEPS),
        )

    return _guarded(run, phase, settings.steps, progress, work, polishing)


def _guarded(
    run: _Run,
    phase: str,
    steps: int,
    progress: Progress | Training,
    work: Callable[[Callable[[Progress | Training], None]], None],
    polishing: Polishing | None = None,
) -> str:
    """Runs steps with checkpoints, to their end, to that of the budget, or to an interrupt.

    Args:
        steps: that `progress` is to reach.
        work: does those that it lacks, and calls what it is given after each.
    Returns:
        What ended them early: "budget", "interrupt", or nothing.
    """
    name = run.fingerprint
    saved_at = time.monotonic()

    def after_step(progress: Progress | Training) -> None:
        nonlocal saved_at
        if run.checkpoint is not None and time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
            save_checkpoint(run.checkpoint, progress, name, polishing)
            saved_at = time.monotonic()
        last = progress.history[-1]
        run.on_phase(phase, progress.step / steps, f"loss {last.get('loss', last.get('held')):.3f}")
        if run.on_step is not None:
            run.on_step(progress)

    run.on_phase(phase, progress.step / max(1, steps), "")
    try:
        work(after_step)
    except KeyboardInterrupt:
        if progress.step == 0 and polishing is None:
            raise
        return "interrupt"
    finally:
        if run.checkpoint is not None and (progress.step > 0 or polishing is not None):
            save_checkpoint(run.checkpoint, progress, name, polishing)
    return "" if progress.step >= steps else "budget"


def _compared(run: _Run, result: DiscoveryResult) -> DiscoveryResult:
    """The result with the bases of closed forms beside it, scored alike."""
    found, settings = result.bases[0], run.settings
    names = [name for name in settings.compared if name not in [basis.name for basis in result.bases]]
    if not names:
        return result
    target = result.target
    if settings.equalize:
        target = target or float(found.effects.square().mean().sqrt())
    subspace = _latent_statistics(run.generator, settings)
    bases = list(result.bases)
    for name in names:
        # A baseline that cannot serve this generator is no reason to lose the result.
        with contextlib.suppress(GanwalkError):
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
    return replace(result, bases=tuple(bases))
