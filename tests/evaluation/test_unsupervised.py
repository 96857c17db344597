"""Scores without labels, on changes that are known."""

from dataclasses import replace

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.evaluation.unsupervised import change_scores, latents_of_changes, latents_of_topology, topology_scores
from ganwalk.evaluation.views import view_of
from ganwalk.generators.loading import load_generator
from ganwalk.generators.timing import Watched
from tests.evaluation.known import axes_of, rotated
from tests.evaluation.linear import Planes


def axes(rows):
    vectors = torch.eye(4)[rows]
    return Directions(vectors, torch.ones(len(rows)), "z", Planes.identity, method="true")


def changes(directions, generator=None, **options):
    generator = generator or Planes()
    return change_scores(generator, directions, view_of(generator, directions), **options)


def test_linear_changes_are_straight_distinct_and_commute():
    found = changes(axes([0, 1]))
    for values, expected in ((found.straightness, 1.0), (found.interaction, 0.0), (found.distinctness, 1.0)):
        assert torch.allclose(values, torch.full((2,), expected), atol=1e-4)


def test_dead_directions_have_no_character_and_flatter_nobody():
    found = changes(axes([0, 2, 1]))
    for values in (found.straightness, found.interaction, found.distinctness):
        assert values.isnan().tolist() == [False, True, False]
    alone = changes(axes([0, 2]))
    assert alone.straightness[0] == pytest.approx(1, abs=1e-4)
    assert alone.interaction.isnan().all() and alone.distinctness.isnan().all()
    assert changes(axes([0])).distinctness.isnan().all()


def test_duplicated_directions_are_not_distinct():
    twice = replace(axes([0, 1]), vectors=torch.eye(4)[[0, 0]], method="imported")
    assert torch.allclose(changes(twice).distinctness, torch.zeros(2), atol=1e-4)


def test_a_product_does_not_commute_and_a_square_bends():
    found = changes(axes([0, 3]), samples=256)
    # left (1 + square): walking square by 1 first adds one unit to left's own change of |1 + square| of them.
    square = torch.randn(256, 4, generator=torch.Generator().manual_seed(0))[:, 3]
    assert found.interaction[0] == pytest.approx(float((1 / (1 + square).abs()).mean()), rel=0.02)
    assert found.straightness[1] < 0.95 < found.straightness[0]
    assert found.distinctness[1] < 1


def test_larger_shifts_interact_more_and_blocks_change_nothing():
    generator = load_generator("blobs")
    directions = axes_of(generator)
    small, large = (changes(directions, generator, amplitude=a).interaction.mean() for a in (0.2, 2.0))
    assert small < 0.5 * large
    view = view_of(generator, directions)
    shares = []
    whole = change_scores(generator, directions, view, samples=20)
    parts = change_scores(generator, directions, replace(view, chunk=7), samples=20, on_share=shares.append)
    for name in ("straightness", "interaction", "distinctness"):
        assert torch.allclose(getattr(whole, name), getattr(parts, name), atol=1e-4)
    assert len(shares) == 3 and shares[-1] == 1


def test_true_axes_of_blobs_are_more_distinct():
    generator = load_generator("blobs")
    truth, mixed = axes_of(generator), rotated(axes_of(generator))
    assert changes(truth, generator).distinctness.min() > changes(mixed, generator).distinctness.max()


def test_topology_has_a_value_for_each_direction_and_none_for_what_is_dead():
    generator = load_generator("blobs")
    truth = axes_of(generator)
    found, barcodes = topology_scores(generator, truth, view_of(generator, truth), batch=32)
    assert found.rtd.shape == (6,) and (found.rtd > 0.01).all() and (found.displacement > 0.03).all()
    assert len(barcodes) == 6 and all(barcode.total() > 0.01 for barcode in barcodes)
    dead = load_generator("blobs-dead")
    nothing = replace(axes_of(dead), vectors=dead.rotation[10:12], scales=torch.ones(2))
    assert topology_scores(dead, nothing, view_of(dead, nothing), batch=16)[0].mean_displacement < 1e-6


@pytest.mark.parametrize("n", [1, 2, 5])
def test_as_much_is_synthesised_as_is_announced(toy, n):
    made, shares = [], []
    watched = Watched(toy, made.append)
    directions = Directions(torch.eye(12)[:n], torch.ones(n), "w", toy.identity)
    view = view_of(toy, directions)
    change_scores(watched, directions, view, samples=6)
    assert sum(made) == latents_of_changes(n, 6)
    made.clear()
    topology_scores(watched, directions, view, batch=5, on_share=shares.append)
    assert sum(made) == latents_of_topology(n, 5)
    assert shares == sorted(shares) and shares[-1] == 1 and len(shares) > n


def test_directions_of_late_layers_are_seen(toy):
    directions = Directions(torch.eye(12)[:2], torch.ones(2), "w", toy.identity, layers=(4, 5), method="rtd")
    found = changes(directions, toy, samples=6)
    assert (found.straightness > 0.5).all() and (found.interaction >= 0).all()
