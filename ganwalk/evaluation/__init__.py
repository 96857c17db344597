"""Evaluation: scores of directions, against known axes and factors, and without labels."""

from __future__ import annotations

from ganwalk.evaluation.axes import AxisScores, axis_scores, has_axes
from ganwalk.evaluation.effects import EffectScores, effect_scores
from ganwalk.evaluation.factors import Factor, FactorReader, factor_reader, load_classifier
from ganwalk.evaluation.run import Evaluation, EvaluationSettings, evaluate

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
