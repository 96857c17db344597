"""Comparisons of runs: which belong together, what is written of them, and how far codes agree."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.vae.squares import Reader, Squares
from vae.metrics import UDR
from vae.models import VAE, ModelConfig
from vae.runs.outputs import draw_traversals
from vae.scores.centrality import Centrality
from vae.scores.comparison import (
    ScoredRun,
    agreement,
    draw_comparison,
    grouped,
    standing_lines,
    standings,
    udr_scores,
    with_udr,
    write_comparison,
)
from vae.scores.evaluation import ModelScores
from vae.scores.tables import SHARES
from vae.settings import TrainingSettings

PLAIN = TrainingSettings(topdis=None)


def run(folder, settings, **values):
    return ScoredRun(Path(folder), settings, ModelScores(values, np.zeros(2), np.zeros((2, 1))))


def seeds(settings, scores, start=0):
    return [run(f"runs/{settings.lr}-{k}", replace(settings, seed=start + k), mig=s) for k, s in enumerate(scores)]


def test_runs_that_differ_in_their_seed_alone_belong_together():
    other = replace(PLAIN, options={"beta": 8.0})
    mixed = [*seeds(PLAIN, [0.1]), run("runs/heavy", replace(other, seed=3), mig=0.5), *seeds(PLAIN, [0.2, 0.6], 7)]
    first, second = grouped(mixed)
    assert first.places == (0, 2, 3) and second.places == (1,)
    assert first.label == "sprites-beta, 3 runs" and second.label == "heavy"
    assert first.means["mig"] == pytest.approx(0.3)
    assert first.deviations["mig"] == pytest.approx(0.07**0.5)  # of 0.1, 0.2, 0.6: (0.04 + 0.01 + 0.09) / 2
    assert second.means == {"mig": 0.5} and second.deviations == {}


def test_labels_tell_groups_apart():
    slow = replace(PLAIN, lr=1e-5)
    labels = [group.label for group in grouped([*seeds(PLAIN, [0, 0]), *seeds(slow, [0, 0])])]
    assert labels == [f"runs/{PLAIN.lr}-0, 2 runs", "runs/1e-05-0, 2 runs"]
    same_name = [run("a/run", PLAIN, mig=0), run("b/run", slow, mig=0)]
    assert [group.label for group in grouped(same_name)] == ["a/run", "b/run"]


def test_udr_compares_seeds_and_not_settings():
    """The third run agrees with the first wholly, but it was trained otherwise."""
    groups = grouped([*seeds(PLAIN, [0, 0]), run("other", replace(PLAIN, lr=1.0), mig=0), *seeds(PLAIN, [0], 5)])
    pairwise = np.array([[0, 0.2, 1, 0.4], [0.2, 0, 1, 0.6], [1, 1, 0, 1], [0.4, 0.6, 1, 0]])
    scores = udr_scores(UDR(np.ones(4), pairwise), groups)
    assert scores == pytest.approx({0: 0.3, 1: 0.4, 3: 0.5})


def test_files_of_a_comparison(tmp_path):
    runs = [*seeds(PLAIN, [0.1, 0.3]), run("other", replace(PLAIN, lr=1.0), mig=0.5)]
    found = agreement([Reader(), Reader(torch.eye(3)[[2, 0, 1]]), Reader()], Squares())
    assert found.centrality is None
    central = Centrality(np.array([0.9, 0.85, 0.8]), np.full((3, 3), 0.5))
    named = with_udr(runs, replace(found, centrality=central))
    assert [one.scores.values["centrality"] for one in named] == [0.9, 0.85, 0.8]
    (_, written, _) = write_comparison(tmp_path, named, grouped(named), replace(found, centrality=central))
    assert np.shape(json.loads(written.read_text())["centrality_pairwise"]) == (3, 3)
    runs = with_udr(runs, found)
    groups = grouped(runs)
    paths = write_comparison(tmp_path, runs, groups, found)
    assert [path.name for path in paths] == ["comparison.csv", "comparison.json", "comparison.png"]
    rows = list(csv.DictReader(paths[0].open()))
    assert [row["mig"] for row in rows] == ["0.1", "0.3", "0.5"]
    # Codes in another order agree; the last run has no other seed.
    assert float(rows[0]["udr_spearman"]) > 0.8 and rows[2]["udr_spearman"] == ""
    facts = json.loads(paths[1].read_text())
    mean, deviation = (facts["settings"][0][name] for name in ("mean", "std"))
    assert mean["mig"] == 0.2 and deviation["mig"] == 0.141421
    assert mean["udr_lasso"] == pytest.approx(np.mean([float(row["udr_lasso"]) for row in rows[:2]]), abs=1e-6)
    assert "udr_lasso" not in facts["settings"][1]["mean"]
    assert np.shape(facts["udr_pairwise"]["lasso"]) == (3, 3)
    assert json.loads(write_comparison(tmp_path, runs, groups, None)[1].read_text())["udr_pairwise"] is None


def test_groups_are_compared_over_the_seeds_that_they_share(tmp_path):
    better = seeds(replace(PLAIN, lr=1e-5), [0.5, 0.62, 0.4])
    runs = [*seeds(PLAIN, [0.1, 0.2, 0.02, 0.9]), *better, run("again", replace(PLAIN, lr=1e-5, seed=1), mig=0.58)]
    groups = grouped(runs)
    worse, best = (group.label for group in groups)
    found = standings(runs, groups)["mig"].lead(worse)
    # Two runs with one seed count as their mean: differences 0.4, 0.4, 0.38.
    assert found.count == 3 and found.mean == pytest.approx(1.18 / 3)
    (line,) = standing_lines(runs, groups)
    assert line.startswith(f"by MIG, {best} is first, by 0.393 ± 0.029 over {worse}, p = 0.00029")
    facts = json.loads(write_comparison(tmp_path, runs, groups, None)[1].read_text())
    assert facts["standings"]["mig"]["relations"] == {worse: "apart"}
    assert standings(runs[:4], grouped(runs[:4])) == {}
    elsewhere = [replace(one, settings=replace(one.settings, dataset="scenes")) for one in runs[:4]]
    assert standings([*elsewhere, *better], grouped([*elsewhere, *better])) == {}
    single = [*seeds(PLAIN, [0.1]), *better]
    assert standing_lines(single, grouped(single)) == []


def test_bars_change_with_scores_and_with_their_spread(tmp_path):
    def picture(low, high):
        runs = [run(f"r{k}", replace(PLAIN, seed=k), **dict.fromkeys(SHARES, s)) for k, s in enumerate((low, high))]
        runs.append(run("other", replace(PLAIN, lr=1.0), **dict.fromkeys(SHARES, 0.9)))
        draw_comparison(runs, grouped(runs), tmp_path / "c.png")
        return np.asarray(Image.open(tmp_path / "c.png").convert("RGB"), int)

    narrow, wide, higher = picture(0.4, 0.4), picture(0.3, 0.5), picture(0.6, 0.6)
    blue = [int((p == (31, 78, 156)).all(axis=2).sum()) for p in (narrow, wide, higher)]
    assert blue[2] > 1.4 * blue[0] and not np.array_equal(narrow, wide)


def test_names_of_folders_are_no_formulas_in_the_legend(tmp_path):
    runs = seeds(PLAIN, [0.1, 0.2])
    groups = [replace(group, label="$beta_$") for group in grouped(runs)]
    draw_comparison(
        [replace(one, scores=ModelScores({"mse": 0.1}, np.zeros(2), np.zeros((2, 1)))) for one in runs],
        [replace(group, means={"mse": 0.1}, deviations={}) for group in groups],
        tmp_path / "c.png",
    )
    assert (tmp_path / "c.png").is_file()


def test_traversals_side_by_side(tmp_path):
    small = ModelConfig(32, 1, z_dim=3, hidden=8)
    one, two = VAE(small), VAE(replace(small, z_dim=5))
    draw_traversals({"one": one}, Squares(), tmp_path / "one.png")
    draw_traversals({"one": one, "two": two}, Squares(), tmp_path / "both.png")
    draw_traversals({"one": one, "two": two, "three": one}, Squares(), tmp_path / "three.png")
    alone, both, three = (np.asarray(Image.open(tmp_path / f"{n}.png")) for n in ("one", "both", "three"))
    # The higher of two rows of pictures is that of five dimensions; a third picture begins a row.
    assert both.shape[0] == alone.shape[0] + 200 and three.shape[0] == both.shape[0] + alone.shape[0]
    assert np.array_equal(both[: alone.shape[0], : alone.shape[1]], alone)
    assert both[: alone.shape[0], alone.shape[1] :].std() > 0
