"""What an evaluation holds: all scores of the directions of one file, as numbers, rows and JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ganwalk import __version__
from ganwalk.discovery.scores import BasisScores
from ganwalk.evaluation.axes import AxisScores
from ganwalk.evaluation.effects import EffectScores, strongest_factor
from ganwalk.evaluation.meanings import best_possible
from ganwalk.evaluation.reconstructor import Reconstruction
from ganwalk.evaluation.representation.scoring import Representation
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.evaluation.unsupervised import ChangeScores
from ganwalk.layers import Layers
from ganwalk.rtd import Barcode


@dataclass(frozen=True)
class Evaluation:
    """Scores of the n directions of one file.

    Attributes:
        generator, method, space, layers, directions: what was scored; layers None also where directions have their own.
        compared: layer whose features the scores without labels compare, and their size; None of images.
        fingerprint: of the directions, by which a file of scores is told to be theirs.
        settings: how, with the samples filled in.
        latents: names of the files whose latents were shifted and the fingerprint of these; empty of drawn samples.
        axes: against the true axes, where the generator knows them.
        effects: on factors, where something reads them.
        reader: what read them: "latents", "scenes", or a classifier's SHA-256 and attributes; None for nothing.
        topology: RTD and displacement of each direction.
        barcodes: of each direction, between a batch and its shifted copy.
        changes: straightness, interaction and distinctness of each direction.
        reconstruction: None if it was not wanted.
        representation: likewise.
    """

    generator: str
    method: str
    space: str
    layers: Layers | None
    directions: int
    compared: tuple[int, int] | None
    fingerprint: str
    settings: EvaluationSettings
    latents: str
    axes: AxisScores | None
    effects: EffectScores | None
    reader: str | None
    topology: BasisScores
    barcodes: list[Barcode]
    changes: ChangeScores
    reconstruction: Reconstruction | None
    representation: Representation | None

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
        if self.representation is not None:
            scores |= self.representation.summary()
        return {name: _number(value) for name, value in scores.items()}

    def best_possible(self) -> dict[str, tuple[float, str]]:
        """Of scores that are limited by fewer directions than axes or factors: their best possible value, and why."""
        axes = 0 if self.axes is None else len(self.axes.axes)
        return best_possible(self.directions, axes, 0 if self.effects is None else len(self.effects.factors))

    def rows(self) -> list[dict[str, Any]]:
        """One row of values for each direction; None where there is none."""
        rows = []
        for i in range(self.directions):
            row: dict[str, Any] = {"direction": i}
            if self.axes is not None:
                matched = [name for name, k in zip(self.axes.axes, self.axes.matching.rows, strict=True) if k == i]
                row["axis"] = matched[0] if matched else None
                row["cosine"] = float(self.axes.cosines[i, self.axes.axes.index(matched[0])]) if matched else None
            if self.effects is not None:
                values = self.effects.matrix[i].tolist()
                row |= strongest_factor(self.effects.factors, values)
                row |= {f"effect_{name}": value for name, value in zip(self.effects.factors, values, strict=True)}
            row |= {"rtd": float(self.topology.rtd[i]), "displacement": float(self.topology.displacement[i])}
            for name in ("straightness", "interaction", "distinctness"):
                row[name] = _number(float(getattr(self.changes, name)[i]))
            if self.reconstruction is not None:
                row["recall"] = float(self.reconstruction.recall[i])
            if self.representation is not None:
                row["fit"] = _number(float(self.representation.encoder.fit[i]))
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
            "compared": self.compared and dict(zip(("layer", "resolution"), self.compared, strict=True)),
            "fingerprint": self.fingerprint,
            # Where files lie is nobody's business.
            "settings": {**asdict(self.settings), "latents": self.latents or None},
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
        if self.representation is not None:
            facts["representation"] = self.representation.to_json()
        return facts


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 4) for value in values]
