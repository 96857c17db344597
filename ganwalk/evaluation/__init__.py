"""Evaluation: scores of directions, against known axes and factors, and without labels.

Names are imported when they are first used: `ganwalk.evaluation.settings`, for command lines, loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "AxisScores": "ganwalk.evaluation.axes",
    "EffectScores": "ganwalk.evaluation.effects",
    "Evaluation": "ganwalk.evaluation.run",
    "EvaluationSettings": "ganwalk.evaluation.settings",
    "Factor": "ganwalk.discovery.factors",
    "FactorReader": "ganwalk.discovery.factors",
    "axis_scores": "ganwalk.evaluation.axes",
    "effect_scores": "ganwalk.evaluation.effects",
    "evaluate": "ganwalk.evaluation.run",
    "factor_reader": "ganwalk.evaluation.factors",
    "has_axes": "ganwalk.evaluation.axes",
    "load_classifier": "ganwalk.evaluation.factors",
}

__all__ = [
    "AxisScores",
    "EffectScores",
    "Evaluation",
    "EvaluationSettings",
    "Factor",
    "FactorReader",
    "axis_scores",
    "effect_scores",
    "evaluate",
    "factor_reader",
    "has_axes",
    "load_classifier",
]

if TYPE_CHECKING:
    from ganwalk.discovery.factors import Factor, FactorReader
    from ganwalk.evaluation.axes import AxisScores, axis_scores, has_axes
    from ganwalk.evaluation.effects import EffectScores, effect_scores
    from ganwalk.evaluation.factors import factor_reader, load_classifier
    from ganwalk.evaluation.run import Evaluation, evaluate
    from ganwalk.evaluation.settings import EvaluationSettings

__getattr__, __dir__ = names_from(__name__, _HOMES)
