"""python -m vae.score: files of every kind, what was missing, continuous factors, and what is written."""

import csv
import json
import math
import os
import re
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from ganwalk.errors import GanwalkError
from vae.codes import arrays as codes_arrays
from vae.codes import tables as codes_tables
from vae.codes.files import open_codes
from vae.codes.sample import Sample, draw_sample
from vae.codes.scores import score_samples
from vae.codes.settings import CodesSettings
from vae.metrics import OF_CLASSES, SCORES
from vae.scores.tables import scores_with_intervals

FAST = ("--metrics", "quick", "--intervals", "none", "--no-dci", "--threads", 1, "-q")


@pytest.fixture(scope="module")
def arrays():
    """Codes (400, 3), of which two hold a factor each, and classes (400, 2)."""
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(3, size=400), rng.integers(4, size=400)], axis=1)
    return np.concatenate([factors + 0.1 * rng.normal(size=(400, 2)), rng.normal(size=(400, 1))], axis=1), factors


def write_table(path, codes, factors, names=("factor_shape", "factor_size"), text=(), delimiter=","):
    with path.open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow([*(f"z{k}" for k in range(codes.shape[1])), *names])
        for row, labels in zip(codes.tolist(), factors.tolist(), strict=True):
            writer.writerow([*row, *(f"kind {v}" if k in text else v for k, v in enumerate(labels))])
    return path


def rows_in(source, rows=10_000, **options):
    sample = draw_sample(source, rows, **options)
    return sample.codes, sample.factors


@pytest.mark.parametrize("kind", ["npz", "compressed npz", "wide npz", "npy", "columns npy", "csv", "tsv", "text"])
def test_files_of_every_kind_hold_the_same_rows(arrays, kind, tmp_path, monkeypatch):
    # Blocks that end within the rows.
    for module in (codes_arrays, codes_tables):
        monkeypatch.setattr(module, "ROWS", 150)
    codes, factors = arrays
    paths = [tmp_path / f"codes.{kind.split()[-1]}"]
    if "npz" in kind:
        arranged = np.asfortranarray(codes) if "wide" in kind else codes
        save = np.savez_compressed if "compressed" in kind else np.savez
        save(paths[0], codes=arranged, factors=np.asfortranarray(factors))
    elif "npy" in kind:
        paths.append(tmp_path / "factors.npy")
        np.save(paths[0], codes if kind == "npy" else np.asfortranarray(codes))
        np.save(paths[1], factors)
    else:
        paths = [tmp_path / f"codes.{kind.replace('text', 'csv')}"]
        write_table(
            paths[0], codes, factors, text=(0,) if kind == "text" else (), delimiter="\t" if kind == "tsv" else ","
        )
    source, test = open_codes(paths)
    found = rows_in(source)
    assert test is None and np.array_equal(found[0], codes)
    if kind == "text":
        # Numbered as they come.
        _, first = np.unique(factors[:, 0], return_index=True)
        assert np.array_equal(found[1][:, 0], np.argsort(np.argsort(first))[factors[:, 0]])
        assert source.texts == ("factor_shape",)
    assert np.array_equal(found[1][:, 1], factors[:, 1])


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_columns_of_an_archive_are_never_whole_in_memory(save, tmp_path):
    codes = np.zeros((400_000, 10), order="F")
    codes[-1] = 1
    save(tmp_path / "c.npz", codes=codes, factors=np.zeros(400_000, np.int8))
    source, _ = open_codes([tmp_path / "c.npz"])
    del codes
    tracemalloc.start()
    last = np.empty(0)
    for part, _ in source.blocks():
        last = part
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (last[-1] == 1).all() and not last[:-1].any() and peak < 8e6


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_pair_of_arrays_that_is_cut_while_it_is_read(arrays, order, tmp_path):
    codes, factors = arrays
    paths = [tmp_path / "codes.npy", tmp_path / "factors.npy"]
    np.save(paths[0], np.asarray(codes, order=order))
    np.save(paths[1], factors)
    source, _ = open_codes(paths)
    os.truncate(paths[0], 1000)
    with pytest.raises(GanwalkError, match=r"cannot read .*codes\.npy \(codes\.npy ends too early\)"):
        rows_in(source)
    with pytest.raises(GanwalkError, match=r"cannot read .*codes\.npy \(it ends too early\)"):
        open_codes(paths)


