"""Comparisons: every method and seed once, statistics by hand, resumption, and a report that says what came out."""

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.discovery import run as discovery_run
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.searches import direct
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation import comparison as comparison_module
from ganwalk.evaluation.comparison import Comparison, Run, compare
from ganwalk.evaluation.comparison_outputs import (
    as_markdown,
    as_table,
    plot_comparison,
    ranked,
    to_json,
    write_comparison,
)
from ganwalk.evaluation.factors import ClassifierReader
from ganwalk.evaluation.run import EvaluationSettings
from tests.evaluation.test_factors import Brightness

FAST = DiscoverySettings(n_directions=6, steps=2, batch=8)


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def runs(method, values, score="mean_cosine"):
    return [Run(method, seed, 1.0, {score: value}) for seed, value in enumerate(values)]


@pytest.mark.slow
def test_every_method_runs_with_every_seed(blobs):
    result = compare(blobs, FAST, ["pca", "rtd", "sefa"], [3, 4])
    assert [(run.method, run.seed) for run in result.runs] == [
        (method, seed) for method in ("pca", "rtd", "sefa") for seed in (3, 4)
    ]
    assert result.factors == blobs.factor_names
    assert len(result.values("rtd", "mean_cosine")) == 2 and not result.values("sefa", "mean_cosine")
    assert "no weights" in result.refusal("sefa") and not result.refusal("pca")
    assert len(result.runs[0].effects) == 6


def test_a_supervised_method_takes_the_generators_factors_or_is_refused_where_there_are_none(blobs, toy):
    settings = replace(FAST, images=256)
    result = compare(blobs, settings, ["interfacegan"], [0])
    assert result.runs[0].scores["mean_cosine"] > 0.99 and result.runs[0].refusal == ""
    refused = compare(toy, replace(settings, n_directions=3), ["interfacegan", "pca"], [0])
    assert "supervised" in refused.refusal("interfacegan") and not refused.refusal("pca")
    assert "supervised" in as_markdown(result, "comparison.png")
    heads = [line[: len("interfacegan")].strip() for line in as_table(refused).splitlines()]
    assert heads[:4] == ["method", "pca", "interfacegan", "at best"]


def test_a_comparison_without_factors_or_axes(toy):
    result = compare(toy, replace(FAST, n_directions=3), ["random", "pca"], [0])
    assert "distinctness" in result.scores and "overall" not in result.scores and result.factors == ()
    assert ranked(result)[0] in ("random", "pca")
    assert "one seed gives no interval" in as_markdown(result, "x.png")


def test_finished_runs_are_taken_from_the_folder(blobs, tmp_path, monkeypatch):
    first = compare(blobs, FAST, ["rtd", "pca"], [0], folder=tmp_path)
    assert (tmp_path / "rtd-0" / "directions.safetensors").exists()
    assert not (tmp_path / "rtd-0" / "checkpoint.pt").exists()
    with monkeypatch.context() as patch:
        patch.setattr(comparison_module, "run_discovery", None)
        again = compare(blobs, FAST, ["rtd", "pca"], [0], folder=tmp_path, resume=True)
    assert again == first
    with pytest.raises(GanwalkError, match=r"another settings\.steps: resume"):
        compare(blobs, replace(FAST, steps=3), ["rtd"], [0], folder=tmp_path, resume=True)
    left, right = (ClassifierReader(Brightness(), names, Path("c.ts"), "") for names in (["a", "b"], ["b", "a"]))
    compare(blobs, FAST, ["random"], [0], folder=tmp_path, reader=left)
    monkeypatch.setattr(comparison_module, "run_discovery", None)
    with pytest.raises(GanwalkError, match="another reader: resume"):
        compare(blobs, FAST, ["random"], [0], folder=tmp_path, reader=right, resume=True)
    (tmp_path / "pca-0" / "run.json").write_text("{}")
    with pytest.raises(GanwalkError, match="damaged"):
        compare(blobs, FAST, ["pca"], [0], folder=tmp_path, resume=True)


