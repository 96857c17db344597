"""The benchmark of whole discoveries: in its quick mode, and its peers by what they compute."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.files import write_json
from ganwalk.generators.base import sample_z

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def benchmark(load):
    return load("discovery")


@pytest.fixture
def plain(load):
    return load("plain_discovery")


@pytest.fixture
def bench(benchmark, tmp_path):
    return benchmark.Bench(tmp_path, benchmark.QUICK, 1, "cpu", None)


@pytest.mark.slow
def test_the_benchmark_of_discoveries_runs_and_continues(main_of, tmp_path):
    kinds = ["discover", "explore", "ganspace", "loop"]
    options = ["--quick", "--work", tmp_path, "--threads", "1", "--sizes", "64", "--cases"]
    main_of("discovery", *options, kinds[0])
    text = (tmp_path / "quick" / "discovery.json").read_text()
    then = main_of("discovery", *options, *kinds)
    assert then.err.splitlines() == ["explore-64 …", "ganspace-64 …", "loop-64 …"]
    assert "| plain loop for RTD, 64 px | " in then.out and "(extrapolated from 2 steps)" in then.out
    document = json.loads((tmp_path / "quick" / "discovery.json").read_text())
    rows = document["rows"]
    assert list(rows) == [f"{kind}-64" for kind in kinds]
    assert json.loads(text)["rows"] == {"discover-64": rows["discover-64"]}
    assert 0 < rows["discover-64"]["first_seconds"] <= rows["discover-64"]["seconds"]
    assert all(row["seconds"] > 0 and row["peak_mb"] > 0 for row in rows.values())
    assert [entry["peer"] for entry in document["ratios"]] == [rows[f"{peer}-64"]["seconds"] for peer in kinds[-2:]]
    assert str(tmp_path) not in json.dumps(document) and str(ROOT) not in json.dumps(document)
    with Image.open(tmp_path / "quick" / "discovery.png") as picture:
        picture.verify()


def test_the_demo_is_the_one_of_the_makefile(benchmark):
    discover, *renders = benchmark.demo_commands("here")
    assert discover[:1] == ["discover"] and discover[-2:] == ["--out", "here"]
    assert [command[0] for command in renders] == ["render", "render"]
    assert all("here/directions.safetensors" in command for command in renders)


def test_a_row_tells_when_results_were_there(bench, tmp_path):
    write = "import pathlib; [pathlib.Path(name).touch() for name in ('a', 'b')]; print('done')"
    row, printed = bench.run([sys.executable, "-c", write], ["a", "b"])
    assert 0 < row["first_seconds"] <= row["seconds"] and printed == "done\n"
    row, _ = bench.run([sys.executable, "-c", write], ["a", "c"])
    assert "first_seconds" not in row


def test_what_fails_ends_the_benchmark_with_its_last_words(bench):
    with pytest.raises(SystemExit, match=r"discover --no-such-option.* failed: .*[Nn]o such option"):
        bench.ganwalk("discover", "--no-such-option")
    with pytest.raises(SystemExit, match="run the case 'discover' first, with --fresh if it has a result"):
        bench.needed("discover", "out/directions.safetensors")


def test_ratios_are_of_what_has_been_measured(benchmark):
    rows = {
        "pca-1024": {"seconds": 30.0, "first_seconds": 20.0, "peak_mb": 1024},
        "discover-256": {"seconds": 400.0, "peak_mb": 2048},
        "ganspace-1024": {"seconds": 2.0, "ganwalk_seconds": 1.5, "peak_mb": 512},
        "loop-256": {"seconds": 8000.0, "extrapolated_from_steps": 2, "peak_mb": 4096},
    }
    document = benchmark.as_document(rows, {}, benchmark.WHOLE)
    assert [entry["ganwalk / peer"] for entry in document["ratios"]] == [0.75, 15, 0.05]
    assert list(document["rows"]) == ["pca-1024", "discover-256", "ganspace-1024", "loop-256"]
    table = benchmark.markdown(document, benchmark.all_cases(benchmark.WHOLE))
    assert "| discover -n 20 -m pca, 1024 px | 30 | 20.0 | 60 | 1.0 GB |" in table
    assert "| plain loop for RTD, 256 px | 8,000 (extrapolated from 2 steps) |" in table
    assert "against a plain loop's steps alone (extrapolated from 2 steps) | 0.05 |" in table


def test_every_goal_belongs_to_a_case(benchmark):
    assert set(benchmark.GOALS) <= {case.name for case in benchmark.all_cases(benchmark.WHOLE)}


def test_rows_of_other_conditions_are_not_mixed(benchmark, tmp_path):
    path = tmp_path / "discovery.json"
    assert benchmark.kept_rows(path, {"threads": 2}) == {}
    write_json(path, {"facts": {"threads": 2, "torch": "2.4"}, "rows": {"demo": {}}})
    assert benchmark.kept_rows(path, {"threads": 2, "torch": "2.4"}) == {"demo": {}}
    with pytest.raises(SystemExit, match="was measured with other threads: remove it"):
        benchmark.kept_rows(path, {"threads": 1, "torch": "2.4"})


def test_results_are_named_after_the_card(benchmark):
    assert benchmark.results_name("cpu") == "discovery"
    assert benchmark.results_name("NVIDIA H100 80GB HBM3") == "discovery-nvidia-h100-80gb-hbm3"


def test_the_components_of_ganspace_are_those_of_all_samples(plain, toy):
    found = plain.ganspace_pca(toy, toy.w_dim)
    w = torch.cat([toy.mapping(sample_z(toy, 2000, start))[:, 0] for start in range(0, plain.SAMPLES, 2000)])
    values = torch.linalg.eigvalsh(torch.cov(w.double().T)).flip(0)
    np.testing.assert_allclose(found.explained_variance_, values, rtol=1e-3, atol=1e-6)


def test_the_features_of_the_plain_loop_have_their_gradient(plain, toy):
    w = toy.mapping(sample_z(toy, 40, 0)).requires_grad_()
    expected = toy.synthesis(w, until=3)
    found = plain.features(toy, w, 3)
    torch.testing.assert_close(found, expected)
    weights = torch.randn_like(expected)
    gradients = [torch.autograd.grad((part * weights).sum(), w)[0] for part in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_the_plain_loop_rotates_the_components(plain, toy):
    start, moved = (plain.plain_search(toy, 3, steps) for steps in (0, 2))
    assert len(moved.seconds) == 2 and start.seconds == []
    torch.testing.assert_close(moved.basis @ moved.basis.T, torch.eye(3), rtol=0, atol=1e-5)
    overlap = start.basis @ moved.basis.T
    torch.testing.assert_close(overlap @ overlap.T, torch.eye(3), rtol=0, atol=1e-4)
    assert (overlap - torch.eye(3)).abs().max() > 0.01
