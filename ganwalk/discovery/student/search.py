"""The search on a student: images, fit, the steps of the optimisation; more images while the student is poor."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ganwalk.compute import parallel
from ganwalk.discovery.methods import method_of
from ganwalk.discovery.optimisation import Progress, optimise, start
from ganwalk.discovery.results import StudentReport
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student.fitting import fit_network
from ganwalk.discovery.student.generator import Student, told_apart
from ganwalk.discovery.student.images import Images, draw_images
from ganwalk.discovery.student.shifts import Shifts
from ganwalk.discovery.subspace import Subspace
from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT, View
from ganwalk.generators.base import Generator, device_of
from ganwalk.rtd import RTDLoss

# Components that images are shifted along, at least: a search of fewer directions can use the same images.
SHIFTED_COMPONENTS = 20
# Searches shift by up to the amplitude, times what equalises the image change: mostly less than two.
_REACH = 2.0
# Held R² with which more images are no longer worth their time, and what they must add to it otherwise.
_GOOD = 0.75
_GAIN = 0.02
# As good as it gets: an early student that reaches this is the last.
_PERFECT = 0.97
# How often the number of images may be doubled.
_DOUBLINGS = 2
# Share of its image change by which a student may be trusted at all.
USABLE = 0.5
# On large networks a first student is fitted to this share of the images, for an early result.
_EARLY = 3
# The student costs nothing next to its generator, however many latents it is given at once.
_CHUNK = 4096

OnPhase = Callable[[str, float, str], None]


@dataclass(frozen=True)
class StudentSearch:
    """A basis that was found on a student.

    Attributes:
        student: the generator that it was found on.
        report: what it rests on.
        progress: of the optimisation, complete.
        final: whether no larger student follows.
    """

    student: Student
    report: StudentReport
    progress: Progress
    final: bool


def search_on_students(
    generator: Generator,
    settings: DiscoverySettings,
    wide: Subspace,
    subspace: Subspace,
    loss: RTDLoss,
    *,
    kept: Path | None = None,
    on_phase: OnPhase | None = None,
    stop: Callable[[], bool] | None = None,
) -> Iterator[StudentSearch]:
    """Searches on better and better students, each fitted to more images; the last one is marked.

    Args:
        settings: resolved.
        wide: components along which the images are shifted; those of `subspace`, which is searched, come first.
        kept: file of the images; None keeps none.
        on_phase: told the phase ("images", "student", "search"), its share that is done, and a note.
        stop: asked whether what is there must do.
    """
    tell = on_phase or (lambda phase, share, note: None)
    view = settings.view()
    shifts = Shifts(view, wide, _REACH * settings.amplitude, settings.image_seed)
    wanted = settings.images
    assert wanted is not None
    counts = [wanted * 2**k for k in range(_DOUBLINGS + 1)]
    if generator.resolution > IMAGE_DISTANCE_LIMIT:
        counts.insert(0, max(256, wanted // _EARLY))
    reached = -1.0
    for count in counts:
        most = max(count, wanted)
        images = draw_images(
            generator,
            shifts,
            count,
            kept,
            lambda done, most=most: tell("images", min(1.0, done / most), str(done)),  # type: ignore[misc]
            stop,
        ).reduced()
        tell("student", 0.0, "")
        student, r2 = _fitted(generator, view, images, settings.seed, lambda share: tell("student", share, ""))
        early = count < wanted
        enough = r2 >= (_PERFECT if early else _GOOD)
        stopped = len(images) < count or (stop is not None and parallel.shared(stop()))
        through = len(images) >= count and (enough or count == counts[-1] or (count > wanted and r2 - reached < _GAIN))
        final = through or stopped
        reached = r2
        if early or final:
            tell("search", 0.0, "")
            progress = _searched(student, settings, subspace, loss, lambda share: tell("search", share, ""))
            report = StudentReport(len(images), r2, images.captured, progress.history, cut=final and not through)
            yield StudentSearch(student, report, progress, final)
        if final:
            return


def student_settings(settings: DiscoverySettings) -> DiscoverySettings:
    """The settings of a search on a student: nothing of it needs small chunks or another precision."""
    return replace(settings, chunk=_CHUNK, precision="float32")


def _fitted(
    generator: Generator, view: View, images: Images, seed: int, on_share: Callable[[float], None]
) -> tuple[Student, float]:
    """A student of images, and its R² on images held back; the first process fits it for all."""
    fit = None
    device = device_of(generator)
    if parallel.rank() == 0:
        fit = fit_network(images.inputs, images.coordinates, seed=seed, device=device, on_share=on_share)
    fit = parallel.shared(fit)
    assert fit is not None
    unit = math.sqrt(images.coordinates.shape[1] / max(1, images.values))
    student = Student(generator, view.layer, told_apart(view, generator.num_layers), fit.network.to(device), unit)
    return student, fit.r2


def _searched(
    student: Student,
    settings: DiscoverySettings,
    subspace: Subspace,
    loss: RTDLoss,
    on_share: Callable[[float], None],
) -> Progress:
    """The whole optimisation on a student; the first process runs it for all."""
    progress = None
    if parallel.rank() == 0:
        options = student_settings(settings)
        make, total = method_of(settings.method).objective, settings.steps
        assert make is not None and total is not None
        with parallel.alone():
            progress = start(student, options, subspace)
            optimise(
                student,
                options,
                subspace,
                make(student, options, loss),
                progress,
                on_step=lambda done: on_share(done.step / total),
            )
    progress = parallel.shared(progress)
    assert progress is not None
    return progress
