"""python -m vae.train and python -m vae.evaluate, as people run them."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from ganwalk.errors import GanwalkError
from ganwalk.files import write_json
from ganwalk.ledger import Placement
from ganwalk.terminal import retyped
from vae.models import VAE, ModelConfig
from vae.runs.folder import load_model, save_model
from vae.runs.grid import Making, members, parse_arms, run_grid
from vae.scores.comparison import holds_other_comparison
from vae.settings import CHECKPOINT_FILE, MODEL_FILE, TopDisSettings, TrainingSettings, to_json
from vae.train import _announced
from vae.train import command as train_command
from vae.training.loop import Rhythm, train_together

ROOT = Path(__file__).resolve().parents[2]
TINY = ("--steps", 20, "--batch", 8, "--threads", 1)
BARE = ("--steps", 8, "--batch", 8, "--threads", 1, "--metrics", "none", "--look-every", 0)


def untrained(folder, seed=0, z_dim=10):
    """What `vae.evaluate` takes of a run, before its first step; returns the file of the model."""
    torch.manual_seed(seed)
    write_json(folder / "config.json", to_json(TrainingSettings(seed=seed, z_dim=z_dim)))
    save_model(folder / "model.safetensors", VAE(ModelConfig(32, 1, z_dim)))
    return folder / "model.safetensors"


@pytest.mark.slow
def test_training_leaves_everything_to_look_at_and_a_new_start_nothing_of_it(vae_run, tmp_path, monkeypatch):
    """Else the old model, scores and pictures would stand beside the configuration of the new one."""
    code, out, err = vae_run("train", *TINY, "--metrics", "quick", "--look-every", 10, "--out", tmp_path)
    assert code == 0, err
    assert "MIG" in out and "PSNR" in out
    last = out.strip().splitlines()[-1]
    assert last == f"next: python -m vae.evaluate {tmp_path}"
    names = {path.name for path in tmp_path.iterdir()}
    pictures = {"reconstructions.png", "traversals.png", "traversals.gif", "curves.png", "effects.png"}
    assert names == pictures | {"config.json", "checkpoint.pt", "metrics.csv", "model.safetensors", "scores.json"}
    assert not any(name.startswith(".") for name in names)
    for name in pictures:
        assert np.asarray(Image.open(tmp_path / name).convert("L")).std() > 0
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert int(rows[-1]["step"]) == 20 and rows[-1]["quick_mig"] and rows[-1]["topdis"]
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["metrics"] == "quick" and len(scores["kl_per_dimension"]) == 10
    assert np.shape(scores["mutual_information"]) == (10, 5)
    (tmp_path / "notes.txt").write_text("mine")

    def interrupted(*rest, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("vae.runs.run.train_together", interrupted)
    assert vae_run("train", *BARE, "--z-dim", 3, "--force", "--out", tmp_path)[0] == 130
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "notes.txt"}


@pytest.mark.slow
def test_a_killed_training_continues_to_the_same_weights(vae_run, tmp_path):
    """kill -9 in the middle: what is left is whole, and continued it ends as if nothing had happened."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    quiet = ["--threads", "1", "--look-every", "0", "--metrics", "none", "--out"]
    options = ["--steps", "300", "--batch", "4", "--no-topdis", *quiet]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen([sys.executable, "-c", PATIENCE, *options, str(killed)], env=environment)
    deadline = time.monotonic() + 60
    while not (killed / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(signal.SIGKILL)
    running.wait()
    step = torch.load(killed / "checkpoint.pt", weights_only=True)["step"]
    assert 0 < step < 300
    assert not (killed / "model.safetensors").exists()
    for words in (["--resume", *quiet, killed], [*options, whole]):
        code, _, err = vae_run("train", *words)
        assert code == 0, err
    first, second = (load_file(run / "model.safetensors") for run in (whole, killed))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (whole / "metrics.csv").read_text() == (killed / "metrics.csv").read_text()


# Checkpoints at every row, so that a short training can be caught in the middle.
PATIENCE = """
import functools, sys, vae.runs.run, vae.training.loop
vae.runs.run.Rhythm = functools.partial(vae.training.loop.Rhythm, save_seconds=0.0)
from vae.train import main
main(sys.argv[1:])
"""


@pytest.mark.slow
def test_configurations_are_read_back(vae_run, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    options = ("--objective", "factor", "--width", 16, "--topdis-gamma", 2, "--correlated", "scale,pos_x", "--seed", 3)
    assert vae_run("train", *BARE, *options, "--out", first)[0] == 0
    assert (
        vae_run(
            "train",
            "--config",
            first / "config.json",
            "--metrics",
            "none",
            "--look-every",
            0,
            "--threads",
            1,
            "--out",
            second,
        )[0]
        == 0
    )
    assert json.loads((first / "config.json").read_text()) == json.loads((second / "config.json").read_text())
    assert (first / "model.safetensors").read_bytes() == (second / "model.safetensors").read_bytes()


@pytest.mark.slow
def test_runs_are_not_overwritten_by_accident(vae_run, tmp_path):
    assert vae_run("train", *BARE, "--out", tmp_path)[0] == 0
    code, _, err = vae_run("train", *BARE, "--out", tmp_path)
    assert code == 2 and "--resume" in err and "--force" in err
    assert vae_run("train", *BARE, "--no-topdis", "--force", "--out", tmp_path)[0] == 0
    assert json.loads((tmp_path / "config.json").read_text())["topdis"] is None
    code, _, err = vae_run("train", "--resume", "--seed", 5, "--out", tmp_path)
    assert code == 2 and "belongs to a run with another seed: resume without other options" in err
    (tmp_path / "checkpoint.pt").unlink()
    code, _, err = vae_run("train", *BARE, "--out", tmp_path)
    assert code == 2 and "--resume" not in err and "--force" in err


@pytest.mark.slow
def test_what_stopped_before_its_first_checkpoint_can_be_started_again(vae_run, tmp_path):
    assert vae_run("train", *BARE, "--correlated", "scale,colour", "--out", tmp_path)[0] == 2
    code, _, err = vae_run("train", *BARE, "--correlated", "scale,pos_x", "--out", tmp_path)
    assert code == 0, err


def test_a_configuration_of_something_else_is_kept(vae_run, tmp_path):
    (tmp_path / "config.json").write_text('{"editor": "dark"}')
    code, _, err = vae_run("train", *BARE, "--out", tmp_path)
    assert code == 2 and "--out" in err
    assert (tmp_path / "config.json").read_text() == '{"editor": "dark"}'


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dataset", "cats"), "cats"),
        (("--resolution", 48), "32 or 64"),
        (("--objective", "beta", "--width", 5), "beta"),
        (("--no-topdis", "--topdis-gamma", 2), "--no-topdis"),
        (("--topdis-gamma", -1), "gamma"),
        (("--correlation-width", 0.1), "--correlated"),
        (("--capacity-weight", 10), "without a capacity"),
        (("--capacity", 25, "--beta", 2), "with a capacity"),
        (("--lr", "nan"), "lr"),
        (("--correlated", "scale"), "two factor names"),
        (("--correlated", "scale,colour"), "colour"),
        (("--resume",), "--resume"),
        (("--resume", "--force", "--out", "run"), "--force"),
        (("--config", "none.json"), "none.json"),
        (("--config", "none.json", "--preset", "cpu"), "--preset"),
        (("--device", "abacus"), "abacus"),
        (("--device", "meta"), "meta"),
        (("--steps", 0), "0"),
        (("--dataset", "dsprites", "--no-download"), "dsprites"),
    ],
)
def test_bad_input_ends_in_one_line(vae_run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = vae_run("train", "--metrics", "none", "--steps", 1, *arguments)
    assert code == 2 and words in err and "Traceback" not in err
    assert not list(tmp_path.glob("**/model.safetensors"))


def test_ctrl_c_says_how_to_continue(vae_run, tmp_path, monkeypatch):
    def interrupted(state, settings, *rest, **options):
        (tmp_path / "checkpoint.pt").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr("vae.runs.run.train_together", interrupted)
    lacking = ("--no-download", "--metrics", "none", "--look-every", 5, "--threads", 2)
    code, _, err = vae_run("train", "--steps", 3, "--out", tmp_path, *lacking)
    again = " ".join(map(str, ("python -m vae.train --resume --out", tmp_path, *lacking)))
    assert code == 130 and any(
        sorted(line.split()) == sorted(f"to continue: {again}".split()) for line in err.splitlines()
    )


@pytest.mark.slow
def test_the_history_is_as_recent_as_the_checkpoint_and_curves_have_the_scores_of_their_look(
    vae_run, tmp_path, monkeypatch
):
    """A training that stops, with Ctrl-C or NaN, has left its rows and not only those of its last look."""
    monkeypatch.setattr("vae.runs.run.Rhythm", partial(Rhythm, save_seconds=0.0))
    drawn = []
    monkeypatch.setattr("vae.runs.run.draw_history", lambda history, folder: drawn.append(history[-1]) or [])

    def stop_after_two_rows(trainings, *rest, **options):
        rows = []

        def count(row):
            rows.append(row)
            if len(rows) == 3:
                raise KeyboardInterrupt

        return train_together([replace(one, on_row=count) for one in trainings], *rest, **options)

    monkeypatch.setattr("vae.runs.run.train_together", stop_after_two_rows)
    assert vae_run("train", *TINY, "--metrics", "none", "--look-every", 8, "--out", tmp_path)[0] == 130
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [int(row["step"]) for row in rows] == [4, 8]
    assert drawn[0]["step"] == 8 and drawn[0]["quick_mig"] == float(rows[-1]["quick_mig"])


@pytest.mark.slow
def test_tensorboard_gets_every_row(vae_run, tmp_path, monkeypatch):
    scalars = []
    board = types.ModuleType("torch.utils.tensorboard")
    board.SummaryWriter = lambda folder, purge_step: types.SimpleNamespace(
        add_scalar=lambda *scalar: scalars.append(scalar), flush=lambda: None
    )
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    code, _, err = vae_run("train", *BARE, "--tensorboard", "--out", tmp_path)
    assert code == 0, err
    rows = list(csv.DictReader((tmp_path / "metrics.csv").open()))
    assert [step for name, _, step in scalars if name == "kl"] == [int(row["step"]) for row in rows]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    code, _, err = vae_run("train", *BARE, "--tensorboard", "--force", "--out", tmp_path)
    assert code == 2 and "pip install tensorboard" in err


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "vae.train",
    ]
    options = ["--steps", "6", "--batch", "8", "--threads", "1", "--metrics", "none", "--look-every", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [*command, *options, "--out", str(tmp_path / "run")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.count("wrote") == 1
    assert load_model(tmp_path / "run").config.z_dim == 10


@pytest.mark.slow
def test_evaluating_one_run_and_several(vae_run, tmp_path):
    runs = [tmp_path / "one", tmp_path / "two"]
    for seed, run in enumerate(runs):
        untrained(run, seed, z_dim=3)
    code, out, err = vae_run("evaluate", *runs, "--metrics", "quick", "--threads", 1, "--out", tmp_path / "both")
    assert code == 0, err
    assert (
        "2 runs" in out
        and "±" in out
        and "UDR" in out
        and str(tmp_path / "both" / "comparison.png") in out.splitlines()[-1]
    )
    names = {f"comparison.{suffix}" for suffix in ("csv", "json", "png")} | {"traversals.png"}
    assert {path.name for path in (tmp_path / "both").iterdir()} == names
    rows = list(csv.DictReader((tmp_path / "both" / "comparison.csv").open()))
    assert [row["run"] for row in rows] == [str(run) for run in runs]
    assert all(0 <= float(row["udr_lasso"]) <= 1 for row in rows)
    stored = json.loads((runs[0] / "scores.json").read_text())["scores"]
    assert stored["mig"] == pytest.approx(float(rows[0]["mig"]))
    assert np.asarray(Image.open(runs[0] / "effects.png").convert("L")).std() > 0


def test_quick_scores_do_not_replace_full_ones_by_accident(vae_run, tmp_path):
    run, other = tmp_path / "run", tmp_path / "other"
    for folder in (run, other):
        folder.mkdir()
        write_json(folder / "config.json", to_json(TrainingSettings()))
    full = '{"metrics": "full", "seed": 3, "scores": {"mig": 0.5}}'
    (run / "scores.json").write_text(full)
    code, _, err = vae_run("evaluate", other, run, "--metrics", "quick", "--out", tmp_path / "both")
    assert code == 2 and len(err.splitlines()) == 1
    assert f"{run} holds full scores: leave --metrics quick out, or replace them with --force" in err
    code, _, err = vae_run("train", "--resume", "--out", run, "--metrics", "quick")
    assert code == 2 and "quick ones would replace: resume with --metrics none" in err
    assert (run / "scores.json").read_text() == full and not (tmp_path / "both").exists()


@pytest.mark.slow
def test_quick_scores_replace_others_when_that_is_meant(vae_run, tmp_path):
    untrained(tmp_path, z_dim=2)
    for stored, words in (('{"metrics": "full"}', ["--overwrite"]), ('{"metrics": "quick"}', []), ("damaged", [])):
        (tmp_path / "scores.json").write_text(stored)
        code, _, err = vae_run("evaluate", tmp_path, "--metrics", "quick", "--threads", 1, *words)
        assert code == 0, err
        assert json.loads((tmp_path / "scores.json").read_text())["scores"]["mig"] >= 0


def test_evaluating_what_is_no_run(vae_run, tmp_path):
    code, _, err = vae_run("evaluate", tmp_path)
    assert code == 2 and "config.json" in err
    path = untrained(tmp_path / "run")
    whole = path.read_bytes()
    broken = [b"", whole[:100], whole[:-10], b"\x80\x02."]
    for data in broken:
        path.write_bytes(data)
        code, _, err = vae_run("evaluate", tmp_path / "run", "--metrics", "quick")
        assert code == 2 and "model.safetensors" in err and "Traceback" not in err
    save_file({"weight": torch.zeros(2)}, path)
    assert vae_run("evaluate", tmp_path / "run")[0] == 2


@pytest.mark.parametrize(
    "config",
    [
        '{"z_dim": 1000000000}',
        '{"hidden": 1000000000}',
        '{"resolution": 1e9}',
        '{"z_dim": -1}',
        '{"z_dim": "ten"}',
        '{"colour": 1}',
        "[]",
        "{",
        '{"z_dim": 12}',
    ],
)
def test_model_files_with_hostile_configurations(vae_run, tmp_path, config):
    path = untrained(tmp_path)
    save_file(load_file(path), path, {"ganwalk-vae-1": config})
    code, _, err = vae_run("evaluate", tmp_path, "--metrics", "quick")
    assert code == 2 and "model.safetensors" in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"resolution": 64}, "32×32×1, but sprites has 64×64×1"),
        ({"dataset": "scenes"}, "32×32×1, but scenes has 32×32×3"),
        ({"dataset": "cats\n\x1b[31m"}, "unknown dataset 'cats\\n\\x1b[31m'"),
    ],
)
def test_configurations_of_another_run_are_refused(vae_run, tmp_path, changes, words):
    config = {"dataset": "sprites", "resolution": 32, **changes}
    (tmp_path / "config.json").write_text(json.dumps(config))
    save_model(tmp_path / "model.safetensors", VAE(ModelConfig(32, 1)))
    code, _, err = vae_run("evaluate", tmp_path, "--metrics", "quick")
    assert code == 2 and words in err and len(err.strip().splitlines()) == 1