def test_how_pickles_are_loaded_is_not_what_is_advised(tmp_path):
    for name in ("c.npy", "f.npy"):
        (tmp_path / name).write_text("no array")
    with pytest.raises(GanwalkError, match=r"cannot read .*c.npy \(damaged, or Python objects\): give") as caught:
        open_codes([tmp_path / "c.npy", tmp_path / "f.npy"])
    assert "allow_pickle" not in str(caught.value)


@pytest.mark.parametrize("index", ["", "Unnamed: 0", "__index_level_0__"])
def test_an_index_that_pandas_writes_is_no_code(vae_run, tmp_path, index):
    rng = np.random.default_rng(0)
    lines = [f"{index},z0,z1,factor"]
    lines += [f"{row},{a:.3f},{b:.3f},{row // 100}" for row, (a, b) in enumerate(rng.normal(size=(400, 2)))]
    (tmp_path / "codes.csv").write_text("\n".join(lines))
    code, out, err = vae_run("score", tmp_path / "codes.csv", "--out", tmp_path / "o", *FAST)
    assert code == 0 and "2 codes" in out and f"left out, as it numbers the rows: {index!r}" in out, err
    facts = json.loads((tmp_path / "o" / "scores.json").read_text())
    assert facts["codes"] == ["z0", "z1"] and facts["numberings"] == [index] and facts["scores"]["mig"] < 0.1
    source, _ = open_codes([tmp_path / "codes.csv"], codes=["*"])
    assert source.code_names == (index, "z0", "z1") and source.numberings == ()


def test_texts_are_classes_whatever_the_ranges_of_numbers(vae_run, tmp_path):
    rng = np.random.default_rng(0)
    places, angles = rng.integers(20, size=600), rng.uniform(size=600)
    rows = [f"{p + 0.01 * a:.3f},{a:.4f},place {p},{a:.5f}" for p, a in zip(places, angles, strict=True)]
    found = []
    for order in (range(600), rng.permutation(600)):
        text = "\n".join(["z0,z1,factor_place,factor_angle", *(rows[k] for k in order)])
        (tmp_path / "codes.csv").write_text(text)
        options = (*FAST, "--factor-bins", 10, "--force")
        code, _, err = vae_run("score", tmp_path / "codes.csv", "--out", tmp_path / "o", *options)
        assert code == 0, err
        found.append(json.loads((tmp_path / "o" / "scores.json").read_text()))
        assert [factor["kind"] for factor in found[-1]["factors"]] == ["classes", "binned"]
    first, second = (np.array(facts["mutual_information"]) for facts in found)
    # In nats: of 20 places more than ten ranges could hold.
    np.testing.assert_allclose(first, second, atol=1e-5)
    assert math.log(10) < first[0, 0] < math.log(20) and first[1, 1] > 2 > first[0, 1]


def test_scores_do_not_depend_on_whether_halves_can_be_scored(vae_run, tmp_path):
    """Of 500 rows four have a value of their own; of half of the rows that are for training sometimes none has."""
    rng = np.random.default_rng(0)
    factors = (np.arange(500) % 125 == 0)[:, None].astype(int)
    np.savez(tmp_path / "codes.npz", codes=factors + 0.1 * rng.normal(size=(500, 2)), factors=factors)
    facts = {}
    for kind in ("none", "arrays"):
        options = ("--metrics", "quick", "--no-dci", "--threads", 1, "-q", "--intervals", kind)
        code, out, err = vae_run("score", tmp_path / "codes.npz", "--out", tmp_path / kind, *options)
        assert code == 0, err
        facts[kind] = json.loads((tmp_path / kind / "scores.json").read_text())
    assert facts["arrays"]["scores"] == facts["none"]["scores"] and facts["arrays"]["intervals"] == {}
    assert "no intervals: in half of the rows no factor varies" in out
    assert "no factor varies" in facts["arrays"]["without_intervals"]


