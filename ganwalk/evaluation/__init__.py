"""Evaluation: scores of directions, against known axes and factors, and without labels.

Names are imported when they are first used: `ganwalk.evaluation.settings`, for command lines, loads no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ganwalk.faces import names_from

_HOMES = {
    "AxisScores": "ganwalk.evaluation.axes",
    "Comparison": "ganwalk.evaluation.comparison",
    "EffectScores": "ganwalk.evaluation.effects",
    "Evaluation": "ganwalk.evaluation.result",
    "EvaluationSettings": "ganwalk.evaluation.settings",
    "Factor": "ganwalk.discovery.factors",
    "FactorReader": "ganwalk.discovery.factors",
    "PairedDifference": "ganwalk.statistics",
    "Relation": "ganwalk.standings",
    "Run": "ganwalk.evaluation.comparison",
    "Standing": "ganwalk.standings",
    "axis_scores": "ganwalk.evaluation.axes",
    "compare": "ganwalk.evaluation.comparison",
    "effect_scores": "ganwalk.evaluation.effects",
    "evaluate": "ganwalk.evaluation.run",
    "factor_reader": "ganwalk.evaluation.factors",
    "has_axes": "ganwalk.evaluation.axes",
    "holm": "ganwalk.statistics",
    "how_sure": "ganwalk.standings",
    "load_classifier": "ganwalk.evaluation.factors",
    "paired_difference": "ganwalk.statistics",
    "paired_differences": "ganwalk.statistics",
    "standing": "ganwalk.standings",
}

__all__ = [
    "AxisScores",
    "Comparison",
    "EffectScores",
    "Evaluation",
    "EvaluationSettings",
    "Factor",
    "FactorReader",
    "PairedDifference",
    "Relation",
    "Run",
    "Standing",
    "axis_scores",
    "compare",
    "effect_scores",
    "evaluate",
    "factor_reader",
    "has_axes",
    "holm",
    "how_sure",
    "load_classifier",
    "paired_difference",
    "paired_differences",
    "standing",
]

if TYPE_CHECKING:
    from ganwalk.discovery.factors import Factor, FactorReader
    from ganwalk.evaluation.axes import AxisScores, axis_scores, has_axes
    from ganwalk.evaluation.comparison import Comparison, Run, compare
    from ganwalk.evaluation.effects import EffectScores, effect_scores
    from ganwalk.evaluation.factors import factor_reader, load_classifier
    from ganwalk.evaluation.result import Evaluation
    from ganwalk.evaluation.run import evaluate
    from ganwalk.evaluation.settings import EvaluationSettings
    from ganwalk.standings import Relation, Standing, how_sure, standing
    from ganwalk.statistics import PairedDifference, holm, paired_difference, paired_differences

__getattr__, __dir__ = names_from(__name__, _HOMES)
