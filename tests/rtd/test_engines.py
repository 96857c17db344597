"""Our engine against the independent reference, and against known barcodes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ripser import ripser

from ganwalk.rtd import cross_barcode
from ganwalk.rtd.edges import COLUMN, MAX_POINTS, ROW, sorted_edges

KINDS = ("uniform", "ties", "unrelated", "shifted", "near-equal", "duplicates", "circles")


def distances(points):
    return np.linalg.norm(points[:, None] - points[None], axis=2)


def matrices(kind, n, seed):
    """Two symmetric float32 matrices of the kind; 'uniform' and 'ties' are not metric."""
    rng = np.random.default_rng(seed)
    if kind in ("uniform", "ties"):
        both = rng.random((2, n, n)) if kind == "uniform" else rng.integers(0, 5, (2, n, n)).astype(float)
        both = np.triu(both, 1)
        w, v = both + both.transpose(0, 2, 1)
    else:
        P = rng.normal(size=(n, 3))
        noise = rng.normal(size=(n, 3))
        if kind == "circles":
            # Long cycles that no triangle fills: remainders that live.
            angles = rng.uniform(0, 2 * np.pi, (n, 1))
            P = np.hstack([np.cos(angles), np.sin(angles), 0.1 * P])
            noise = np.hstack([np.cos(3 * angles), np.sin(2 * angles), 0.1 * noise])
        others = {"shifted": P + 0.2 * noise, "near-equal": P.copy(), "duplicates": P + noise}
        Q = others.get(kind, noise)
        if kind == "near-equal":
            Q[0] += 10.0 ** -rng.integers(2, 7)
        if kind == "duplicates":
            P[n // 2 :] = P[: n - n // 2]
        w, v = distances(P), distances(Q)
    return w.astype(np.float32), v.astype(np.float32)


def sorted_bars(barcode):
    bars = np.stack([barcode.births, barcode.deaths], axis=1)
    return bars[np.lexsort(bars.T)]


@settings(max_examples=250, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(2, 48),
    mode=st.sampled_from(["min", "max"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_engines_agree(kind, n, mode, seed):
    w, v = matrices(kind, n, seed)
    ours, reference = (sorted_bars(cross_barcode(w, v, mode, engine)) for engine in ("relative", "ripser"))
    assert ours.shape == reference.shape
    assert np.array_equal(ours, reference)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(2, 12),
    mode=st.sampled_from(["min", "max"]),
    values=st.lists(st.integers(0, 3), min_size=132, max_size=132),
)
def test_engines_agree_on_any_small_integers(n, mode, values):
    m = n * (n - 1) // 2
    w, v = np.zeros((2, n, n), np.float32)
    for matrix, entries in ((w, values[:m]), (v, values[m : 2 * m])):
        matrix[np.triu_indices(n, 1)] = entries
        matrix += matrix.T
    ours, reference = (sorted_bars(cross_barcode(w, v, mode, engine)) for engine in ("relative", "ripser"))
    assert np.array_equal(ours, reference)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["relative", "ripser"])
def test_entries_hold_the_values(kind, mode, engine):
    w, v = matrices(kind, 30, 7)
    barcode = cross_barcode(w, v, mode, engine)
    small, large = (np.minimum(w, v), w) if mode == "min" else (v, np.maximum(w, v))
    both = np.stack([w, v])
    for values, entries in ((barcode.births, barcode.birth_entries), (barcode.deaths, barcode.death_entries)):
        i, j, which = entries.T
        assert (i < j).all()
        assert np.array_equal(both[which, i, j], values)
    i, j, _ = barcode.birth_entries.T
    assert np.array_equal(small[i, j], barcode.births)
    i, j, _ = barcode.death_entries.T
    assert ((small[i, j] == barcode.deaths) | (large[i, j] == barcode.deaths)).all()
    assert (barcode.lengths > 0).all() and (np.diff(barcode.lengths) <= 0).all()


def test_double_precision_is_kept():
    rng = np.random.default_rng(0)
    P = rng.normal(size=(20, 3))
    w, v = distances(P), distances(P + 1e-9 * rng.normal(size=(20, 3)))
    barcode = cross_barcode(w, v)
    assert len(barcode) > 0 and barcode.births.dtype == np.float64
    assert (barcode.lengths < 1e-8).all()


def test_two_points():
    w, v = np.array([[0, 2.0], [2, 0]]), np.array([[0, 1.0], [1, 0]])
    barcode = cross_barcode(w, v)
    assert (barcode.births.tolist(), barcode.deaths.tolist()) == ([1.0], [2.0])
    assert barcode.birth_entries.tolist() == [[0, 1, 1]] and barcode.death_entries.tolist() == [[0, 1, 0]]
    assert len(cross_barcode(v, w)) == 0
    assert len(cross_barcode(np.zeros((1, 1)), np.zeros((1, 1)))) == 0


def test_a_known_case_by_hand():
    # w: three points far apart; v: all at distance 1. Two of the three edges are independent mod the triangle.
    w = np.array([[0, 3.0, 4.0], [3, 0, 5.0], [4, 5, 0]])
    v = np.ones((3, 3)) - np.eye(3)
    barcode = cross_barcode(w, v)
    assert sorted(barcode.deaths.tolist()) == [3.0, 4.0] and barcode.births.tolist() == [1.0, 1.0]
    assert barcode.total() == 5.0 and barcode.total(p=2) == 13.0


def test_zero_matrices_have_no_bars():
    zero = np.zeros((9, 9))
    assert len(cross_barcode(zero, zero)) == len(cross_barcode(zero, zero, "max")) == 0


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_common_permutation_changes_nothing(mode):
    w, v = matrices("shifted", 40, 3)
    order = np.random.default_rng(0).permutation(40)
    shuffled = cross_barcode(w[order][:, order], v[order][:, order], mode)
    assert np.array_equal(sorted_bars(cross_barcode(w, v, mode)), sorted_bars(shuffled))


@pytest.mark.parametrize("kind", ["shifted", "unrelated", "circles", "uniform"])
def test_large_clouds_agree_with_ripser(kind):
    # More classes live at once than a word has bits.
    w, v = matrices(kind, 150, 1)
    matrix = np.zeros((300, 300), np.float32)
    matrix[150:, 150:], matrix[150:, :150], matrix[:150, 150:] = np.minimum(w, v), w, w.T
    expected = ripser(matrix, maxdim=1, distance_matrix=True)["dgms"][1]
    assert np.array_equal(sorted_bars(cross_barcode(w, v)), expected[np.lexsort(expected.T)])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["uniform", "ties", "duplicates"])
def test_edges_are_sorted_row_after_row_where_they_are_equal(kind, dtype):
    w = matrices(kind, 20, 4)[0].astype(dtype)
    w[w == 0] = -0.0
    edges = sorted_edges(w)
    i, j = np.triu_indices(20, 1)
    order = np.argsort(w[i, j], kind="stable")
    assert np.array_equal(edges.lengths[:-1], w[i, j][order]) and edges.lengths[-1] == np.inf
    assert np.array_equal(edges.names[:-1] >> ROW, i[order])
    assert np.array_equal((edges.names[:-1] >> COLUMN) % MAX_POINTS, j[order])
    assert np.array_equal(edges.farthest, w.max(axis=1))


def test_too_many_points_are_refused():
    w = np.broadcast_to(np.float32(0), (2**14 + 1, 2**14 + 1))
    with pytest.raises(ValueError, match="at most 16384 points"):
        sorted_edges(w)


def test_torch_and_numpy_and_dtypes():
    w, v = matrices("ties", 12, 0)
    expected = sorted_bars(cross_barcode(w, v))
    for convert in (
        torch.from_numpy,
        lambda a: torch.from_numpy(a).half(),
        np.float64,
        np.int64,
        np.asfortranarray,
    ):
        assert np.array_equal(sorted_bars(cross_barcode(convert(w), convert(v))), expected)
    tracked = torch.from_numpy(w).requires_grad_()
    assert np.array_equal(sorted_bars(cross_barcode(tracked, v)), expected)


GOOD = np.array([[0, 1.0], [1, 0]])


@pytest.mark.parametrize(
    ("w", "v", "message"),
    [
        (GOOD, np.zeros((3, 3)), "differ in shape"),
        (np.zeros((2, 3)), GOOD, "not a square matrix"),
        (np.zeros(4), GOOD, "not a square matrix"),
        (GOOD * np.nan, GOOD, "not finite"),
        (GOOD, np.array([[0, np.inf], [np.inf, 0]]), "v holds a value that is not finite"),
        (np.array([[0, 1.0], [2, 0]]), GOOD, "not symmetric"),
        (-GOOD, GOOD, "negative"),
        (GOOD + np.eye(2), GOOD, "diagonal"),
    ],
)
def test_bad_matrices_are_refused(w, v, message):
    with pytest.raises(ValueError, match=message):
        cross_barcode(w, v)


def test_unknown_options_are_refused():
    with pytest.raises(ValueError, match="unknown mode"):
        cross_barcode(GOOD, GOOD, mode="mean")
    with pytest.raises(ValueError, match="unknown engine"):
        cross_barcode(GOOD, GOOD, engine="dionysus")


def test_negative_zero_sorts_as_zero():
    w = np.array([[0, -0.0, 1], [-0.0, 0, 1], [1, 1, 0]])
    v = np.array([[0, 0.5, 1], [0.5, 0, 1], [1, 1, 0]])
    assert np.array_equal(sorted_bars(cross_barcode(w, v, "max")), sorted_bars(cross_barcode(np.abs(w), v, "max")))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_has_threads_of_its_own(tmp_path):
    """Python has it as the default on Linux up to 3.13: what has computed before must not make the children wait."""
    script = tmp_path / "forks.py"
    script.write_text(
        "import multiprocessing, numpy as np\n"
        "from ganwalk.rtd import rtd\n"
        "P, Q = np.random.default_rng(0).normal(size=(2, 128, 3))\n"
        "def run(_):\n"
        "    return rtd(P, Q, threads=2)\n"
        "if __name__ == '__main__':\n"
        "    own = run(0)\n"
        "    with multiprocessing.get_context('fork').Pool(2) as pool:\n"
        "        assert pool.map_async(run, range(2)).get(timeout=120) == [own, own]\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    ran = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
