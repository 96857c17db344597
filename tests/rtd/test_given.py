"""What callers give: lists, arrays and tensors; distances of other libraries; more points than the engine takes."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.sparse import coo_matrix, csr_array
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import cosine_distances

from ganwalk.rtd import RTDLoss, cross_barcode, distance_matrix, divergence, normalized, ops, rtd, rtd_from_distances

TOO_MANY = 2**14 + 1


def clouds(n=32, d=3, offset=0.0, dtype=np.float32):
    rng = np.random.default_rng(0)
    P = rng.normal(size=(n, d))
    return (P + offset).astype(dtype), (P + 0.5 * rng.normal(size=(n, d)) + offset).astype(dtype)


def gram_distances(points):
    squares = (points**2).sum(axis=1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * points @ points.T, 0))


OTHERS = {
    "torch.cdist": lambda x: torch.cdist(torch.from_numpy(x), torch.from_numpy(x)),
    "a Gram matrix": gram_distances,
    "scipy's cdist": lambda x: cdist(x, x),
    "scipy's pdist": pdist,
    "scikit-learn": pairwise_distances,
    "rows of lists": lambda x: cdist(x, x).tolist(),
    "half precision": lambda x: cdist(x, x).astype(np.float16),
}


@pytest.mark.parametrize("offset", [0, 10])
@pytest.mark.parametrize("library", OTHERS)
def test_distances_of_other_libraries_pass(library, offset):
    P, Q = clouds(offset=offset)
    expected = cross_barcode(distance_matrix(P.astype(float)), distance_matrix(Q.astype(float)))
    w, v = OTHERS[library](P), OTHERS[library](Q)
    found = cross_barcode(w, v)
    assert found.total() == pytest.approx(expected.total(), rel=0.02)
    both = rtd_from_distances(w, v)
    assert float(both) == pytest.approx(rtd(P, Q, normalize=None), rel=0.02)


def test_the_rounding_of_torch_is_there_and_leaves_no_trace():
    P, Q = (torch.from_numpy(cloud) for cloud in clouds())
    w, v = torch.cdist(P, P), torch.cdist(Q, Q)
    assert w.diagonal().max() > 1e-4
    barcode = cross_barcode(w, v)
    both = np.stack([w.numpy(), v.numpy()])
    for values, entries in ((barcode.births, barcode.birth_entries), (barcode.deaths, barcode.death_entries)):
        i, j, which = entries.T
        assert (i < j).all() and np.array_equal(both[which, i, j], values)
    assert rtd_from_distances(w, w.clone()).item() == 0


def test_small_negative_values_are_rounding():
    P = np.vstack([clouds(d=8)[0], 2 * clouds(d=8)[0]])
    similar = P / np.linalg.norm(P, axis=1, keepdims=True)
    w = 1 - similar @ similar.T
    assert w.min() < 0 and cross_barcode(w, w / 2).total() > 0
    assert cross_barcode(w, w / 2).total() == pytest.approx(cross_barcode(cosine_distances(P), w / 2).total(), abs=1e-4)


@pytest.mark.parametrize("share", [0.02, 0.2])
@pytest.mark.parametrize("scale", [1e-3, 1, 1e4])
def test_gross_errors_are_refused(share, scale):
    w = distance_matrix(clouds()[0]) * np.float32(scale)
    wrong = share * w.max()
    with pytest.raises(ValueError, match=r"the diagonal of v is not zero, but up to .*double precision"):
        cross_barcode(w, w + wrong * np.eye(len(w)))
    tilted = w.copy()
    tilted[3, 4] += wrong
    with pytest.raises(ValueError, match="w is not symmetric"):
        rtd_from_distances(tilted, w)
    tilted[3, 4] = tilted[4, 3] = -wrong
    with pytest.raises(ValueError, match="w holds a negative distance"):
        rtd_from_distances(tilted, w)


def test_gradients_of_rounded_and_of_condensed_distances():
    P, Q = (torch.from_numpy(cloud).requires_grad_() for cloud in clouds(dtype=np.float64))
    i, j = np.triu_indices(len(P), 1)
    gradients = [
        torch.autograd.grad(rtd_from_distances(*(change(cloud) for cloud in (P, Q))), (P, Q))
        for change in (
            distance_matrix,
            lambda x: distance_matrix(x)[i, j],
            lambda x: distance_matrix(x) + 1e-5 * torch.ones(len(x), dtype=x.dtype).diag(),
        )
    ]
    for found in gradients[1:]:
        assert all(torch.allclose(a, b) for a, b in zip(found, gradients[0], strict=True))


@pytest.mark.parametrize("make", [np.asarray, np.asfortranarray, lambda x: x.tolist(), lambda x: x[::-1][::-1]])
def test_arrays_and_lists_give_numbers(make):
    P, Q = clouds()
    tensors = torch.from_numpy(P), torch.from_numpy(Q)
    value = rtd(make(P), make(Q))
    assert isinstance(value, float) and value == pytest.approx(rtd(*tensors).item(), rel=1e-5)
    w, v = distance_matrix(make(P)), distance_matrix(make(Q))
    assert type(w) is np.ndarray and w == pytest.approx(distance_matrix(tensors[0]).numpy(), abs=1e-5)
    assert normalized(make(w), 0.9) == pytest.approx(normalized(torch.from_numpy(w), 0.9).numpy())
    assert normalized(make(w), None) == pytest.approx(w)
    assert rtd_from_distances(make(w), make(v), normalize=0.9) == pytest.approx(value, rel=1e-5)
    several = RTDLoss()(make(P), [Q, 2 * Q + P])
    assert type(several) is np.ndarray and several.shape == (2,) and several[0] == pytest.approx(value, rel=1e-5)
    assert RTDLoss()(make(P), np.stack([Q, 2 * Q + P])) == pytest.approx(several)
    assert RTDLoss().from_distances([(make(w), make(v))], normalize=0.9) == pytest.approx([value], rel=1e-5)


def test_beside_a_tensor_an_array_gives_a_tensor_with_its_gradient():
    P, Q = clouds()
    tracked = torch.from_numpy(P).requires_grad_()
    value = rtd(tracked, Q)
    value.backward()
    assert tracked.grad.abs().sum() > 0
    rows = list(torch.from_numpy(P).requires_grad_())
    assert distance_matrix(rows).requires_grad
    several = RTDLoss()(P, [torch.from_numpy(Q)])
    assert isinstance(several, torch.Tensor) and several[0].item() == pytest.approx(value.item())


@pytest.mark.parametrize(
    "points",
    [[["a"]], [[1.0, 2.0], [3.0]], np.eye(2, dtype=complex), torch.eye(2, dtype=torch.cfloat), [[None]]],
)
def test_what_is_no_number_is_refused(points):
    for function in (distance_matrix, lambda x: rtd(x, x), lambda x: cross_barcode(x, x)):
        with pytest.raises(ValueError, match="numbers"):
            function(points)


def test_integers_that_cannot_be_written_are_read(recwarn):
    points = np.arange(24).reshape(8, 3) ** 2
    points.flags.writeable = False
    assert rtd(points, points[::-1]) == pytest.approx(rtd(points.astype(float), points[::-1].astype(float)))
    assert not recwarn


def test_too_many_points_are_refused_before_any_work(monkeypatch):
    def work(*_):
        raise AssertionError("work before the number of points was looked at")

    monkeypatch.setattr(divergence, "euclidean", work)
    monkeypatch.setattr(ops, "_distances", work)
    few = np.zeros((3, 3))
    many = np.broadcast_to(np.float32(0), (TOO_MANY, 2))
    # None of these is in memory: a copy would take gigabytes.
    square = np.broadcast_to(np.float32(0), (TOO_MANY, TOO_MANY))
    condensed = np.broadcast_to(np.float32(0), (TOO_MANY * (TOO_MANY - 1) // 2,))
    for given in (square, condensed):
        for matrix in (given, torch.zeros(()).expand(given.shape)):
            for function in (cross_barcode, rtd_from_distances):
                with pytest.raises(ValueError, match="at most 16384 points, not 16385"):
                    function(matrix, few)
    for engine in ("relative", "ripser"):
        with pytest.raises(ValueError, match="at most 16384 points"):
            cross_barcode(square, square, engine=engine)
        with pytest.raises(ValueError, match="at most 16384 points"):
            rtd(many, many, engine=engine)
    with pytest.raises(ValueError, match="at most 16384 points"):
        RTDLoss()(np.zeros((3, 2)), [torch.zeros(()).expand(TOO_MANY, 2)])


@pytest.mark.parametrize("variant", ["rtd", "srtd-lite"])
def test_arrays_need_no_torch(variant):
    # A library without torch and matplotlib serves who gives arrays.
    code = f"""
