"""Ways go through their keyframes, without a bend where they should, and close."""

import pytest
import torch

from ganwalk.animation.interpolation import eased, linear_weights, slerp, spline_weights

STEP = 1e-4


@pytest.fixture
def points():
    return torch.randn(5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def at(weights_at, points, position, closed):
    weights = weights_at(position, len(points), closed)
    assert sum(weights.values()) == pytest.approx(1)
    return sum(points[index] * weight for index, weight in weights.items())


@pytest.mark.parametrize("weights_at", [linear_weights, spline_weights])
@pytest.mark.parametrize("closed", [False, True])
def test_keyframes_are_hit(points, weights_at, closed):
    for k in range(len(points)):
        assert weights_at(k, len(points), closed) == {k: 1.0}
    assert weights_at(0, 1, closed) == {0: 1.0}
    if closed:
        assert torch.allclose(at(weights_at, points, len(points) - STEP, True), points[0], atol=1e-3)


@pytest.mark.parametrize("closed", [False, True])
def test_a_spline_has_no_corners(points, closed):
    positions = range(5) if closed else range(1, 4)
    for position in positions:
        before, middle, after = (
            at(spline_weights, points, (position + change) % 5, closed) for change in (-STEP, 0, STEP)
        )
        assert torch.allclose(middle - before, after - middle, atol=30 * STEP**2)
    bent = [at(linear_weights, points, 2 + change, closed) for change in (-STEP, 0, STEP)]
    assert not torch.allclose(bent[1] - bent[0], bent[2] - bent[1], atol=30 * STEP**2)


def test_a_spline_between_two_is_straight(points):
    for share in (0.0, 0.2, 0.7, 1.0):
        between = at(spline_weights, points[:2], share, False)
        assert torch.allclose(between, torch.lerp(points[0], points[1], share))


def test_slerp_keeps_lengths_and_speed():
    a, b = torch.nn.functional.normalize(torch.randn(2, 8, generator=torch.Generator().manual_seed(1))).split(1)
    shares = torch.linspace(0, 1, 9)[:, None]
    way = slerp(a.expand(9, -1), b.expand(9, -1), shares)
    assert torch.allclose(way.norm(dim=1), torch.ones(9), atol=1e-6)
    assert torch.allclose(way[0], a[0], atol=1e-6) and torch.allclose(way[-1], b[0], atol=1e-6)
    steps = (way[1:] - way[:-1]).norm(dim=1)
    assert torch.allclose(steps, steps.mean().expand(8), atol=1e-6)
    longer = slerp(2 * a, 4 * b, torch.tensor([[0.5]]))
    assert longer.norm() == pytest.approx(3, rel=1e-5)


@pytest.mark.parametrize("other", [1.0, 2.0, -1.0, 0.0])
def test_slerp_of_parallel_codes_is_finite(other):
    a = torch.ones(1, 4)
    way = slerp(a.expand(3, -1), other * a.expand(3, -1), torch.tensor([[0.0], [0.5], [1.0]]))
    assert torch.isfinite(way).all() and torch.allclose(way[0], a[0], atol=1e-5)


def test_easing_starts_and_stops():
    assert (eased(0), eased(0.5), eased(1)) == (0, 0.5, 1)
    assert eased(STEP) < 10 * STEP**2 and 1 - eased(1 - STEP) < 10 * STEP**2
    shares = [eased(k / 20) for k in range(21)]
    assert shares == sorted(shares)
