"""The mean over random batches of large sets, and the command that prints a table of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform

from ganwalk.rtd import plot_matrix, rtd, rtd_score
from ganwalk.rtd.outputs import _barcodes, shortened
from ganwalk.rtd.representations import Representation
from ganwalk.rtd.score import score_representations
from ganwalk.rtd.settings import Settings
from ganwalk.statistics import summarise


@pytest.fixture
def clouds():
    rng = np.random.default_rng(0)
    P = rng.normal(size=(60, 3))
    return [P, P + 0.5 * rng.normal(size=P.shape), rng.normal(size=P.shape)]


@pytest.fixture
def files(clouds, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, cloud in zip("abc", clouds, strict=True):
        np.save(f"{name}.npy", cloud)
    return ["a.npy", "b.npy", "c.npy"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_the_mean_over_batches_and_its_interval(clouds, threads, convert):
    P, Q = clouds[:2]
    rng = np.random.default_rng(3)
    drawn = [np.sort(rng.choice(60, 20, replace=False)) for _ in range(5)]
    values = [rtd(P[at], Q[at], minimax=False) for at in drawn]
    found = rtd_score(convert(P), convert(Q), batch=20, repeats=5, seed=3, threads=threads)
    assert (found.mean, found.half_width) == pytest.approx((np.mean(values), summarise(values).half_width))
    assert found.low < found.mean < found.high and found.count == 5
    w, v = (squareform(pdist(cloud)) for cloud in (P, Q))
    again = rtd_score(w, v, batch=20, repeats=5, seed=3, metric="precomputed")
    assert again.mean == pytest.approx(found.mean)
    cosine = rtd_score(P, Q, batch=20, repeats=2, seed=3, metric="cosine", variant="srtd", p=2)
    assert cosine.mean == pytest.approx(
        np.mean([rtd(P[at], Q[at], metric="cosine", variant="srtd", p=2) for at in drawn[:2]])
    )


def test_few_points_are_taken_at_once(clouds):
    found = rtd_score(*clouds[:2])
    assert (found.mean, found.half_width, found.count) == (rtd(*clouds[:2], minimax=False), 0, 1)


def test_more_points_than_one_barcode_takes():
    P = np.random.default_rng(0).normal(size=(20_000, 2))
    assert rtd_score(P, P[:, ::-1], batch=10, repeats=2).mean == pytest.approx(0, abs=1e-9)


def test_a_table_of_several_on_the_same_batches(clouds):
    shares = []
    scores = score_representations(
        clouds, Settings(minimax=False), batch=20, repeats=5, seed=3, threads=1, on_share=shares.append
    )
    assert scores.values.shape == (5, 3, 3) and scores.batch == 20 and shares[-1] == 1
    assert np.array_equal(scores.mean, scores.mean.T) and not scores.mean.diagonal().any()
    assert scores.of(0, 2) == rtd_score(clouds[0], clouds[2], batch=20, repeats=5, seed=3)


def test_what_does_not_serve_is_refused(clouds):
    with pytest.raises(ValueError, match="different numbers of points: 60 and 59"):
        rtd_score(clouds[0], clouds[1][1:])
    with pytest.raises(ValueError, match="batch and repeats must be at least 2, not 500 and 1"):
        rtd_score(*clouds[:2], repeats=1)
    with pytest.raises(ValueError, match="at most 16384 points"):
        rtd_score(np.zeros((20_000, 1)), np.zeros((20_000, 1)), batch=17_000)
    with pytest.raises(ValueError, match="unknown variant"):
        rtd_score(*clouds[:2], variant="cka")


def test_the_command_prints_a_table(files, run, clouds):
    code, out, err = run("rtd", *files, "-q")
    assert code == 0 and err == ""
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["a", "b", "c"] and rows[1][:2] == ["a", "-"]
    assert float(rows[1][3]) == pytest.approx(rtd(clouds[0], clouds[2], minimax=False), rel=1e-3)
    assert out.splitlines()[-2:] == ["rtd of all 60 points", "next: ganwalk rtd a.npy b.npy c.npy --quiet -o rtd-out"]


@pytest.mark.parametrize("variant", ["rtd", "srtd", "max-rtd-lite"])
def test_the_command_writes_a_table_a_heat_map_and_barcodes(files, run, variant):
    options = ["--batch", 20, "--repeats", 3, "--variant", variant, "-o", "out", "-q"]
    code, out, _ = run("rtd", *files, *options)
    assert code == 0 and f"{variant} of 3 random batches of 20 of 60 points" in out and "±" in out
    found = json.loads(Path("out/divergences.json").read_text())
    assert [(pair["first"], pair["second"]) for pair in found["pairs"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert found["variant"] == variant and all(pair["half_width"] > 0 and pair["n"] == 3 for pair in found["pairs"])
    for name in ("divergences.png", "barcodes.png"):
        assert Path("out", name).read_bytes().startswith(b"\x89PNG")
    code, _, err = run("rtd", *files, *options)
    assert code == 2 and "exists: choose another name, or replace it with --force" in err
    assert run("rtd", *files, *options, "--force")[0] == 0


def test_names_that_begin_or_end_alike_are_told_apart(clouds):
    names = ["representation-of-layer-1", "representation-of-layer-2", "c" * 30, "c" * 30, "short"]
    short = shortened(names)
    assert short == ["…tion-of-layer-1", "…tion-of-layer-2", "3: …" + "c" * 15, "4: …" + "c" * 15, "short"]
    called = [f"representation-of-layer-{k}" for k in range(3)]
    same = [Representation(name, points, None) for name, points in zip(called, clouds, strict=True)]
    found = _barcodes(same, called, "rtd", {"batch": 10, "repeats": 2, "seed": 0, "metric": "euclidean"})
    assert len(found) == len(dict(found)) == 6


def test_rows_are_matched_by_ids(files, run, clouds):
    order = np.random.default_rng(1).permutation(60)[:50]
    np.savez("b.npz", codes=clouds[1][order], photo=np.array([f"p{k}" for k in order]))
    rows = [f"p{k},{','.join(map(repr, row))}" for k, row in enumerate(clouds[0].tolist())]
    Path("a.csv").write_text("\n".join(["photo,x,y,z", *rows]) + "\n")
    code, out, _ = run("rtd", "a.csv", "b.npz", "--id", "photo", "-q")
    order.sort()
    assert code == 0 and "rtd of all 50 points; up to 10 rows of a file have no match" in out
    expected = rtd(clouds[0][order], clouds[1][order], minimax=False)
    assert float(out.splitlines()[1].split()[-1]) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.npy"], "give two files or more"),
        (["a.npy", "d.npy"], "d.npy"),
        (["a.npy", "b.npy", "--id", "x"], "a.npy has no ids: give .npz or .csv files"),
        (["a.npy", "few.npy"], r"cannot be matched by their order (a 60, few 3): give .csv or .npz files, and --id"),
        (["a.npy", "named.csv"], "column 'file' is no number: leave it out, or match rows by it with --id file"),
        (["named.csv", "twice.csv", "--id", "file"], "twice: the id 'p' stands there twice"),
        (["named.csv", "named.csv", "--id", "name"], "has no column 'name' for --id: it has file, x"),
        (["named.csv", "other.csv", "--id", "file"], "1 ids are in all files"),
        (["a.npy", "objects.npy"], "holds Python objects"),
        (["a.npy", "none.npy", "-o", "."], "none.npy does not exist"),
        (["a.npy", "a.txt"], "must end in .npy, .npz or .csv"),
        (["a.npy", "nan.npy"], "nan.npy holds a value that is not finite"),
        (["a.npy", "b.npy", "--metric", "far"], "metric 'far' of scipy's pdist"),
        (["named.csv", "twice.csv", "--id", "file", "--metric", "precomputed"], "leave out --id"),
        (["semicolons.csv", "a.npy"], "semicolons.csv has columns between ';': save it with commas, and points in"),
        (["uneven.csv", "a.npy"], "rows have more or fewer cells than the header"),
    ],
)
def test_mistakes_of_the_command_end_in_one_line(files, run, arguments, message):
    np.save("few.npy", np.eye(3))
    np.save("nan.npy", np.full((60, 2), np.nan))
    np.save("objects.npy", np.array([[{}]]), allow_pickle=True)
    Path("a.txt").touch()
    for name, text in (("named", "p,1\nq,2"), ("twice", "p,1\np,2"), ("other", "p,1\nr,2"), ("uneven", "p,1,3")):
        Path(f"{name}.csv").write_text(f"file,x\n{text}\n")
    Path("semicolons.csv").write_text("x;y\n1,5;2\n")
    code, _, err = run("rtd", *arguments, "-q")
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_heat_maps_are_drawn(tmp_path):
    plot_matrix(np.zeros((3, 3)), ["a", "b", "c"], tmp_path / "heat.png", title="none")
    assert (tmp_path / "heat.png").read_bytes().startswith(b"\x89PNG")


def test_batches_are_drawn_of_more_distances_than_the_engine_takes():
    n = 16385
    # Every row has the same bytes: a matrix of this size without its memory.
    distances = np.broadcast_to(np.zeros((1, 1), np.float32), (n, n))
    assert rtd_score(distances, distances, metric="precomputed", batch=20, repeats=2).mean == 0
    with pytest.raises(ValueError, match="at most 16384 points"):
        rtd_score(distances, distances, metric="precomputed", batch=n, repeats=2)
