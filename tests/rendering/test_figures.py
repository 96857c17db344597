"""Figures: legends beside the curves, whole steps, and the fit of what reads directions."""

import pytest
import torch
from matplotlib.figure import Figure

from ganwalk.directions import Directions
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.evaluation.outputs import plot_evaluation
from ganwalk.evaluation.run import evaluate
from ganwalk.rendering.discovery import plot_history


@pytest.fixture
def drawn(monkeypatch):
    """Figures that are saved, as they were drawn."""
    figures = []
    save = Figure.savefig
    monkeypatch.setattr(
        Figure, "savefig", lambda self, *args, **options: figures.append(self) or save(self, *args, **options)
    )
    return figures


@pytest.mark.parametrize("steps", [2, 4, 7])
def test_short_runs_have_whole_steps_and_a_legend_beside_the_curves(blobs, drawn, tmp_path, steps):
    result = run_discovery(blobs, DiscoverySettings(n_directions=2, steps=steps, batch=8))
    plot_history(result, tmp_path / "loss.png")
    drawn[0].draw_without_rendering()
    (axes,), (legend,) = drawn[0].axes, drawn[0].legends
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert len(ticks) > 1 and all(float(tick).is_integer() for tick in ticks)
    assert axes.get_legend() is None and not legend.get_window_extent().overlaps(axes.get_window_extent())


def test_levels_of_the_generator_are_not_drawn_into_the_curve_of_a_student(blobs, drawn, tmp_path):
    few = {"n_directions": 2, "steps": 2, "batch": 8, "compared": ("pca", "random")}
    direct = run_discovery(blobs, DiscoverySettings(search="direct", **few))
    student = run_discovery(blobs, DiscoverySettings(search="student", polish=0, **few))
    for result in (direct, student):
        plot_history(result, tmp_path / "loss.png")
    (both,), (curve, levels) = (figure.axes for figure in drawn)
    assert len(both.lines) == 2 + len(direct.bases) - 1 and len(curve.lines) == 2
    assert "student" in curve.get_xlabel() and "generator" in levels.get_xlabel()
    assert [bar.get_width() for bar in levels.patches] == [basis.scores.mean_rtd for basis in student.bases]
    assert [label.get_text() for label in levels.get_yticklabels()][:2] == ["found", "PCA"]


def test_what_has_no_value_and_what_is_negative_can_be_told_apart(blobs, drawn, tmp_path):
    directions = Directions(blobs.rotation.clone()[:3], torch.ones(3), "z", blobs.identity)
    few = {"encoder_pairs": 20, "encoder_steps": 2, "metrics": "quick", "samples": 4, "reconstructor": False}
    evaluation = evaluate(blobs, directions, representation=True, **few)
    evaluation.representation.encoder.fit[:] = torch.tensor([0.0, torch.nan, -0.4])
    plot_evaluation(evaluation, tmp_path / "evaluation.png")
    assert [(words.get_text(), words.xy[1]) for words in drawn[0].axes[-1].texts] == [("no value", 1), ("−0.40", 2)]


def test_the_fit_of_an_encoder_is_drawn(blobs, drawn, tmp_path):
    directions = Directions(blobs.rotation.clone()[:2], torch.ones(2), "z", blobs.identity)
    options = {"samples": 4, "reconstructor": False}
    plain = evaluate(blobs, directions, **options)
    few = {"encoder_pairs": 20, "encoder_steps": 2, "metrics": "quick"}
    read = evaluate(blobs, directions, representation=True, **few, **options)
    read.representation.encoder.fit[:] = torch.tensor([0.75, 0.25])
    for evaluation in (plain, read):
        plot_evaluation(evaluation, tmp_path / "evaluation.png")
    titles = [[axes.get_title() for axes in figure.axes] for figure in drawn]
    assert titles[1] == [*titles[0], "fit of the\nencoder (R²)"]
    assert [bar.get_width() for bar in drawn[1].axes[-1].patches] == [0.75, 0.25]