def test_nothing_is_evaluated_for_a_comparison_that_cannot_be_written(vae_run, tmp_path):
    runs = [tmp_path / "one", tmp_path / "two"]
    for seed, run in enumerate(runs):
        untrained(run, seed)
    (tmp_path / "taken").write_text("a file")
    code, _, err = vae_run("evaluate", *runs, "--metrics", "quick", "--out", tmp_path / "taken")
    assert code == 2 and "choose another folder" in err and not list(tmp_path.glob("*/scores.json"))


def test_a_training_is_compared_once(vae_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    untrained(Path("one"))
    code, out, _ = vae_run("evaluate", "one", tmp_path / "one", "--metrics", "quick", "--threads", 1)
    assert code == 0 and "compare with another run" in out
    shutil.copytree("one", "copy")
    code, _, err = vae_run("evaluate", "one", "copy", "--metrics", "quick")
    assert code == 2 and err.endswith("copy holds the model of one: leave one of them out\n")


@pytest.mark.parametrize(
    ("held", "refused"),
    [(None, False), (["one"], False), (["one", "two"], False), (["one", "three"], True), ("damaged", True)],
)
def test_comparisons_of_other_runs_are_kept(tmp_path, held, refused):
    if held is not None:
        text = held if isinstance(held, str) else json.dumps({"runs": [{"run": name} for name in held]})
        (tmp_path / "comparison.json").write_text(text)
    assert holds_other_comparison(tmp_path, [Path("one"), Path("two")]) == refused


def test_the_command_keeps_comparisons_of_other_runs(vae_run, tmp_path):
    runs = [tmp_path / "one", tmp_path / "two"]
    for seed, run in enumerate(runs):
        untrained(run, seed)
    write_json(tmp_path / "out" / "comparison.json", {"runs": [{"run": "another"}]})
    code, _, err = vae_run("evaluate", *runs, "--metrics", "quick", "--out", tmp_path / "out")
    assert code == 2 and "compares other runs" in err and len(err.splitlines()) == 1
    assert not list(tmp_path.glob("*/scores.json"))


def test_centrality_needs_several_runs(vae_run, tmp_path):
    untrained(tmp_path)
    code, _, err = vae_run("evaluate", tmp_path, "--centrality")
    assert code == 2 and "--centrality compares runs on one data set" in err and len(err.splitlines()) == 1


def test_help_shows_options_and_an_example():
    for module, option in (("vae.train", "--device"), ("vae.evaluate", "--centrality"), ("vae.score", "--folds")):
        ran = subprocess.run([sys.executable, "-m", module, "--help"], cwd=ROOT, capture_output=True, text=True)
        assert ran.returncode == 0 and "Example:" in ran.stdout and option in ran.stdout
    ran = subprocess.run([sys.executable, "-m", "vae.train", "--help"], cwd=ROOT, capture_output=True, text=True)
    for option in ("--objective", "--beta", "--gamma", "--topdis-gamma", "--resume", "--config", "--correlated"):
        assert option in ran.stdout


def test_a_training_that_is_refused_leaves_no_folder(vae_run, tmp_path):
    out = tmp_path / "new" / "run"
    code, _, err = vae_run("train", "--dataset", "shapes3d", "--data-root", tmp_path, "--out", out)
    assert code == 2 and len(err.splitlines()) == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seeds", "3-1"), "write 1-3"),
        (("--seeds", "a"), "3,8,20-22"),
        (("--arms", "plain,fancy"), "'fancy'"),
        (("--together", 2), "add --seeds or --arms"),
        (("--jobs", 2), "add --seeds or --arms"),
        (("--seeds", "1,2", "--tensorboard"), "without --tensorboard"),
    ],
)
def test_bad_grids_end_in_one_line(vae_run, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, _, err = vae_run("train", "--steps", 1, *arguments)
    assert code == 2 and words in err and len(err.splitlines()) == 1
    assert not list(tmp_path.glob("**/config.json"))


def test_a_grid_is_not_done_before_it_is_scored(tmp_path, monkeypatch):
    def together(plans, data, *, on_share, on_progress, **_):
        for share in (0.5, 1.0):
            on_share(share, "")
        for _ in plans:
            for what in ("drawing", "scoring"):
                on_progress(what)
        return [types.SimpleNamespace(scores={"mig": 0.5}) for _ in plans]

    monkeypatch.setattr("vae.runs.run.run_together", together)
    told = []
    settings = [replace(TrainingSettings(steps=2), seed=seed) for seed in (1, 2)]
    scores = run_grid(
        settings,
        Making(tmp_path),
        Placement(),
        resume=False,
        overwrite=False,
        on_progress=lambda _, share: told.append(share),
    )
    assert scores == [{"mig": 0.5}] * 2
    assert told == sorted(told) and told[-1] == 1
    assert [share for share in told if 0 < share < 1] == pytest.approx([0.425, 0.85, 0.85, 0.925])


@pytest.fixture
def trained(monkeypatch):
    """Seeds that `run_grid` trains, which takes no time and leaves what a training leaves."""
    seeds = []

    def together(plans, data, **_):
        for plan in plans:
            seeds.append(plan.settings.seed)
            for name in (CHECKPOINT_FILE, MODEL_FILE):
                (plan.folder / name).touch()
        return [types.SimpleNamespace(scores={"mig": plan.settings.seed / 10}) for plan in plans]

    monkeypatch.setattr("vae.runs.run.run_together", together)
    return seeds


def grid_of(root, shard=None, steps=2, metrics="full", **options):
    settings = [replace(TrainingSettings(steps=steps), seed=seed) for seed in (1, 2)]
    chosen = {"resume": False, "overwrite": False, **options}
    return run_grid(settings, Making(root, together=1, metrics=metrics), Placement(shard=shard), **chosen)


def test_shares_that_replace_leave_those_of_others(trained, tmp_path):
    grid_of(tmp_path)
    trained.clear()
    for share in ((1, 2), (2, 2)):
        assert grid_of(tmp_path, share, overwrite=True) == [{"mig": 0.1}, {"mig": 0.2}]
    assert trained == [1, 2]
    assert all((tmp_path / f"sprites-beta-topdis-seed{seed}" / CHECKPOINT_FILE).exists() for seed in (1, 2))
    with pytest.raises(GanwalkError, match="seed1 holds a training"):
        grid_of(tmp_path, (1, 2))
    for checkpoint in tmp_path.glob(f"*/{CHECKPOINT_FILE}"):
        checkpoint.unlink()
    for options, words in (({}, "seed1 holds a training"), ({"steps": 3, "resume": True}, "run with another steps")):
        with pytest.raises(GanwalkError, match=words):
            grid_of(tmp_path, **options)


def test_a_grid_is_scored_again_at_another_level(trained, tmp_path):
    grid_of(tmp_path, metrics=None)
    trained.clear()
    grid_of(tmp_path, metrics="quick", resume=True)
    assert trained == [1, 2]
    for metrics in ("quick", None):
        trained.clear()
        grid_of(tmp_path, metrics=metrics, resume=True)
        assert trained == []
    for seed in (1, 2):
        (tmp_path / f"sprites-beta-topdis-seed{seed}" / "scores.json").write_text('{"metrics": "full"}')
    with pytest.raises(GanwalkError, match="holds full scores, which quick ones would replace"):
        grid_of(tmp_path, metrics="quick", resume=True)


def test_results_of_the_time_when_levels_were_facts_are_taken(trained, tmp_path):
    grid_of(tmp_path)
    for path in tmp_path.glob(".jobs/*/run.json"):
        stored = json.loads(path.read_text())
        result = stored.pop("result")
        facts = {**stored["facts"], "metrics": result["metrics"]}
        path.write_text(json.dumps({**stored, "facts": facts, "result": result["scores"]}))
    trained.clear()
    assert grid_of(tmp_path, resume=True) == [{"mig": 0.1}, {"mig": 0.2}] and trained == []


def test_runs_that_were_removed_are_trained_again(trained, tmp_path):
    for options in ({}, {"steps": 3}, {"steps": 3, "resume": True}):
        for folder in tmp_path.glob("sprites-*"):
            shutil.rmtree(folder)
        trained.clear()
        grid_of(tmp_path, **options)
        assert trained == [1, 2]
    trained.clear()
    grid_of(tmp_path, steps=3, resume=True)
    assert trained == []


def test_grids_are_seeds_of_arms():
    settings = TrainingSettings()
    assert parse_arms("topdis, plain") == ("topdis", "plain")
    found = members(settings, (1, 2), ("plain", "topdis"))
    assert [(one.seed, one.topdis is None) for one in found] == [(1, True), (2, True), (1, False), (2, False)]
    assert members(settings, (), ("plain",)) == [replace(settings, topdis=None)]
    (one,) = members(replace(settings, topdis=None), (), ("topdis",), TopDisSettings(gamma=1.0))
    assert one.topdis.gamma == 1.0
    assert members(replace(settings, topdis=None), (4, 4), ()) == [replace(settings, topdis=None, seed=4)]


def test_seeds_and_arms_are_typed_again_as_they_were():
    again = ["--seeds", "11-13,5", "--arms", "topdis,plain"]
    with train_command.make_context("train", list(again)) as context:
        assert context.params["seeds"] == [11, 12, 13, 5] and context.params["arms"] == ("topdis", "plain")
        assert retyped("seeds", "arms").split() == again


@pytest.mark.slow
def test_seeds_and_arms_train_in_lockstep_and_continue(vae_run, tmp_path):
    """Each leaves the folder of a run, equal to its own run's; what is done is not done again."""
    grid, alone = tmp_path / "grid", tmp_path / "alone"
    options = (*BARE, "--seeds", "1,2", "--arms", "plain,topdis", "--out", grid)
    code, out, err = vae_run("train", *options, "--shard", "1/2", "--together", 2)
    assert code == 0 and "--shard 2/2" in out, err
    assert {path.name for path in grid.iterdir() if path.name[0] != "."} == {
        "sprites-beta-seed1",
        "sprites-beta-seed2",
    }
    code, _, err = vae_run("train", *options)
    assert code == 2 and "--resume" in err and "--force" in err
    written = (grid / "sprites-beta-seed1" / "model.safetensors").stat().st_mtime_ns
    code, out, err = vae_run("train", *options, "--together", 2, "--resume")
    assert code == 0 and f"wrote 4 runs into {grid}/" in out, err
    assert (grid / "sprites-beta-seed1" / "model.safetensors").stat().st_mtime_ns == written
    assert vae_run("train", *BARE, "--seed", 2, "--out", alone)[0] == 0
    for name in ("model.safetensors", "metrics.csv", "config.json"):
        assert (grid / "sprites-beta-topdis-seed2" / name).read_bytes() == (alone / name).read_bytes()
    code, _, err = vae_run("train", *options, "--resume", "--lr", 0.5)
    assert code == 2 and "belongs to a run with another lr: resume with its options" in err


@pytest.mark.parametrize(("seconds", "said"), [(0.5, ""), (1.5, "the training takes about 2 minutes on this machine")])
def test_a_long_training_says_how_long_once(capsys, seconds, said):
    told = []
    on_share = _announced(lambda share, note: told.append(share), False, lambda: len(told) * seconds)
    for step in range(1, 101):
        on_share(step / 100, "")
    assert told == [step / 100 for step in range(1, 101)]
    text = capsys.readouterr().err
    assert text.startswith(said) and len(text.splitlines()) == bool(said)


@pytest.mark.parametrize(
    "refused, words",
    [
        (("--objective", "ada-gvae", "--batch", 7), "even --batch"),
        (("--objective", "beta-tc", "--sampling", "stratified", "--batch", 1), "at least 2"),
    ],
)
def test_what_cannot_be_trained_replaces_nothing(vae_run, tmp_path, refused, words):
    for model in (tmp_path / "run", tmp_path / "grid" / "sprites-beta-topdis-seed1"):
        model.mkdir(parents=True)
        for name in (MODEL_FILE, CHECKPOINT_FILE):
            (model / name).touch()
    for place in (("--out", tmp_path / "run"), ("--out", tmp_path / "grid", "--seeds", "1")):
        code, _, err = vae_run("train", "--steps", 2, "--force", *refused, *place)
        assert code == 2 and words in err and len(err.splitlines()) == 1
    assert {len(list(tmp_path.glob(f"**/{name}"))) for name in (MODEL_FILE, CHECKPOINT_FILE)} == {2}


@pytest.mark.parametrize(
    "typed, words",
    [
        (("--no-topdis", "--arms", "plain,topdis"), "--no-topdis trains no arm topdis"),
        (("--arms", "plain", "--topdis-gamma", 3), "--arms plain trains without the TopDis term"),
    ],
)
def test_arms_that_contradict_the_term_are_refused(vae_run, tmp_path, typed, words):
    code, _, err = vae_run("train", *BARE, *typed, "--out", tmp_path)
    assert code == 2 and words in err


def test_an_interrupted_grid_says_how_to_continue(vae_run, monkeypatch, tmp_path):
    def interrupted(trainings, making, *rest, **options):
        (making.root / "sprites-beta-seed1").mkdir(parents=True, exist_ok=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("vae.train.run_grid", interrupted)
    monkeypatch.setattr("vae.train.run_name", lambda settings: f"sprites-beta-seed{settings.seed}")
    for force, how in (((), "the same command with --resume"), (("--force",), "… with --resume in place of --force")):
        code, _, err = vae_run("train", *BARE, "--seeds", "1-2", "--out", tmp_path / "runs", *force)
        assert code == 130 and f"to continue: {how.replace('…', 'the same command')}" in err.splitlines()
