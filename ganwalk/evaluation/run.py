"""One call that scores directions in every way their generator allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganwalk.directions import CHANNELS, Directions
from ganwalk.discovery.factors import FactorReader
from ganwalk.discovery.view import View
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.axes import axis_scores, has_axes
from ganwalk.evaluation.effects import effect_scores
from ganwalk.evaluation.factors import factor_reader
from ganwalk.evaluation.plan import MAX_POINTS, plan
from ganwalk.evaluation.reconstructor import reconstruct
from ganwalk.evaluation.representation.labelled import LabelledImages, labelled_images
from ganwalk.evaluation.representation.scoring import represent
from ganwalk.evaluation.result import Evaluation
from ganwalk.evaluation.settings import OF_BATCHES, EvaluationSettings, default_sizes
from ganwalk.evaluation.unsupervised import change_scores, topology_scores
from ganwalk.evaluation.views import view_of
from ganwalk.files.data_place import DataPlace
from ganwalk.generators.base import Generator, device_of
from ganwalk.generators.channels import channelled
from ganwalk.interchange.latents import class_of_samples
from ganwalk.options import takes_settings
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import late_bar
from ganwalk.progress.callbacks import OnShare, OnStage
from ganwalk.progress.phases import Phases
from ganwalk.samples import StoredSamples


@takes_settings(EvaluationSettings)
def evaluate(
    generator: Generator,
    directions: Directions,
    *,
    reader: FactorReader | None = None,
    data: DataPlace | None = None,
    threads: int | None = None,
    progress: bool = False,
    on_progress: OnStage | None = None,
    **settings: Any,
) -> Evaluation:
    """Scores directions; `settings` are any fields of `EvaluationSettings`, such as samples=200, amplitude=2.0, seed=1.

    Otherwise as `run_evaluation`; `progress` shows a bar.
    """
    options = EvaluationSettings(**settings)
    with late_bar("evaluating", not progress) as advance:

        def tell(stage: str, share: float) -> None:
            advance(round(100 * share), stage)
            if on_progress is not None:
                on_progress(stage, share)

        return run_evaluation(
            generator, directions, options, reader=reader, data=data, threads=threads, on_progress=tell
        )


def run_evaluation(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings,
    *,
    reader: FactorReader | None = None,
    data: DataPlace | None = None,
    threads: int | None = None,
    on_progress: OnStage | None = None,
    on_estimate: Callable[[float], None] | None = None,
) -> Evaluation:
    """Scores directions: against known axes and factors where there are any, and without labels in any case.

    Args:
        generator: a module from `ganwalk.load_generator` that the directions belong to.
        settings: None entries are chosen for the generator.
        reader: what reads factors off images, such as `factors.load_classifier`; None takes what ganwalk has
            for the generator (`factors.factor_reader`): of `blobs` and `scenes`.
        data: where the data set lies whose images are encoded, or how it is had.
        threads: threads of the topology engine and of the metrics' models; None takes all cores.
        on_progress: told what is being measured, and the share of everything that is done.
        on_estimate: told, before anything slow begins, about how many seconds it takes.
    Raises:
        GanwalkError: the directions or the settings do not fit the generator.
    """
    prepared = _prepared(generator, directions, settings, reader, data)
    if on_estimate is not None:
        on_estimate(prepared.stages.seconds)

    def tell(name: str, share: float) -> None:
        if on_progress is not None:
            on_progress(name, prepared.stages.share(name, share))

    scores = _scores(prepared, threads, tell)
    view, options, directions = prepared.view, prepared.options, prepared.directions
    of_images = view.layer == generator.num_layers - 1
    return Evaluation(
        generator=directions.generator.reference,
        method=directions.method,
        space=directions.space,
        layers=directions.layers,
        directions=len(directions),
        compared=None if of_images else (view.layer, generator.layer_resolutions[view.layer]),
        fingerprint=directions.fingerprint(),
        settings=options,
        latents="" if prepared.given is None else options.latents_in_words(prepared.given),
        reader=None if prepared.reader is None else prepared.reader.identity,
        **scores,
    )


@dataclass(frozen=True)
class _Prepared:
    """What is scored, and how, after all that may be refused.

    Attributes:
        generator, directions, options: these, on one device, and resolved.
        reader: of factors, where there is one.
        given: latents of files, where there are any.
        view: of the batches.
        images: the view of an encoder's images, and those of the data set that it encodes, where one is wanted.
        stages: that take time.
    """

    generator: Generator
    directions: Directions
    options: EvaluationSettings
    reader: FactorReader | None
    given: StoredSamples | None
    view: View
    images: tuple[View, LabelledImages] | None
    stages: Phases


def _prepared(
    generator: Generator,
    directions: Directions,
    settings: EvaluationSettings,
    reader: FactorReader | None,
    data: DataPlace | None,
) -> _Prepared:
    """Refuses what cannot be scored before anything slow."""
    options = as_discovered(settings, class_of_samples(directions, settings.latents, generator)).resolve(generator)
    directions = directions.to(device_of(generator))
    directions.check(generator)
    reader = reader or factor_reader(generator)
    given = options.given(generator)
    latents = None if given is None else _latents_of(given, generator, directions)
    view = view_of(generator, directions, chunk=options.chunk, given=latents, **_of_batches(options))
    images = None
    if options.representation:
        assert options.dataset is not None
        last = generator.num_layers - 1
        images_view = view_of(generator, directions, layer=last, chunk=options.chunk, **_of_batches(options))
        images = images_view, labelled_images(generator, images_view, options.dataset, data)
    stages = plan(generator, directions, options, view, reader)
    return _Prepared(generator, directions, options, reader, given, view, images, stages)


def _of_batches(options: EvaluationSettings) -> dict[str, Any]:
    """The settings that every batch of latents has."""
    return {name: getattr(options, name) for name in OF_BATCHES}


def _scores(prepared: _Prepared, threads: int | None, tell: OnStage) -> dict[str, Any]:
    """The fields of an `Evaluation` that are scores."""
    generator, directions, view, options = prepared.generator, prepared.directions, prepared.view, prepared.options
    samples, sizes = options.samples, default_sizes(generator)
    assert samples is not None
    how: dict[str, Any] = {"amplitude": options.amplitude, "seed": options.seed}

    def share_of(name: str) -> OnShare:
        tell(name, 0.0)
        return lambda share: tell(name, share)

    axes = effects = reconstruction = representation = None
    if has_axes(generator, directions):
        axes = axis_scores(generator, directions, seed=options.seed, **_of_batches(options))
    if prepared.reader is not None:
        effects = effect_scores(
            generator,
            directions,
            prepared.reader,
            samples=samples,
            chunk=options.chunk,
            given=view.given,
            on_share=share_of("effects"),
            **_of_batches(options),
            **how,
        )
    topology, barcodes = topology_scores(
        generator,
        directions,
        view,
        batch=min(samples, MAX_POINTS),
        threads=threads,
        on_share=share_of("topology"),
        **how,
    )
    changes = change_scores(
        generator, directions, view, samples=min(samples, sizes.changes), on_share=share_of("changes"), **how
    )
    if options.reconstructor:
        reconstruction = reconstruct(
            generator, directions, view, pairs=sizes.pairs, on_share=share_of("reconstructor"), **how
        )
    if prepared.images is not None:
        representation = represent(
            generator,
            directions,
            *prepared.images,
            level=options.metrics,
            seed=options.seed,
            threads=threads,
            on_share=tell,
            pairs=options.encoder_pairs,
            steps=options.encoder_steps,
            batch=options.encoder_batch,
            lr=options.encoder_lr,
            width=options.encoder_width,
        )
    return {
        "axes": axes,
        "effects": effects,
        "topology": topology,
        "barcodes": barcodes,
        "changes": changes,
        "reconstruction": reconstruction,
        "representation": representation,
    }


def _latents_of(given: StoredSamples, generator: Generator, directions: Directions) -> Tensor:
    """Latents in the space of the directions, as `sample_latents` has them."""
    if directions.sampled_space == "z":
        if given.space == "w":
            raise GanwalkError(
                "--latents holds styles, which directions in z cannot shift: give codes z, or directions in w"
            )
        return given.latents.to(device_of(generator))
    with torch.no_grad():
        styles = given.styles(generator)
        return channelled(generator).channel_styles(styles) if directions.space == CHANNELS else styles