def test_runs_of_version_0_1_0_are_taken_up(blobs, tmp_path, monkeypatch):
    golden = Path(__file__).parents[1] / "golden"
    for name in ("pca-0", "random-0"):
        (tmp_path / name).mkdir()
        shutil.copy(golden / f"comparison_0_1_0_{name}.json", tmp_path / name / "run.json")
    monkeypatch.setattr(comparison_module, "run_discovery", None)
    settings, evaluation = DiscoverySettings(n_directions=3), EvaluationSettings(8, reconstructor=False, seed=2**40)
    resumed = {"evaluation": evaluation, "folder": tmp_path, "resume": True}
    result = compare(blobs, settings, ["pca", "random"], [0], **resumed)
    assert [round(run.scores["mcc"], 4) for run in result.runs] == [0.4985, 0.3933]
    assert result.factors == blobs.factor_names and len(result.runs[0].effects) == 3
    with pytest.raises(GanwalkError, match=r"another settings\.amplitude: resume"):
        compare(blobs, replace(settings, amplitude=3.0), ["pca"], [0], **resumed)


def test_a_fresh_comparison_is_not_held_up_by_an_old_one(blobs, tmp_path):
    compare(blobs, FAST, ["pca"], [0], folder=tmp_path)

    def stop(label, share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(blobs, replace(FAST, batch=9), ["pca"], [0], folder=tmp_path, on_progress=stop)
    assert compare(blobs, replace(FAST, batch=9), ["pca"], [0], folder=tmp_path, resume=True).runs[0].scores


def test_an_interrupted_run_continues_to_the_same_result(blobs, tmp_path):
    settings = replace(FAST, steps=5)
    whole = compare(blobs, settings, ["rtd"], [0])

    def stop(label, share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(blobs, settings, ["rtd"], [0], folder=tmp_path, on_progress=stop)
    assert (tmp_path / "rtd-0" / "checkpoint.pt").exists()
    resumed = compare(blobs, settings, ["rtd"], [0], folder=tmp_path, resume=True)
    assert resumed.runs[0].scores == whole.runs[0].scores


def test_runs_that_a_budget_cut_short_are_called_so_and_continue_without_it(blobs, tmp_path, monkeypatch):
    settings = replace(FAST, steps=5)
    whole = compare(blobs, settings, ["rtd", "pca"], [0])
    assert "budget" not in as_table(whole) + as_markdown(whole, "x.png")
    short = replace(settings, budget=1e-9)
    # The budget is asked for before each step, and may not be spent before the second.
    with monkeypatch.context() as patch:
        patch.setattr(discovery_run.Run, "out_of", lambda run, share: functools.partial(next, iter([False, True])))
        cut = compare(blobs, short, ["rtd", "pca"], [0], folder=tmp_path)
    assert [run.budget for run in cut.runs] == [1e-9, None] and cut.runs[0].scores != whole.runs[0].scores
    said = "cut short runs of {} (1 of 1): the same command without it, with --resume, continues them"
    assert said.format("rtd") in as_table(cut) and said.format("`rtd`") in as_markdown(cut, "x.png")
    with monkeypatch.context() as patch:
        patch.setattr(comparison_module, "run_discovery", None)
        assert compare(blobs, short, ["rtd", "pca"], [0], folder=tmp_path, resume=True) == cut
    monkeypatch.setattr(direct, "start", None)
    again = compare(blobs, settings, ["rtd", "pca"], [0], folder=tmp_path, resume=True)
    assert [run.scores for run in again.runs] == [run.scores for run in whole.runs]
    assert again.runs[0].budget is None and not (tmp_path / "rtd-0" / "checkpoint.pt").exists()


@pytest.mark.slow
def test_a_student_that_a_budget_left_with_few_images_is_fitted_anew_without_it(toy, tmp_path):
    settings = replace(FAST, n_directions=3, search="student", images=1024, polish=2, scored=8, layers=(0, 5), layer=5)
    whole = compare(toy, settings, ["rtd"], [0]).runs[0]
    cut = compare(toy, replace(settings, budget=1e-9), ["rtd"], [0], folder=tmp_path)
    assert cut.runs[0].budget == 1e-9 and (tmp_path / "images.safetensors").exists()
    again = compare(toy, settings, ["rtd"], [0], folder=tmp_path, resume=True)
    assert again.runs[0].scores == whole.scores

    def stop(progress):
        raise KeyboardInterrupt

    # As a comparison leaves it that is interrupted in the polish.
    checkpoint = tmp_path / "other" / "rtd-0" / "checkpoint.pt"
    left = run_discovery(toy, replace(settings, budget=1e-9), checkpoint=checkpoint, on_step=stop)
    assert left.student.cut and left.student.images < 1024 and checkpoint.exists()
    again = compare(toy, settings, ["rtd"], [0], folder=tmp_path / "other", resume=True)
    assert again.runs[0].scores == whole.scores


def test_the_report_ranks_methods_and_tells_what_is_clear():
    clear, near = [0.99, 0.98, 0.985], [0.97, 0.99, 0.98]
    result = Comparison(
        "g",
        6,
        (),
        tuple(runs("pca", [0.5, 0.6, 0.55]) + runs("rtd", clear) + runs("jacobian", near) + runs("hessian", [0.4])),
        "ganwalk x",
    )
    assert ranked(result) == ["rtd", "jacobian", "pca", "hessian"]
    text = as_markdown(result, "comparison.png")
    # rtd - pca is 0.49, 0.38, 0.435: t = 13.7, p = 0.0053, the second of three.
    sure = "but not told apart from `jacobian`; told apart from `pca`; one seed gives no interval against `hessian`"
    assert f"`rtd` is first on 1 of 1 scores:\n\n- *mean cosine*, {sure}\n" in text
    assert "| mean cosine | rtd | pca | 3 | 0.435 ± 0.137 | 0.011 | 7.9 |" in text
    assert (
        "| mean cosine | rtd | hessian | 1 | 0.590 | no test | – |" in text and "| hessian (1 seed) | 0.400 |" in text
    )
    assert "With 3 seeds little can be known: of 3 comparisons" in text
    assert "| rtd | 0.985 ± 0.005 |" in text and "    ganwalk x" in text
    lines = as_table(result).splitlines()
    assert lines[1].startswith("rtd") and lines[-1] == f"by mean cosine, rtd is first, {sure.replace('`', '')}"


def test_the_best_that_the_setting_allows_stands_below_the_table():
    few = (Run("pca", 0, 1.0, {"mean_cosine": 0.4, "overall": 0.3, "interaction": 0.2, "displacement": 0.1}),)
    result = Comparison("g", 3, ("a", "b", "c", "d"), few, axes=6)
    assert result.best_possible() == {
        "mean_cosine": (0.5, "3 directions for 6 axes"),
        "overall": (0.75, "3 directions for 4 factors"),
        "interaction": (0.0, ""),
    }
    text = as_markdown(result, "x.png")
    assert "| *best possible* | 0.500 | 0.750 | 0.000 | – | – |" in text and "limited: 3 directions for 6 axes." in text
    assert as_table(result).splitlines()[2].split() == ["at", "best", "0.500", "0.750"]
    assert to_json(result)["best_possible"]["overall"] == {"value": 0.75, "limit": "3 directions for 4 factors"}
    assert "limited" not in as_markdown(replace(result, n_directions=6), "x.png")


def test_one_method_is_compared_with_none():
    result = Comparison("g", 6, (), tuple(runs("pca", [0.5, 0.6])))
    text = as_markdown(result, "x.png")
    assert "- *mean cosine*, the only one with a value\n" in text and "little can be known" not in text
    assert "Differences from the first" not in text and to_json(result)["standings"]["mean_cosine"]["pairs"] == []


def test_refused_methods_and_missing_scores_are_left_out_of_the_statistics(tmp_path):
    refused = tuple(Run("sefa", seed, 0.0, {}, refusal="no weights") for seed in range(3))
    silent = tuple(runs("random", [None, None, None]))
    gaps = tuple(runs("jacobian", [0.7, None, 0.5]))
    result = Comparison("g", 6, (), tuple(runs("pca", [0.5, 0.6, 0.4])) + refused + silent + gaps)
    found = result.standing("mean_cosine")
    assert found.order == ("jacobian", "pca") and found.lead("pca").count == 2
    text = as_markdown(result, "x.png")
    assert "`sefa` has no result: no weights" in text and "| random | – | 1.0 |" in text
    assert write_comparison(result, tmp_path)[0].exists()
    nothing = Comparison("g", 6, (), refused)
    assert "No method has a value of a score." in as_markdown(nothing, "x.png")
    assert to_json(nothing)["standings"] == {}


def test_the_lowest_is_first_where_lower_is_better():
    result = Comparison("g", 6, (), tuple(runs("pca", [0.5, 0.6], "rtd") + runs("hessian", [0.3, 0.4], "rtd")))
    assert result.standing("rtd").first == "hessian"
    assert "| rtd | hessian | pca | 2 | 0.200 each | no test | – |" in as_markdown(result, "x.png")


def test_neither_more_nor_less_is_first_where_no_value_is_better():
    result = Comparison("g", 6, (), tuple(runs("pca", [0.5], "displacement") + runs("rtd", [0.3], "displacement")))
    assert result.ranked_scores == [] and to_json(result)["standings"] == {}


def test_the_picture_marks_what_is_not_told_from_the_first(tmp_path):
    def picture(values):
        both = Comparison("g", 6, (), tuple(runs("rtd", [0.9, 0.92, 0.91]) + runs("pca", values)))
        plot_comparison(both, tmp_path / "c.png")
        rgb = np.asarray(Image.open(tmp_path / "c.png").convert("L"), int)
        # Right of the panel, beside the second method.
        return (rgb[180:220, -20:] < 128).sum()

    assert picture([0.5, 0.52, 0.53]) == 0 < picture([0.93, 0.9, 0.89])


@pytest.mark.slow
def test_everything_is_written(blobs, tmp_path):
    result = compare(blobs, FAST, ["pca", "random"], [0, 1])
    paths = write_comparison(result, tmp_path / "out")
    assert [path.name for path in paths] == ["comparison.png", "comparison.csv", "comparison.json", "report.md"]
    facts = json.loads(paths[2].read_text())
    assert facts["summary"]["pca"]["mean_cosine"]["count"] == 2 and len(facts["runs"]) == 4
    (pair,) = facts["standings"]["mean_cosine"]["pairs"]
    assert (pair["method"], pair["other"], pair["count"]) == ("pca", "random", 2)
    assert result.axes == 6 and facts["best_possible"]["mean_cosine"] == {"value": 1.0, "limit": None}
    assert len(paths[1].read_text().splitlines()) == 5


@pytest.mark.parametrize(
    ("methods", "seeds", "message"),
    [
        (["pcb"], [0], "unknown method"),
        ([], [0], "methods must"),
        (["pca", "pca"], [0], "different"),
        (["pca"], [], "seed"),
    ],
)
def test_impossible_comparisons_are_refused(blobs, methods, seeds, message):
    with pytest.raises(GanwalkError, match=message):
        compare(blobs, FAST, methods, seeds)


COMMAND = ("compare", "-g", "blobs", "-n", 3, "--steps", 1, "--samples", 8, "--threads", 1)


def test_the_command_offers_no_baselines_beside_its_methods(run):
    code, text = run(*COMMAND, "--compare", "pca")
    assert code == 2 and "no such option --compare" in text


@pytest.mark.slow
def test_the_command_goes_the_whole_way(run):
    code, text = run(*COMMAND, "--methods", "rtd,sefa", "--seeds", 2, "-o", "out")
    assert code == 0 and "no result: this generator has no weights" in text
    assert "next: ganwalk render --directions out/runs/rtd-0/directions.safetensors --direction all" in text
    assert "| rtd |" in Path("out/report.md").read_text()
    code, text = run("render", "--directions", "out/runs/rtd-0/directions.safetensors", "--direction", "all")
    assert code == 0
    before = Path("out/comparison.csv").read_text()
    code, text = run(*COMMAND, "--methods", "rtd,sefa", "--seeds", 2, "-o", "out", "--resume")
    assert code == 0 and Path("out/comparison.csv").read_text() == before


def test_processes_and_shards_come_to_the_same_table(run):
    def table(out):
        return [
            [cell for k, cell in enumerate(line.split(",")) if k != 2]
            for line in Path(out, "comparison.csv").read_text().splitlines()
        ]

    options = ("--methods", "pca,rtd,sefa", "--seeds", 1)
    for out, more in (("serial", []), ("two", ["--jobs", 2])):
        code, text = run(*COMMAND, *options, "-o", out, *more)
        assert code == 0, text
    code, text = run(*COMMAND, *options, "-o", "shards", "--shard", "2/2")
    assert code == 0 and "2 of 3 results are missing; next: the same command with --shard 1/2" in text
    assert not Path("shards/report.md").exists()
    code, text = run(*COMMAND, *options, "-o", "shards", "--shard", "1/2")
    assert code == 0 and "next: ganwalk render" in text
    assert table("two") == table("serial") == table("shards")


def test_the_command_says_when_no_method_can_serve(run):
    code, text = run(*COMMAND, "--methods", "sefa", "--seeds", 1)
    assert code == 2 and "no method can serve this generator: this generator has no weights" in text


def test_the_command_takes_a_classifier(run):
    torch.jit.script(Brightness()).save("c.ts")
    options = ("--methods", "random", "--seeds", 1, "--classifier", "c.ts", "--trust", "--attributes", "left,right")
    code, text = run(*COMMAND, *options)
    assert code == 0, text
    facts = json.loads(Path("ganwalk-comparison/comparison.json").read_text())
    assert facts["factors"] == ["left", "right"]
    assert facts["command"] == (
        "ganwalk compare --generator blobs --methods random --seeds 1 --n-directions 3 --steps 1 --samples 8 "
        "--threads 1 --trust --classifier c.ts --attributes left,right"
    )


def test_what_is_typed_is_checked_before_anything_is_loaded_or_looked_at(run):
    Path("out").mkdir()
    Path("out/comparison.json").write_text("{}")
    for arguments, message in (
        (["--methods", "rtd,pcb"], "unknown method 'pcb'"),
        (["--methods", "rtd,rtd"], "must be different"),
        (["--classifier", "no.ts"], "no.ts does not exist: check --classifier"),
        ([], "out holds a comparison"),
    ):
        code, text = run("compare", "-g", "gone.pkl", "-o", "out", *arguments)
        assert code == 2 and message in text, text


def test_the_command_refuses_in_one_line(run):
    Path("file").write_text("")
    for arguments, message in (
        (["--methods", "rtd,pcb"], "unknown method 'pcb'"),
        (["--methods", "rtd,rtd"], "must be different"),
        (["--attributes", "a"], "give it with --classifier"),
        (["-n", 7], "above the 6 dimensions of z"),
        (["--out", "file"], "is a file: choose another folder"),
        (["--layers", "0-1"], "needs directions in w"),
        (["--shard", "3/2"], "--shard 3/2 does not exist"),
        (["--cluster", "pbs"], "choose slurm or local"),
    ):
        code, text = run(*COMMAND, *arguments)
        assert code == 2 and message in text and len(text.strip().splitlines()) == 1, text
