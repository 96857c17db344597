"""The TopDis term against values worked out by hand, and the removal of conflicting gradients."""

import math
from dataclasses import asdict, fields
from inspect import signature
from statistics import NormalDist

import pytest
import torch
from torch import nn

from ganwalk.errors import GanwalkError
from ganwalk.rtd import rtd
from vae import topdis
from vae.settings import TopDisSettings
from vae.topdis import TopDis, conflicting_shares, draw_dimensions, shift_codes, without_conflict

NORMAL = NormalDist()


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def cleaned_of(gradient, guide):
    return without_conflict(gradient, guide, conflicting_shares(gradient, guide))


def test_shift_by_hand():
    """Coordinates 0, 1, 2, 3: mean 1.5, deviation √(5/3); the last one's probability, 0.877, plus 1/8 is beyond 1."""
    z = torch.tensor([[0.0, 5.0], [1.0, 6.0], [2.0, 7.0], [3.0, 8.0]], dtype=torch.float64)
    kept, moved = shift_codes(z, 0, 1 / 8)
    deviation = math.sqrt(5 / 3)
    expected = []
    for value in (0.0, 1.0, 2.0):
        probability = NORMAL.cdf((value - 1.5) / deviation) + 1 / 8
        expected.append(NORMAL.inv_cdf(probability) * deviation + 1.5)
    assert NORMAL.cdf((3.0 - 1.5) / deviation) > 7 / 8
    assert kept.tolist() == z[:3].tolist()
    assert moved[:, 0].tolist() == pytest.approx(expected)
    assert moved[:, 1].tolist() == [5.0, 6.0, 7.0]


def test_devices_without_the_quantile_have_it_by_the_error_function(monkeypatch):
    z = torch.randn(200, 2, generator=rng(), dtype=torch.float64)
    expected = shift_codes(z, 0, 1 / 8)
    monkeypatch.setattr(topdis, "_WITHOUT_NDTRI", ("cpu",))
    monkeypatch.delattr(torch.special, "ndtri")
    for found, known in zip(shift_codes(z, 0, 1 / 8), expected, strict=True):
        torch.testing.assert_close(found, known)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("gradient", ["exact", "constant"])
def test_decoders_in_half_precision_get_codes_of_it(half, gradient):
    decode = nn.Linear(3, 20).to(half)
    z = torch.randn(32, 3, generator=rng()).to(half).requires_grad_()
    term = TopDis(shift_gradient=gradient)
    found = term(decode, z, dimension=0, sign=1)
    found.backward()
    assert z.grad.dtype == half and decode.weight.grad.isfinite().all() and decode.weight.grad.any()
    wide = TopDis()(decode.float(), z.detach().float(), dimension=0, sign=1)
    assert found.item() == pytest.approx(wide.item(), rel=0.1)


def test_shift_downwards_mirrors():
    z = torch.randn(20, 3, generator=rng(), dtype=torch.float64)
    kept, moved = shift_codes(z, 1, 1 / 8)
    mirrored, back = shift_codes(-z, 1, -1 / 8)
    assert torch.allclose(mirrored, -kept) and torch.allclose(back, -moved)


def test_constant_shifts_move_alike_and_have_a_bounded_gradient():
    """The derivative of the exact move, φ(z) / φ(z'), grows as z' goes into the tail; that of the constant one is 1."""
    z = torch.randn(500, 1, generator=rng(), dtype=torch.float64)
    gradients = []
    for gradient in ("exact", "constant"):
        codes = z.clone().requires_grad_()
        kept, moved = shift_codes(codes, 0, 1 / 8, gradient=gradient)
        assert torch.allclose(moved, shift_codes(z, 0, 1 / 8)[1])
        gradients.append(torch.autograd.grad(moved.sum(), codes)[0])
    assert gradients[0].max() > 3
    assert set(gradients[1].flatten().tolist()) == {0.0, 1.0}
    assert int(gradients[1].sum()) == len(kept)


def test_shift_keeps_a_normal_distribution():
    """Within the mask the moved coordinate is distributed as the upper 7/8 of a normal one."""
    z = torch.randn(200_000, 1, generator=rng(), dtype=torch.float64)
    kept, moved = shift_codes(z, 0, 1 / 8)
    assert len(kept) / len(z) == pytest.approx(7 / 8, abs=0.005)
    for share in (0.25, 0.5, 0.75):
        quantile = NORMAL.inv_cdf(1 / 8 + share * 7 / 8)
        assert float(moved[:, 0].quantile(share)) == pytest.approx(quantile, abs=0.02)