@pytest.fixture(scope="module")
def near_the_bound():
    """Codes and factors (1000, 2): of the second factor 251 rows hold a value of their own, one more than classes may.

    Of a third, a fold or a half of the rows it may be fewer or more than a quarter.
    """
    rng = np.random.default_rng(0)
    classes, numbers = rng.integers(3, size=1000), np.zeros(1000)
    numbers[rng.permutation(1000)[:251]] = rng.normal(size=251)
    factors = np.stack([classes, numbers], axis=1)
    return factors + 0.1 * rng.normal(size=factors.shape), factors


@pytest.mark.parametrize("lone", [251, 249])
@pytest.mark.parametrize(
    "options", [{"folds": 5, "intervals": "none"}, {"draws": 10}, {"draws": 3, "intervals": "all"}]
)
def test_what_a_factor_is_does_not_change_between_parts_of_the_rows(near_the_bound, lone, options):
    codes, factors = near_the_bound
    factors = factors.copy()
    factors[np.flatnonzero(factors[:, 1])[lone:], 1] = 0
    settings = CodesSettings(metrics="quick", dci=False, seed=1, **options)
    found = score_samples(Sample(codes, factors, len(codes), ()), None, settings, threads=1)
    assert found.kinds == ("classes", "continuous" if lone == 251 else "classes")
    assert set(found.scores) == {name for name in SCORES if name not in found.missing} and not found.without_intervals
    assert ("mig" in found.scores) == (lone == 249)
    # Printed scores lie in their own intervals.
    assert all(low <= found.scores[name] <= high for name, (low, high) in found.intervals.items())
    assert set(found.intervals) <= set(found.scores) and bool(found.intervals) == (options.get("intervals") != "none")


def test_text_that_comes_in_pairs_stays_classes_in_a_split(near_the_bound):
    """Of two thirds of the rows more than a quarter have no other with their text, and so they would be numbers."""
    codes, factors = near_the_bound
    pairs = np.random.default_rng(2).permutation(np.minimum(np.arange(1000) // 2, 475 + np.arange(1000) % 50))
    pairs[pairs >= 475] = 475 + np.arange((pairs >= 475).sum())
    settings = CodesSettings(metrics="quick", intervals="none", dci=False)
    found = []
    for numbers in (pairs, np.random.default_rng(3).permutation(1000)[pairs]):
        sample = Sample(codes, np.stack([numbers, factors[:, 1]], axis=1), len(codes), ())
        found.append(score_samples(sample, None, settings, texts=[True, False], threads=1))
    assert found[0].kinds == found[1].kinds == ("classes", "continuous")
    # The order in which texts are numbered means nothing.
    assert found[0].scores["info_explicitness"] == pytest.approx(found[1].scores["info_explicitness"], abs=0.02)
    assert found[0].scores["info_compactness"] == pytest.approx(found[1].scores["info_compactness"], abs=1e-6)


@pytest.mark.parametrize(
    ("column", "arguments", "message"),
    [
        (
            lambda rng: np.arange(60) % 20,
            ("--rows", 40, "--test-share", 0.9),
            "no two rows of those that are fitted share a value of factor size: cut .* by --factor-bins 10, or",
        ),
        (
            lambda rng: rng.normal(size=60),
            ("--factor-bins", 1000),
            "no two rows share a range of factor size: give fewer --factor-bins, such as 10",
        ),
    ],
)
def test_factors_that_hardly_repeat_are_named_with_an_option(vae_run, tmp_path, column, arguments, message):
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(60) % 2, column(rng)], axis=1)
    names = np.array(["shape", "size"])
    np.savez(tmp_path / "codes.npz", codes=rng.normal(size=(60, 2)), factors=factors, factor_names=names)
    code, _, err = vae_run("score", tmp_path / "codes.npz", "--out", tmp_path / "o", *FAST, *arguments)
    assert code == 2 and re.search(message, err), err