import sys
for name in ("torch", "matplotlib"):
    sys.modules[name] = None
import numpy as np
from ganwalk.rtd import cross_barcode, distance_matrix, lite_barcode, normalized, rtd, rtd_from_distances
P, Q = np.random.default_rng(0).normal(size=(2, 20, 3))
w, v = (normalized(distance_matrix(cloud), 0.9) for cloud in (P, Q))
lite_barcode(w, v)
assert len(cross_barcode(w, v)) > 0
print(rtd(P, Q, variant={variant!r}) - rtd_from_distances(w, v, variant={variant!r}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and float(done.stdout) == pytest.approx(0, abs=1e-9), done.stderr


@pytest.mark.parametrize("metric", ["cosine", "cityblock", lambda x, y: float(abs(x - y).max())])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_metrics_of_scipy(metric, convert):
    P, Q = (convert(cloud) for cloud in clouds(dtype=np.float64))
    squares = [squareform(pdist(np.asarray(cloud), metric)) for cloud in (P, Q)]
    assert np.allclose(distance_matrix(P, metric), squares[0])
    assert type(distance_matrix(P, metric)) is type(P)
    value = rtd(P, Q, metric=metric)
    assert float(value) == pytest.approx(rtd_from_distances(*squares, normalize=0.9))
    assert float(rtd(*(convert(s) for s in squares), metric="precomputed")) == pytest.approx(float(value))
    assert float(rtd(*map(squareform, squares), metric="precomputed")) == pytest.approx(float(value))


def test_metrics_that_do_not_serve_are_refused():
    P, Q = clouds()
    with pytest.raises(ValueError, match="metric 'manhatten' of scipy's pdist: "):
        rtd(P, Q, metric="manhatten")
    with pytest.raises(ValueError, match="metric 'cosine' is not defined for some of the points"):
        distance_matrix(np.vstack([P, np.zeros((1, 3))]), "cosine")
    with pytest.raises(ValueError, match=r"'cosine' has no gradient here: use 'euclidean', or detach\(\)"):
        rtd(torch.from_numpy(P).requires_grad_(), Q, metric="cosine")


@pytest.mark.parametrize("make", [csr_array, coo_matrix, lambda x: torch.from_numpy(x).to_sparse()])
def test_sparse_neighbour_graphs_are_refused_by_name(make):
    graph = make(np.triu(distance_matrix(clouds()[0])))
    for function in (rtd, rtd_from_distances, cross_barcode):
        with pytest.raises(ValueError, match="must be dense: of a sparse neighbour graph"):
            function(graph, graph)
    with pytest.raises(ValueError, match="must be dense"):
        rtd(graph, graph, metric="precomputed")
