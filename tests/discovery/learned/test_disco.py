"""DisCo: its losses on variations that are known, and what it finds."""

import math
from dataclasses import replace

import pytest
import torch

from ganwalk.discovery.learned.disco import contrast, cost, entropy
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.generators.blobs import BlobsConfig
from ganwalk.generators.loading import make_blobs

SIDE, UP = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])


def test_the_contrast_of_known_variations():
    positive, negative = -math.log(1 / (1 + math.exp(-1))), math.log(2)
    assert float(contrast(SIDE, SIDE, UP)) == pytest.approx((positive + negative) / 2)
    # A negative that is the same is wanted to be so: it pulls as a positive does.
    assert float(contrast(SIDE, SIDE, SIDE)) == pytest.approx(positive)
    almost = torch.tensor([[0.9, math.sqrt(1 - 0.9**2)]])
    assert float(contrast(SIDE, SIDE, almost)) == pytest.approx((positive + math.log(1 + math.exp(0.9))) / 2)


def test_queries_are_pulled_to_positives_and_pushed_from_negatives():
    queries, negatives = SIDE.clone().requires_grad_(), UP.clone()
    contrast(queries, SIDE, negatives).backward()
    assert queries.grad[0, 0] < 0 < queries.grad[0, 1]


def test_the_entropy_is_smaller_where_one_dimension_dominates():
    even = torch.full((1, 2), math.sqrt(0.5))
    assert float(entropy(even)) == pytest.approx(math.log(2)) and float(entropy(SIDE)) < math.log(2) - 0.05


@pytest.mark.slow
def test_dimensions_that_do_nothing_are_left():
    blobs = make_blobs(BlobsConfig(variant="dead", resolution=16))
    settings = DiscoverySettings(n_directions=4, method="disco", subspace_dim=16, steps=120, batch=32)
    shares = [
        (run_discovery(blobs, replace(settings, seed=seed)).directions.vectors @ blobs.axes.T)
        .square()
        .sum(dim=1)
        .mean()
        for seed in (0, 1)
    ]
    # Of random directions 6 / 16; of these 0.58 to 0.76, by the seed and by a processor's rounding.
    assert sum(shares) / 2 > 0.5


def test_a_single_direction_has_no_contrast(blobs):
    with pytest.raises(GanwalkError, match="--n-directions 2 or more"):
        run_discovery(blobs, DiscoverySettings(n_directions=1, method="disco"))


def test_half_of_the_shifted_images_have_gradients():
    assert cost(64, 10) == (96, 32) and cost(3, 2) == (4, 2)