def test_shift_of_a_heavy_tail_leaves_no_infinity():
    """Where the probability is 1 to rounding, a step down is finite, and one up is masked out."""
    z = torch.cat([torch.zeros(500, 1), torch.tensor([[1e3]])]) + torch.randn(501, 1, generator=rng()) * 1e-3
    for sign in (1, -1):
        kept, moved = shift_codes(z, 0, sign / 8)
        assert len(kept) >= 3 and moved.isfinite().all()


@pytest.mark.parametrize("z", [torch.zeros(8, 2), torch.randn(2, 2), torch.randn(0, 2)])
def test_nothing_to_shift(z):
    assert shift_codes(z, 0, 1 / 8) is None
    assert TopDis()(lambda codes: codes, z, rng=rng()).item() == 0


def test_fewer_than_three_points_survive():
    """Of four codes, a shift by 0.7 keeps the two lowest at most."""
    z = torch.tensor([[0.0], [1.0], [2.0], [3.0]])
    assert shift_codes(z, 0, 0.7) is None
    term = TopDis(shift=0.7)(lambda codes: codes, z.requires_grad_(), dimension=0, sign=1)
    assert term.item() == 0 and not term.requires_grad


def test_a_decoder_that_overflows_makes_the_term_nan():
    term = TopDis()(lambda codes: codes * math.nan, torch.randn(8, 3, generator=rng()), rng=rng())
    assert math.isnan(term.item())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", [(slice(None), slice(None)), (4, 1), (0, 0), (slice(0, 2), 0)])
def test_codes_that_are_not_finite_make_the_term_nan(bad, place):
    """Also where the decoder hides them, or where the code itself cannot move and stays behind."""
    z = torch.linspace(-2, 2, 12)[:, None].repeat(1, 2)
    z[:, 0] = z[:, 0].flip(0)
    z[place] = bad
    for decode in (lambda codes: codes, lambda codes: torch.zeros(len(codes), 3)):
        for dimension, sign in ((0, 1), (0, -1), (1, 1), (1, -1)):
            assert math.isnan(TopDis()(decode, z, dimension=dimension, sign=sign).item())
    assert math.isnan(TopDis()(lambda codes: codes, z[:, :1].repeat(1, 2)[:2] * bad, rng=rng()).item())


def test_gamma_is_the_weight_of_the_term():
    torch.manual_seed(0)
    decoder, z = nn.Linear(3, 12), torch.randn(30, 3, requires_grad=True)
    topdis = TopDis(gamma=2.5)
    plain, weighted = (term(decoder, z, dimension=0, sign=1) for term in (TopDis(), topdis))
    assert weighted.item() == pytest.approx(2.5 * plain.item()) and plain.item() > 0
    assert topdis.divergence(decoder, z, dimension=0, sign=1).item() == plain.item()
    found, expected = (torch.autograd.grad(term, z)[0] for term in (weighted, plain))
    assert torch.allclose(found, 2.5 * expected, atol=1e-5)
    assert TopDis(gamma=0.0)(decoder, z, dimension=0, sign=1).item() == 0


def test_term_is_the_rtd_of_the_decoded_batches():
    torch.manual_seed(0)
    decoder = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 12))
    z = torch.randn(30, 3)
    kept, moved = shift_codes(z, 2, -1 / 8)
    expected = rtd(torch.sigmoid(decoder(kept)), torch.sigmoid(decoder(moved)))
    term = TopDis()(decoder, z, dimension=2, sign=-1)
    assert term.item() == pytest.approx(expected.item(), rel=1e-5)
    assert term.item() > 0


def test_a_dimension_that_the_decoder_does_not_see_costs_nothing():
    z = torch.linspace(-1, 1, 12, dtype=torch.float64)[:, None].repeat(1, 2)
    z[:, 1] = torch.randn(12, generator=rng(), dtype=torch.float64)
    seen = TopDis()(lambda codes: codes, z, dimension=0, sign=1, activation=lambda x: x)
    unseen = TopDis()(lambda codes: codes[:, 1:], z, dimension=0, sign=1, activation=lambda x: x)
    assert unseen.item() == 0
    assert seen.item() > 0


def test_gradient_reaches_decoder_and_codes():
    torch.manual_seed(1)
    decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))
    z = torch.randn(40, 4, requires_grad=True)
    TopDis()(decoder, z, dimension=1, sign=1).backward()
    assert z.grad.abs().sum() > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in decoder.parameters())


def test_gradient_is_the_derivative():
    torch.manual_seed(2)
    decoder = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 6)).double()
    z = torch.randn(12, 2, dtype=torch.float64)
    weight = decoder[0].weight

    def value():
        return TopDis(shift_gradient="exact")(decoder, z, dimension=0, sign=1)

    value().backward()
    for place in ((0, 0), (3, 1)):
        step = 1e-6
        with torch.no_grad():
            weight[place] += step
            above = value().item()
            weight[place] -= 2 * step
            below = value().item()
            weight[place] += step
        assert weight.grad[place].item() == pytest.approx((above - below) / (2 * step), rel=1e-4, abs=1e-7)