def test_parquet(arrays, tmp_path):
    reason = "tables need the extra [tables]: pip install '.[tables]'"
    pyarrow, parquet = (pytest.importorskip(name, reason=reason) for name in ("pyarrow", "pyarrow.parquet"))
    codes, factors = arrays
    columns = {f"z{k}": codes[:, k] for k in range(3)}
    texts = np.array(["disc", "box", "star"])[factors[:, 0]]
    table = pyarrow.table({**columns, "factor_shape": texts, "factor_big": factors[:, 1] > 1})
    parquet.write_table(table, tmp_path / "codes.parquet")
    source, _ = open_codes([tmp_path / "codes.parquet"])
    found = rows_in(source)
    assert np.array_equal(found[0], codes) and np.array_equal(found[1][:, 1], factors[:, 1] > 1)
    assert len(np.unique(found[1][:, 0])) == 3 and source.texts == ("factor_shape",)
    with pytest.raises(GanwalkError, match="column factor_shape holds string, which is no number"):
        open_codes([tmp_path / "codes.parquet"], codes=["*"], factors=["factor_big"])
    (tmp_path / "bad.parquet").write_bytes(b"nothing")
    with pytest.raises(GanwalkError, match="cannot read"):
        open_codes([tmp_path / "bad.parquet"])


@pytest.mark.parametrize("late", ["square", str(2**53 + 1)])
def test_text_that_comes_late_makes_text_of_the_whole_column(tmp_path, monkeypatch, late):
    monkeypatch.setattr(codes_tables, "ROWS", 150)
    lines = ["z,factor_shape", *(f"{k}.5,{k % 2 if k < 390 else late}" for k in range(399)), f"1,{2**53}"]
    (tmp_path / "c.csv").write_text("\n".join(lines))
    source, _ = open_codes([tmp_path / "c.csv"])
    assert source.texts == ("factor_shape",)
    # Doubles would make one of the last two.
    assert rows_in(source)[1][-11:, 0].tolist() == [1, *[2] * 9, 3]


def test_tables_of_arrow_say_how_a_factor_is_left_out_and_merge_no_integers(tmp_path):
    reason = "tables need the extra [tables]: pip install '.[tables]'"
    pyarrow, parquet = (pytest.importorskip(name, reason=reason) for name in ("pyarrow", "pyarrow.parquet"))
    path, days = tmp_path / "c.parquet", np.arange(4).astype("datetime64[D]")
    parquet.write_table(pyarrow.table({"z": np.ones(4), "factor_day": days}), path)
    with pytest.raises(GanwalkError, match=r"factor_day holds date32.*: leave it out \(of tables by --factors"):
        open_codes([path])
    large = 2**63 + np.array([0, 1, 1, 0], np.uint64)
    parquet.write_table(pyarrow.table({"z": large, "factor_id": large, "factor_k": np.arange(4)}), path)
    source, _ = open_codes([path])
    assert source.texts == ("factor_id",)
    assert np.array_equal(rows_in(source)[1], [[0, 0], [1, 1], [1, 2], [0, 3]])


def test_names_with_the_marks_of_formulas_are_drawn_as_they_are(vae_run, arrays, tmp_path):
    names = {"code_names": np.array(["$z_$", "a$b$", r"$\frac$"]), "factor_names": np.array(["$x^$", "size"])}
    np.savez(tmp_path / "c.npz", codes=arrays[0], factors=arrays[1], **names)
    code, out, err = vae_run("score", tmp_path / "c.npz", "--out", tmp_path / "o", *FAST)
    assert code == 0 and "factors, classes: $x^$, size" in out, err


