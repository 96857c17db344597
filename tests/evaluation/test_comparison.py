"""Comparisons: every method and seed once, statistics by hand, resumption, and a report that says what came out."""

import json
import math
from dataclasses import replace

import pytest

from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation import comparison as comparison_module
from ganwalk.evaluation.comparison import Comparison, Run, compare, summarise
from ganwalk.evaluation.comparison_outputs import as_markdown, as_table, ranked, write_comparison

FAST = DiscoverySettings(n_directions=6, steps=2, batch=8)


def runs(method, values, score="mean_cosine"):
    return [Run(method, seed, 1.0, {score: value}) for seed, value in enumerate(values)]


def test_statistics_by_hand():
    found = summarise([1.0, 2.0, 3.0])
    assert found.mean == 2 and found.std == 1 and found.count == 3
    assert found.half_width == pytest.approx(4.303 / math.sqrt(3))
    assert summarise([]) is None and math.isinf(summarise([4.0]).half_width)


def test_every_method_runs_with_every_seed(blobs):
    result = compare(blobs, FAST, ["pca", "rtd", "sefa"], [3, 4])
    assert [(run.method, run.seed) for run in result.runs] == [
        (method, seed) for method in ("pca", "rtd", "sefa") for seed in (3, 4)
    ]
    assert result.factors == blobs.factor_names
    assert len(result.values("rtd", "mean_cosine")) == 2 and not result.values("sefa", "mean_cosine")
    assert "no weights" in result.refusal("sefa") and not result.refusal("pca")
    assert len(result.runs[0].effects) == 6


def test_a_comparison_without_factors_or_axes(toy):
    result = compare(toy, replace(FAST, n_directions=3), ["random", "pca"], [0])
    assert "distinctness" in result.scores and "overall" not in result.scores and result.factors == ()
    assert ranked(result)[0] in ("random", "pca")
    assert "one seed gives no interval" in as_markdown(result, "x.png")


def test_finished_runs_are_taken_from_the_folder(blobs, tmp_path, monkeypatch):
    first = compare(blobs, FAST, ["rtd", "pca"], [0], folder=tmp_path)
    assert (tmp_path / "rtd-0" / "directions.safetensors").exists()
    assert not (tmp_path / "rtd-0" / "checkpoint.pt").exists()
    monkeypatch.setattr(comparison_module, "run_discovery", None)
    again = compare(blobs, FAST, ["rtd", "pca"], [0], folder=tmp_path, resume=True)
    assert again == first
    with pytest.raises(GanwalkError, match="other settings"):
        compare(blobs, replace(FAST, steps=3), ["rtd"], [0], folder=tmp_path, resume=True)
    (tmp_path / "pca-0" / "run.json").write_text("{}")
    with pytest.raises(GanwalkError, match="damaged"):
        compare(blobs, FAST, ["pca"], [0], folder=tmp_path, resume=True)


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


def test_the_report_ranks_methods_and_tells_what_is_clear():
    clear, near = [0.99, 0.98, 0.985], [0.97, 0.99, 0.98]
    result = Comparison(
        "g", 6, (), tuple(runs("pca", [0.5, 0.6, 0.55]) + runs("rtd", clear) + runs("jacobian", near)), "ganwalk x"
    )
    assert ranked(result) == ["rtd", "jacobian", "pca"]
    text = as_markdown(result, "comparison.png")
    assert "`rtd` is first" in text and "above those of `pca`" in text and "overlaps with `jacobian`" in text
    assert "| rtd | 0.985 ± 0.005 |" in text and "    ganwalk x" in text
    assert as_table(result).splitlines()[1].startswith("rtd")


def test_everything_is_written(blobs, tmp_path):
    result = compare(blobs, FAST, ["pca", "random"], [0, 1])
    paths = write_comparison(result, tmp_path / "out")
    assert [path.name for path in paths] == ["comparison.png", "comparison.csv", "comparison.json", "report.md"]
    facts = json.loads(paths[2].read_text())
    assert facts["summary"]["pca"]["mean_cosine"]["count"] == 2 and len(facts["runs"]) == 4
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