def test_dimensions_are_drawn_by_weight():
    chances = (torch.arange(400) + 0.5) / 400
    weights = torch.tensor([[0.0, 1.0, 3.0]]).repeat(400, 1)
    assert draw_dimensions(3, chances, weights).tolist() == [1] * 100 + [2] * 300
    for uniform in (draw_dimensions(4, chances), draw_dimensions(4, chances, torch.zeros(400, 4))):
        assert uniform.tolist() == [0] * 100 + [1] * 100 + [2] * 100 + [3] * 100
    edges = torch.tensor([0.0, 1.0])
    assert draw_dimensions(3, edges, torch.tensor([[0.0, 2.0, 0.0]] * 2)).tolist() == [1, 1]


def test_signs_and_dimensions_follow_the_seed():
    torch.manual_seed(0)
    decoder, z = nn.Linear(5, 9), torch.randn(30, 5)
    values = [TopDis()(decoder, z, rng=rng(seed)).item() for seed in (0, 0, 1, 2, 3)]
    assert values[0] == values[1] and len(set(values)) > 2


def test_conflict_by_hand():
    """g = (1, -2), guide (0, 1): inner product -2, so the second entry goes."""
    (cleaned,) = cleaned_of([torch.tensor([1.0, -2.0])], [torch.tensor([0.0, 1.0])])
    assert cleaned.tolist() == [1.0, 0.0]


def test_no_conflict_changes_nothing():
    gradient = [torch.tensor([1.0, 2.0]), None]
    cleaned = cleaned_of(gradient, [torch.tensor([0.0, 1.0]), torch.tensor([3.0])])
    assert torch.equal(cleaned[0], gradient[0]) and cleaned[1].tolist() == [0.0]


def test_conflict_is_taken_over_all_parameters_at_once():
    """Inner products +3 and -7 make -4; guide (1, 7)² = 50: each entry gains 4/50 of the guide."""
    gradient, guide = [torch.tensor([3.0]), torch.tensor([-1.0])], [torch.tensor([1.0]), torch.tensor([7.0])]
    first, second = cleaned_of(gradient, guide)
    assert first.item() == pytest.approx(3 + 4 / 50) and second.item() == pytest.approx(-1 + 28 / 50)
    inner = first.item() * 1 + second.item() * 7
    assert inner == pytest.approx(0, abs=1e-5)


def test_parameters_without_a_gradient():
    """None counts as zero: on the side of the guide it adds to the norm, on the other it may gain a share."""
    cleaned = cleaned_of(
        [torch.tensor([-1.0]), None, torch.tensor([5.0])], [torch.tensor([1.0]), torch.tensor([2.0]), None]
    )
    assert cleaned[0].item() == pytest.approx(-1 + 1 / 5)
    assert cleaned[1].item() == pytest.approx(2 / 5)
    assert cleaned[2].item() == 5
    gained, nothing = cleaned_of([None, None], [torch.ones(1), None])
    assert gained.tolist() == [0.0] and nothing is None


BAD = (
    {"gamma": -1},
    {"delay": 2},
    {"shift": 0},
    {"shift": 1},
    {"sampler": "x"},
    {"codes": "x"},
    {"shift_gradient": "x"},
    {"every": 0},
    {"card": 0},
    {"p": 0},
)


@pytest.mark.parametrize("bad", BAD)
def test_bad_settings_are_refused(bad):
    with pytest.raises(GanwalkError):
        TopDisSettings(**bad)


def test_a_term_of_settings_has_all_that_they_say():
    given = {
        "gamma": 2.0,
        "shift": 0.2,
        "shift_gradient": "exact",
        "scale_gradient": "constant",
        "ends": "immovable",
        "p": 2.0,
        "card": 7,
    }
    term = TopDis.of_settings(TopDisSettings(**given), threads=3)
    found = {**vars(term), **asdict(term.rtd.settings)}
    assert {name: found[name] for name in given} == given and found["threads"] == 3
    # An option that the term gets must be among those above.
    shared = {field.name for field in fields(TopDisSettings)} & set(signature(TopDis).parameters)
    assert shared == set(given)


@pytest.mark.parametrize("bad", [{"gamma": -1}, {"shift": 1.5}, {"p": 0}, {"card": 0}])
def test_the_term_alone_refuses_them_too(bad):
    with pytest.raises(GanwalkError):
        TopDis(**bad)