def test_columns_are_named(arrays, tmp_path):
    path = write_table(tmp_path / "c.csv", *arrays, names=("shape", "size"))
    source, _ = open_codes([path], codes=["z*"], factors=["s?ape", "size"])
    assert source.code_names == ("z0", "z1", "z2") and source.factor_names == ("shape", "size")
    assert open_codes([path], factors=["size"])[0].code_names == ("z0", "z1", "z2", "shape")
    # What is called a factor is no code because another factor was asked for.
    path = write_table(tmp_path / "d.csv", *arrays, names=("factor_shape", "factor_size"))
    assert open_codes([path], factors=["factor_size"])[0].code_names == ("z0", "z1", "z2")
    assert "factor_shape" in open_codes([path], codes=["z*", "factor_shape"], factors=["factor_size"])[0].code_names


def test_a_sample_is_uniform_and_in_order(tmp_path):
    np.savez(tmp_path / "c.npz", codes=np.arange(9000.0)[:, None], factors=np.arange(9000) // 100)
    source, _ = open_codes([tmp_path / "c.npz"])
    drawn = np.concatenate([rows_in(source, 300, seed=seed)[0][:, 0] for seed in range(10)])
    assert len(drawn) == 3000 and (np.diff(drawn[:300]) > 0).all()
    assert np.bincount((drawn // 1000).astype(int)).min() > 250
    assert np.array_equal(rows_in(source, 300, seed=3)[0], rows_in(source, 300, seed=3)[0])


def test_rows_that_miss_something_are_named_and_dropped_on_request(vae_run, arrays, tmp_path):
    codes, factors = (part.astype(float) for part in arrays)
    codes[17, 1], codes[300, 0], factors[18, 1] = np.nan, np.inf, np.nan
    path = write_table(tmp_path / "c.csv", codes, factors)
    code, _, err = vae_run("score", path, "--out", tmp_path / "o", *FAST)
    assert code == 2 and len(err.splitlines()) == 1
    assert "3 of 400 rows have missing or infinite values: row 17 (z1), row 18 (factor_size), row 300 (z0)" in err
    code, out, err = vae_run("score", path, "--out", tmp_path / "o", "--drop-missing", *FAST)
    assert code == 0, err
    assert "397 of 400 rows" in out and "3 dropped for missing values" in out
    facts = json.loads((tmp_path / "o" / "scores.json").read_text())
    assert facts["rows"]["dropped"] == [17, 18, 300] and facts["rows"]["total"] == 400


def test_what_is_written(vae_run, arrays, tmp_path):
    path, out = tmp_path / "c.npz", tmp_path / "o"
    np.savez(path, codes=arrays[0], factors=arrays[1], factor_names=np.array(["shape", "size"]))
    options = ["score", path, "--out", out, "--metrics", "quick", "--draws", 5, "--threads", 1, "-q"]
    code, printed, err = vae_run(*options)
    assert code == 0, err
    assert "factors, classes: shape, size" in printed and "95 % interval" in printed
    assert printed.splitlines()[-1] == f"next: look at {out / 'information.png'}"
    facts = json.loads((out / "scores.json").read_text())
    assert list(facts["scores"]) == list(SCORES) and facts["scores"]["mig"] > 0.6
    low, high = facts["intervals"]["mig"]
    assert low < facts["scores"]["mig"] < high and "dci_disentanglement" not in facts["intervals"]
    assert np.shape(facts["mutual_information"]) == (3, 2) and facts["rows"]["train"] == 267
    assert np.asarray(Image.open(out / "information.png").convert("L")).std() > 0
    assert "exists" in vae_run(*options)[2]
    code, printed, _ = vae_run(*options, "--force", "--json")
    assert code == 0 and json.loads(printed)["scores"] == facts["scores"]


def test_small_scores_have_more_decimals():
    lines = scores_with_intervals({"mig": 0.5, "dhsic": 0.00049}, {"dhsic": (0.0, 0.001)}, {}, {})
    assert lines[1].split()[-1] == "0.500" and lines[2].endswith("0.00049  0.00000 to 0.00100")


def test_continuous_factors_are_told_apart(vae_run, arrays, tmp_path):
    codes, factors = arrays
    angle = factors[:, 1] + np.random.default_rng(0).random(400)
    path = write_table(tmp_path / "c.csv", codes, np.stack([factors[:, 0], angle], axis=1))
    code, out, err = vae_run("score", path, "--out", tmp_path / "o", *FAST)
    assert code == 0, err
    assert "factors, classes: factor_shape" in out and "factors, continuous: factor_size" in out
    assert "–  for classes: give --factor-bins 10" in out
    facts = json.loads((tmp_path / "o" / "scores.json").read_text())
    assert set(OF_CLASSES) <= set(facts["missing"]) and not set(OF_CLASSES) & set(facts["scores"])
    code, out, err = vae_run("score", path, "--out", tmp_path / "o2", "--factor-bins", 4, *FAST)
    assert code == 0 and "factors, binned: factor_size" in out and "MIG  " in out, err


def test_codes_of_another_scale_than_a_vae_s_are_said_and_standardised(vae_run, arrays, tmp_path):
    codes, factors = arrays
    facts = {}
    for scale in (1, 1e-3, 1e200):
        path = tmp_path / f"{scale}.npz"
        np.savez(path, codes=codes * scale, factors=factors)
        code, out, err = vae_run("score", path, "--standardise", "--out", tmp_path / f"{scale}", *FAST)
        assert code == 0 and "left out of" not in out, err
        facts[scale] = json.loads((tmp_path / f"{scale}" / "scores.json").read_text())
        assert facts[scale]["bounds"] == [] and facts[scale]["scores"]["active_units"] == 3
        assert facts[scale]["scores"] == pytest.approx(facts[1]["scores"], abs=0.02)
    code, out, err = vae_run("score", tmp_path / "0.001.npz", "--out", tmp_path / "o", *FAST)
    assert code == 0, err
    assert "left out of active units and MIG-sup: 3 codes without a variance above 0.01" in out
    assert "left out of FactorVAE score: 3 codes without a deviation of 0.05" in out
    assert "are made for codes of a VAE: of others, give --standardise" in out
    found = json.loads((tmp_path / "o" / "scores.json").read_text())
    assert [(bound["codes"], bound["remedy"]) for bound in found["bounds"]] == [(3, "--standardise")] * 2
    assert found["scores"]["mig_sup"] == 0 < facts[1]["scores"]["mig_sup"]


def test_folds_and_a_test_set_of_the_file(arrays, tmp_path):
    codes, factors = arrays
    np.savez(
        tmp_path / "c.npz", codes=codes[:300], factors=factors[:300], test_codes=codes[300:], test_factors=factors[300:]
    )
    source, test = open_codes([tmp_path / "c.npz"])
    quick = CodesSettings(metrics="quick", intervals="none", dci=False)
    found = score_samples(draw_sample(source, 4500), draw_sample(test, 4500), quick, threads=1)
    assert (found.rows["train"], found.rows["test"]) == (300, 100) and not found.deviations
    folds = CodesSettings(metrics="quick", intervals="none", dci=False, folds=2)
    both = score_samples(draw_sample(source, 4500), None, folds, threads=1)
    assert both.deviations["mig"] > 0 and both.rows["test"] == 150


@pytest.mark.parametrize(
    ("write", "arguments", "message"),
    [
        (lambda p: None, ("gone.npz",), "gone.npz is no file: give .npz"),
        (lambda p: (p / "c.npz").write_bytes(b"PK"), ("c.npz",), "cannot read .*c.npz"),
        (lambda p: np.savez(p / "c.npz", z=np.zeros((9, 2))), ("c.npz",), "has no array codes: it has z"),
        (
            lambda p: np.savez(p / "c.npz", codes=np.zeros((9, 2)), factors=np.zeros((8, 2))),
            ("c.npz",),
            "9 rows of codes and 8 of factors",
        ),
        (
            lambda p: np.savez(p / "c.npz", codes=np.array([[{}]]), factors=np.zeros((1, 1))),
            ("c.npz",),
            "codes in .* holds values of the type object: save numbers",
        ),
        (lambda p: (p / "c.csv").write_text("a,b\n1,2\n"), ("c.csv",), "name its columns of factors .* it has a, b"),
        (lambda p: (p / "c.csv").write_text("a,factor_b\n1,2\n3\n"), ("c.csv",), "line 3 has 1 columns, its header 2"),
        (
            lambda p: (p / "c.csv").write_text("a,factor_b\n1,2\nx,3\n"),
            ("c.csv",),
            r"column a has 'x' in row 1 \(counted from 0\), which is no number",
        ),
        (
            lambda p: (p / "c.csv").write_text("a;factor_b\n1,5;2\n"),
            ("c.csv", "--factors", "factor_b"),
            "has columns between ';': save it with commas",
        ),
        (lambda p: (p / "c.tsv").write_text("a,factor_b\n1,2\n"), ("c.tsv",), "between ',': .* as .tsv with tabs"),
        (lambda p: (p / "c.csv").write_text("a,a\n1,2\n"), ("c.csv",), "two columns 'a'"),
        (
            lambda p: (p / "c.csv").write_text("a,b\n1,2\n"),
            ("c.csv", "--factors", "q"),
            "has no column q: its columns are a, b",
        ),
        (
            lambda p: (p / "c.csv").write_text("a,factor_b\n" + "".join(f"1,name{k}\n" for k in range(50))),
            ("c.csv",),
            "factor_b is text that hardly repeats",
        ),
        (lambda p: (p / "c.txt").write_text(""), ("c.txt",), "cannot read .*c.txt: give .npz"),
        (
            lambda p: np.savez(p / "c.npz", codes=np.zeros((9, 2)), factors=np.zeros((9, 2))),
            ("c.npz", "--factors", "a"),
            "name columns of tables",
        ),
        (
            lambda p: np.savez(p / "c.npz", codes=np.ones((9, 2)), factors=np.zeros((9, 1))),
            ("c.npz", "--folds", "9"),
            "9 rows are too few for 9 folds",
        ),
        (
            lambda p: np.savez(p / "c.npz", codes=np.ones((90, 2)), factors=np.zeros((90, 1))),
            ("c.npz", "--folds", "9", "--test-share", "0.5"),
            "each of 9 folds is tested in turn: leave --test-share out",
        ),
        (
            lambda p: np.savez(
                p / "c.npz", **dict.fromkeys(("codes", "factors", "test_codes", "test_factors"), np.ones((9, 2)))
            ),
            ("c.npz", "--test-share", "0.5"),
            "has a test set of its own: leave --test-share out",
        ),
        (
            lambda p: np.savez(p / "c.npz", codes=np.ones((400, 2)), factors=np.zeros((400, 1))),
            ("c.npz", "--rows", "40", "--test-share", "0.99"),
            "of --rows 40, --test-share 0.99 leaves 0 for training: give more rows, or a smaller share",
        ),
        (lambda p: (p / "c.csv").write_text(""), ("c.csv",), "c.csv has no columns in its first line: name them there"),
    ],
)
def test_bad_files_are_refused_in_a_line(vae_run, tmp_path, write, arguments, message):
    write(tmp_path)
    code, _, err = vae_run("score", tmp_path / arguments[0], *arguments[1:], "--out", tmp_path / "o", "-q")
    assert code == 2 and len(err.splitlines()) == 1
    assert re.search(message, err), err
    assert not (tmp_path / "o").exists()


def test_names_that_unfold_to_gigabytes_are_refused(arrays, tmp_path):
    codes, factors = arrays
    np.savez_compressed(tmp_path / "codes.npz", codes=codes, factors=factors, code_names=np.zeros(2**22, "U2"))
    with pytest.raises(GanwalkError, match="code_names is larger than any names"):
        open_codes([tmp_path / "codes.npz"])
