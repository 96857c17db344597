"""One call that scores directions in every way their generator allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.discovery.scores import BasisScores
from ganwalk.discovery.view import IMAGE_DISTANCE_LIMIT
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.axes import AxisScores, axis_scores, has_axes
from ganwalk.evaluation.effects import EffectScores, effect_scores, owned_factors
from ganwalk.evaluation.factors import FactorReader, factor_reader
from ganwalk.evaluation.reconstructor import Reconstruction, reconstruct
from ganwalk.evaluation.unsupervised import ChangeScores, change_scores, topology_scores
from ganwalk.evaluation.views import view_of
from ganwalk.generators.base import Generator, device_of
from ganwalk.rtd import Barcode

# Told what is being measured, and the share of everything that is done.
OnProgress = Callable[[str, float], None]
# By default: latents of a batch, of the comparison of changes, and pairs of the reconstructor, for small generators and
# for those whose images take seconds.
_SMALL = (100, 16, 1024)
_LARGE = (32, 8, 256)
# Beyond it, images have long been saturated, and numbers overflow.
_MAX_AMPLITUDE = 1000.0
# Points of the clouds between which RTD is taken.
_MAX_POINTS = 64


@dataclass(frozen=True)
class EvaluationSettings:
    """Options of `ganwalk evaluate`.

    Attributes:
        samples: latents that are shifted along every direction; None takes 100, or 32 above 128 px. The clouds of RTD
            have at most 64 of them.
        amplitude: length of a shift in standard deviations along the direction.
        truncation_psi, class_index: of the batches.
        reconstructor: train the network that tells directions apart.
        chunk: images synthesised at once; None chooses for the generator.
        seed: fixes everything random.
    """

    samples: int | None = None
    amplitude: float = 1.0
    truncation_psi: float = 1.0
    class_index: int | None = None
    reconstructor: bool = True
    chunk: int | None = None
    seed: int = 0

    def resolve(self, generator: Generator) -> EvaluationSettings:
        """These settings with the samples filled in and every value checked against the generator."""
        samples = _sizes(generator)[0] if self.samples is None else self.samples
        if samples < 4:
            raise GanwalkError(f"samples must be at least 4, not {samples}: fewer have no topology to compare")
        if not 0 < self.amplitude <= _MAX_AMPLITUDE:
            raise GanwalkError(f"amplitude must be above 0 and at most {_MAX_AMPLITUDE:g} σ, not {self.amplitude:g}")
        if not abs(self.truncation_psi) < math.inf or self.truncation_psi == 0:
            raise GanwalkError(f"truncation must be finite and not 0, where all images are one: {self.truncation_psi}")
        if self.chunk is not None and self.chunk < 1:
            raise GanwalkError(f"chunk must be at least 1, not {self.chunk}")
        if self.class_index is not None and not 0 <= self.class_index < generator.c_dim:
            raise GanwalkError(f"class {self.class_index} does not exist: this generator has {generator.c_dim} classes")
        return replace(self, samples=samples)


@dataclass(frozen=True)
class Evaluation:
    """Scores of the n directions of one file.

    Attributes:
        generator, method, space, layers, directions: what was scored.
        fingerprint: of the directions, by which a file of scores is told to be theirs.
        settings: how, with the samples filled in.
        axes: against the true axes, where the generator knows them.
        effects: on factors, where something reads them.
        reader: what read them: "latents", "scenes", or a classifier's SHA-256 and attributes; None for nothing.
        topology: RTD and displacement of each direction.
        barcodes: of each direction, between a batch and its shifted copy.
        changes: straightness, interaction and distinctness of each direction.
        reconstruction: None if it was not wanted.
    """

    generator: str
    method: str
    space: str
    layers: tuple[int, int] | None
    directions: int
    fingerprint: str
    settings: EvaluationSettings
    axes: AxisScores | None
    effects: EffectScores | None
    reader: str | None
    topology: BasisScores
    barcodes: list[Barcode]
    changes: ChangeScores
    reconstruction: Reconstruction | None

    def summary(self) -> dict[str, float | None]:
        """One number for each score; None where no direction has a value."""
        scores: dict[str, float] = {}
        if self.axes is not None:
            scores |= {"mean_cosine": self.axes.mean_cosine, "mcc": self.axes.mcc}
        if self.effects is not None:
            for name in ("overall", "disentanglement", "completeness", "gap", "coverage"):
                scores[name] = getattr(self.effects, name)
        scores |= {"rtd": self.topology.mean_rtd, "displacement": self.topology.mean_displacement}
        for name in ("straightness", "interaction", "distinctness"):
            scores[name] = float(getattr(self.changes, name).nanmean())
        if self.reconstruction is not None:
            scores["reconstructor_accuracy"] = self.reconstruction.accuracy
            scores["reconstructor_amplitude_error"] = self.reconstruction.amplitude_error
        return {name: _number(value) for name, value in scores.items()}

    def rows(self) -> list[dict[str, Any]]:
        """One row of values for each direction; None where there is none."""
        rows = []
        owned = None if self.effects is None else owned_factors(self.effects.matrix)
        for i in range(self.directions):
            row: dict[str, Any] = {"direction": i}
            if self.axes is not None:
                matched = [name for name, k in zip(self.axes.axes, self.axes.matching.rows, strict=True) if k == i]
                row["axis"] = matched[0] if matched else None
                row["cosine"] = float(self.axes.cosines[i, self.axes.axes.index(matched[0])]) if matched else None
            if self.effects is not None and owned is not None:
                own = owned[i]
                row["factor"] = None if own is None else self.effects.factors[own]
                values = self.effects.matrix[i].tolist()
                row |= {f"effect_{name}": value for name, value in zip(self.effects.factors, values, strict=True)}
            row |= {"rtd": float(self.topology.rtd[i]), "displacement": float(self.topology.displacement[i])}
            for name in ("straightness", "interaction", "distinctness"):
                row[name] = _number(float(getattr(self.changes, name)[i]))
            if self.reconstruction is not None:
                row["recall"] = float(self.reconstruction.recall[i])
            rows.append(row)
        return rows

    def to_json(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        facts: dict[str, Any] = {
            "generator": self.generator,
            "method": self.method,
            "space": self.space,
            "layers": self.layers,
            "version": __version__,
            "fingerprint": self.fingerprint,
            "settings": asdict(self.settings),
            "summary": self.summary(),
            "directions": self.rows(),
            "barcodes": [
                {"births": _rounded(barcode.births), "deaths": _rounded(barcode.deaths)} for barcode in self.barcodes
            ],
        }
        if self.axes is not None:
            facts["axes"] = {
                "names": self.axes.axes,
                "cosines": self.axes.cosines.tolist(),
                "correlations": self.axes.correlations.tolist(),
                "matching": self.axes.matching.rows,
                "correlation_matching": self.axes.correlation_matching.rows,
            }
        if self.effects is not None:
            facts["effects"] = {
                "reader": self.reader,
                "names": self.effects.factors,
                "matrix": self.effects.matrix.tolist(),
            }
        return facts


def evaluate(
    generator: Generator,
    directions: Directions,
    *,
    reader: FactorReader | None = None,
    threads: int | None = None,
    on_progress: OnProgress | None = None,
    **settings: Any,
) -> Evaluation:
    """Scores directions: against known axes and factors where there are any, and without labels in any case.

    Args:
        generator: a module from `ganwalk.load_generator`, that the directions belong to.
        reader: what reads factors off images, such as `factors.load_classifier`; None takes what ganwalk has
            for the generator (`factors.factor_reader`): of `blobs` and `scenes`.
        threads: threads of the topology engine; None takes all cores.
        on_progress: told what is being measured, and the share of everything that is done.
        settings: any field of `EvaluationSettings`, such as samples=200, amplitude=2.0, seed=1.
    Raises:
        GanwalkError: the directions or the settings do not fit the generator.
    """
    options = EvaluationSettings(**settings).resolve(generator)
    samples = options.samples
    assert samples is not None
    directions = directions.to(device_of(generator))
    directions.check(generator)
    reader = reader or factor_reader(generator)
    _, change_samples, pairs = _sizes(generator)
    batch: dict[str, Any] = {"truncation_psi": options.truncation_psi, "class_index": options.class_index}
    how: dict[str, Any] = {"amplitude": options.amplitude, "seed": options.seed}
    view = view_of(generator, directions, chunk=options.chunk, **batch)

    stages = ["effects"] * (reader is not None) + ["topology", "changes"] + ["reconstructor"] * options.reconstructor

    def share_of(stage: str) -> Callable[[float], None]:
        def on_share(share: float) -> None:
            if on_progress is not None:
                on_progress(stage, (stages.index(stage) + share) / len(stages))

        on_share(0.0)
        return on_share

    axes = effects = reconstruction = None
    if has_axes(generator, directions):
        axes = axis_scores(generator, directions, seed=options.seed, **batch)
    if reader is not None:
        effects = effect_scores(
            generator,
            directions,
            reader,
            samples=samples,
            chunk=options.chunk,
            on_share=share_of("effects"),
            **batch,
            **how,
        )
    share_of("topology")
    topology, barcodes = topology_scores(
        generator, directions, view, batch=min(samples, _MAX_POINTS), threads=threads, **how
    )
    changes = change_scores(
        generator, directions, view, samples=min(samples, change_samples), on_share=share_of("changes"), **how
    )
    if options.reconstructor:
        images = view_of(generator, directions, layer=generator.num_layers - 1, chunk=options.chunk, **batch)
        reconstruction = reconstruct(
            generator, directions, images, pairs=pairs, on_share=share_of("reconstructor"), **how
        )
    return Evaluation(
        generator=directions.generator.reference,
        method=directions.method,
        space=directions.space,
        layers=directions.layers,
        directions=len(directions),
        fingerprint=directions.fingerprint(),
        settings=options,
        axes=axes,
        effects=effects,
        reader=None if reader is None else reader.identity,
        topology=topology,
        barcodes=barcodes,
        changes=changes,
        reconstruction=reconstruction,
    )


def _sizes(generator: Generator) -> tuple[int, int, int]:
    return _SMALL if generator.resolution <= IMAGE_DISTANCE_LIMIT else _LARGE


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
