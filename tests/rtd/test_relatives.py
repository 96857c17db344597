"""SRTD, the lite variants and the similarities: against public implementations, definitions and finite differences."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.stats import spearmanr

from ganwalk.rtd import (
    RTDLoss,
    cross_barcode,
    distance_matrix,
    linear_cka,
    lite_barcode,
    normalized,
    nts_e,
    nts_m,
    rtd,
    rtd_from_distances,
)
from ganwalk.rtd.choices import VARIANTS
from tests.benchmarks.conftest import load  # noqa: F401 (a fixture)

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "relatives.json").read_text())["cases"]
LITE = [variant for variant in VARIANTS if variant.endswith("-lite")]


@pytest.fixture
def clouds():
    rng = np.random.default_rng(5)
    P = rng.normal(size=(12, 3))
    return P, P + rng.normal(size=P.shape)


def tree_weight(matrix):
    return minimum_spanning_tree(matrix).sum()


@pytest.mark.parametrize("case", GOLDEN)
def test_numbers_of_the_public_implementations(load, case):  # noqa: F811
    study = load("relatives")
    found = study.ours(*study.clouds(case))
    assert found.keys() == GOLDEN[case].keys()
    for name, expected in GOLDEN[case].items():
        # Those from ripser.py and torch's sums are in single precision.
        tolerance = 1e-6 if name in ("RTD", "SRTD", "RTD-lite") else 1e-12
        ways = zip(found[name], expected, strict=True) if name == "RTD-lite bars" else [(found[name], expected)]
        for ours, theirs in ways:
            assert np.shape(ours) == np.shape(theirs)
            assert np.allclose(ours, theirs, rtol=tolerance, atol=tolerance), name


def test_variants_are_what_they_are_defined_as(clouds):
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in clouds)
    least, most = np.minimum(w, v), np.maximum(w, v)
    trees = {name: tree_weight(matrix) for name, matrix in (("w", w), ("v", v), ("min", least), ("max", most))}
    expected = {
        "rtd": (cross_barcode(w, v).total() + cross_barcode(v, w).total()) / 2,
        "max-rtd": (cross_barcode(w, v, "max").total() + cross_barcode(v, w, "max").total()) / 2,
        "srtd": cross_barcode(most, least).total(),
        "rtd-lite": (trees["w"] + trees["v"]) / 2 - trees["min"],
        "max-rtd-lite": trees["max"] - (trees["w"] + trees["v"]) / 2,
        "srtd-lite": trees["max"] - trees["min"],
    }
    assert expected.keys() == set(VARIANTS)
    for variant, value in expected.items():
        assert rtd(*clouds, variant=variant, minimax=False) == pytest.approx(value, rel=1e-12)
    assert rtd(*clouds) == pytest.approx(expected["rtd"] + expected["max-rtd"], rel=1e-12)
    assert rtd(*clouds, variant="rtd-lite", minimax=True) == pytest.approx(expected["srtd-lite"], rel=1e-12)
    one_way = rtd(*clouds, variant="max-rtd-lite", symmetric=False)
    assert one_way == pytest.approx(trees["max"] - trees["v"], rel=1e-12)


def test_symmetric_bars_of_both_engines(clouds):
    w, v = (distance_matrix(cloud.astype(np.float32)) for cloud in clouds)
    ours, reference = (cross_barcode(w, v, "symmetric", engine) for engine in ("relative", "ripser"))
    assert len(ours) > 0 and np.array_equal(np.sort(ours.lengths), np.sort(reference.lengths))
    swapped = cross_barcode(v, w, "symmetric")
    assert np.array_equal(swapped.births, ours.births) and np.array_equal(swapped.deaths, ours.deaths)
    both = np.stack([w, v])
    for barcode in (ours, lite_barcode(w, v, "symmetric")):
        for values, entries in ((barcode.births, barcode.birth_entries), (barcode.deaths, barcode.death_entries)):
            i, j, which = entries.T
            assert (i < j).all() and np.array_equal(both[which, i, j], values)


@pytest.mark.parametrize("mode", ["min", "max", "symmetric"])
def test_lite_bars_die_where_the_ends_are_joined(clouds, mode):
    w, v = (distance_matrix(cloud) for cloud in clouds)
    small = {"min": np.minimum(w, v), "max": v, "symmetric": np.minimum(w, v)}[mode]
    large = {"min": w, "max": np.maximum(w, v), "symmetric": np.maximum(w, v)}[mode]
    joined = np.arange(len(w))
    expected = []
    for i, j in sorted(np.argwhere(minimum_spanning_tree(small).toarray()).tolist(), key=lambda e: small[tuple(e)]):
        components = joined.copy()
        for a, b in sorted(zip(*np.triu_indices(len(w), 1), strict=True), key=lambda e: large[e]):
            components[components == components[b]] = components[a]
            if components[i] == components[j]:
                break
        if large[a, b] > small[i, j]:
            expected.append((small[i, j], large[a, b]))
        joined[joined == joined[j]] = joined[i]
    found = lite_barcode(w, v, mode)
    assert sorted(zip(found.births, found.deaths, strict=True)) == sorted(expected)
    assert found.total() == pytest.approx(tree_weight(large) - tree_weight(small), rel=1e-12)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("options", [{}, {"p": 2}, {"over": "positive"}, {"card": 3}, {"normalize": None}])
def test_gradients_agree_with_finite_differences(clouds, variant, options):
    P, Q = (torch.from_numpy(cloud[:8]).requires_grad_() for cloud in clouds)
    assert rtd(P, Q, variant=variant, **options) > 0
    assert torch.autograd.gradcheck(
        lambda P, Q: rtd(P, Q, variant=variant, **options), (P, Q), eps=1e-7, atol=1e-5, nondet_tol=0
    )


@pytest.mark.parametrize("variant", LITE)
def test_trees_of_equal_and_of_few_points(variant):
    for n in (1, 2, 3):
        P = torch.arange(2.0 * n).reshape(n, 2).requires_grad_()
        value = rtd(P, P.detach() ** 2, variant=variant)
        value.backward()
        assert torch.isfinite(value) and torch.isfinite(P.grad).all()
    ties = np.random.default_rng(0).integers(0, 3, (10, 2)).astype(float)
    assert rtd(ties, ties, variant=variant) == 0
    w, v = (distance_matrix(cloud) for cloud in (ties, ties[::-1]))
    bars = lite_barcode(w, v)
    # scipy takes zeros for edges that are not there.
    weights = [tree_weight(matrix + 0.25) for matrix in (w, np.minimum(w, v))]
    assert (bars.lengths > 0).all() and bars.total() == pytest.approx(weights[0] - weights[1])


def test_batches_and_card(clouds):
    P, Q = clouds
    loss = RTDLoss(variant="srtd-lite", card=2)
    w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in clouds)
    longest = lite_barcode(w, v, "symmetric").lengths[:2].sum()
    assert loss(P, [Q, P, 2 * Q]) == pytest.approx([longest, 0, longest])
    assert loss.from_distances([(w, v)])[0] == pytest.approx(longest)


def test_the_quantile_of_positive_entries(clouds):
    w = distance_matrix(clouds[0])
    positive = w[np.triu_indices(len(w), 1)]
    assert normalized(w, 0.7, "positive") == pytest.approx(w / np.quantile(positive, 0.7))
    w[:, 0] = w[0] = 0
    assert normalized(w, 0.7, "positive") == pytest.approx(w / np.quantile(np.triu(w)[np.triu(w) > 0], 0.7))
    value = rtd_from_distances(w, w / 3, normalize=0.7, over="positive")
    assert value == pytest.approx(0, abs=1e-12)
    assert normalized(np.zeros((3, 3)), 0.9, "positive").tolist() == np.zeros((3, 3)).tolist()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "trtd"}, "unknown variant 'trtd': use 'rtd', .* or 'srtd-lite'"),
        ({"over": "some"}, "unknown over 'some': use 'all' or 'positive'"),
        ({"variant": "srtd", "symmetric": False}, "'srtd' has one term, which is symmetric"),
        ({"variant": "max-rtd", "minimax": True}, "minimax adds the max terms"),
        ({"variant": "rtd-lite", "engine": "ripser"}, "computed from trees: leave out engine='ripser'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message, clouds):
    for function, given in ((RTDLoss, ()), (rtd, clouds), (rtd_from_distances, clouds)):
        with pytest.raises(ValueError, match=message):
            function(*given, **options)


def test_similarities_by_their_definitions(clouds):
    P, Q = (np.round(cloud) for cloud in clouds)  # equal distances share ranks
    P[0], Q[1] = 9, 7
    w, v = (distance_matrix(cloud) + 1e-9 * np.arange(144).reshape(12, 12) * (1 - np.eye(12)) for cloud in (P, Q))
    w, v = (np.triu(m, 1) + np.triu(m, 1).T for m in (w, v))
    i, j = np.nonzero(minimum_spanning_tree(w).toarray() + minimum_spanning_tree(v).toarray())
    assert nts_e(w, v, metric="precomputed") == pytest.approx(spearmanr(w[i, j], v[i, j]).statistic)

    def bottleneck(matrix):
        for k in range(len(matrix)):
            matrix = np.minimum(matrix, np.maximum(matrix[:, k, None], matrix[k]))
        return matrix

    expected = spearmanr(bottleneck(w)[i, j], bottleneck(v)[i, j]).statistic
    assert nts_m(w, v, metric="precomputed") == pytest.approx(expected)
    R = clouds[0]
    assert nts_e(R, 3 * R) == pytest.approx(1) and nts_m(torch.from_numpy(R), 3 * R) == pytest.approx(1)
    assert np.isnan(nts_e(P[:2], Q[:2])) and np.isnan(nts_m(np.eye(4), np.eye(4)))


@pytest.mark.parametrize("scale", [1e-12, 1e9])
@pytest.mark.parametrize("shape", [(40, 3000), (3000, 40)])
def test_linear_cka_has_no_scale(scale, shape):
    """Fourth powers of pixels, summed, are beyond single precision."""
    P = np.random.default_rng(0).uniform(size=shape).astype(np.float32) * np.float32(scale)
    assert linear_cka(P, P) == pytest.approx(1) == linear_cka(torch.from_numpy(P), 2 * torch.from_numpy(P)).item()


def test_linear_cka_of_bytes_and_half_precision():
    pixels = torch.randint(256, (30, 3, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    others = pixels.roll(1, 0)
    expected = linear_cka(pixels.numpy(), others.numpy())
    assert linear_cka(pixels, others).item() == pytest.approx(expected, rel=1e-5)
    assert linear_cka(pixels.half(), others.bfloat16()).item() == pytest.approx(expected, rel=1e-2)


def test_linear_cka_of_tensors_and_of_more_coordinates_than_points(clouds):
    P, Q = (torch.from_numpy(cloud).requires_grad_() for cloud in clouds)
    assert torch.autograd.gradcheck(linear_cka, (P, Q))
    wide = np.hstack([clouds[0], np.zeros((12, 20))])
    assert linear_cka(wide, clouds[1]) == pytest.approx(linear_cka(*clouds)) == pytest.approx(linear_cka(P, Q).item())
    assert np.isnan(linear_cka(np.ones((3, 2)), clouds[0][:3]))
    with pytest.raises(ValueError, match="different numbers of points: 12 and 3"):
        linear_cka(clouds[0], clouds[1][:3])
