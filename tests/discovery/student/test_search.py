"""Discovery on a student: what is written was tried on the generator, continues bit for bit, and costs few images."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.discovery.run import run_discovery
from ganwalk.discovery.searches import on_student
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.discovery.student import search as search_module
from ganwalk.discovery.student.images import draw_images
from ganwalk.errors import GanwalkError
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.timing import Watched
from tests.discovery.student.test_images import Counted
from tests.small import make_toy, shorten_student

ROOT = Path(__file__).parents[3]
FAST = DiscoverySettings(n_directions=4, search="student", images=256, polish=3, steps=6, batch=12, scored=8)


pytestmark = pytest.mark.usefixtures("quick_student")


@pytest.fixture(scope="module")
def usual():
    """What `FAST` finds."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        shorten_student(monkeypatch)
        return run_discovery(make_toy(), FAST)


def test_the_generator_makes_few_images_and_the_result_is_its_own(toy):
    counted = Counted(toy)
    result = run_discovery(counted, FAST)
    # Images of the student, three steps of a reference and four shifts, scores before and after, effects.
    assert counted.images <= 256 + 3 * 5 * 12 + 2 * (8 + 2 * 4 * 8) + 4 + 2 * 4 * 4
    vectors = result.directions.vectors
    assert torch.allclose(vectors @ vectors.T, torch.eye(4), atol=1e-5)
    assert result.directions.generator == toy.identity and result.ended == ""
    metrics = json.loads(json.dumps(result.metrics(), allow_nan=False))
    assert metrics["student"]["images"] == 256 and metrics["polish"]["steps"] == 3
    best = min(metrics["polish"]["held_rtd_before"], metrics["polish"]["held_rtd_after"])
    assert metrics["bases"]["rtd"]["mean_rtd"] == pytest.approx(best, abs=1e-5)
    assert len(result.bases[0].scores.barcodes) == 4


def test_a_polish_that_does_no_good_is_not_kept(toy, monkeypatch):
    plain = run_discovery(toy, replace(FAST, polish=0))
    original, calls = on_student.score_steps, []

    def worse_after(*arguments):
        scores = original(*arguments)
        calls.append(scores)
        return replace(scores, rtd=scores.rtd + len(calls))

    monkeypatch.setattr(on_student, "score_steps", worse_after)
    worse = run_discovery(toy, FAST)
    assert len(calls) == 2 and not worse.polish.kept and worse.polish.after > worse.polish.before
    assert torch.equal(worse.directions.vectors, plain.directions.vectors)


@pytest.mark.parametrize("stop_at", [1, 2])
def test_a_stopped_polish_continues_bit_for_bit(toy, tmp_path, stop_at):
    undisturbed, checkpoint = tmp_path / "undisturbed" / "checkpoint.pt", tmp_path / "checkpoint.pt"
    whole = run_discovery(toy, FAST, checkpoint=undisturbed)

    def stop(progress):
        if progress.step == stop_at:
            raise KeyboardInterrupt

    stopped = run_discovery(toy, FAST, checkpoint=checkpoint, on_step=stop)
    assert stopped.ended == "interrupt" and stopped.polish.steps == stop_at
    (tmp_path / "images.safetensors").unlink()
    resumed = run_discovery(toy, FAST, checkpoint=checkpoint, resume=True)
    assert torch.equal(resumed.directions.vectors, whole.directions.vectors) and resumed.metrics() == whole.metrics()
    assert checkpoint.read_bytes() == undisturbed.read_bytes()
    with pytest.raises(GanwalkError, match="another polish"):
        run_discovery(toy, replace(FAST, polish=9), checkpoint=checkpoint, resume=True)


def test_a_run_stopped_among_its_images_continues_with_them(toy, tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint.pt"
    counted = Counted(toy)

    def stop(phase, share, note):
        if phase == "images" and share >= 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_discovery(counted, FAST, checkpoint=checkpoint, on_phase=stop)
    made = counted.images
    resumed = run_discovery(counted, FAST, checkpoint=checkpoint, resume=True)
    whole = Counted(toy)
    expected = run_discovery(whole, FAST)
    assert torch.equal(resumed.directions.vectors, expected.directions.vectors)
    assert counted.images == whole.images and made == 128
    with pytest.raises(GanwalkError, match="nothing to resume"):
        run_discovery(toy, FAST, checkpoint=tmp_path / "elsewhere" / "checkpoint.pt", resume=True)


def test_a_finished_search_on_a_student_is_not_continued_as_another(toy, tmp_path):
    # No step on the generator follows, whose checkpoint would say whose the directions are.
    checkpoint, settings = tmp_path / "checkpoint.pt", replace(FAST, polish=0)
    whole = run_discovery(toy, settings, checkpoint=checkpoint)
    again = run_discovery(toy, settings, checkpoint=checkpoint, resume=True)
    assert torch.equal(again.directions.vectors, whole.directions.vectors)
    with pytest.raises(GanwalkError, match="another steps: resume with its options, start anew with --force, or"):
        run_discovery(toy, replace(settings, steps=7), checkpoint=checkpoint, resume=True)


@pytest.mark.parametrize(
    "change",
    [
        {"images": 320},
        {"image_seed": 1},
        {"layer": 2},
        {"layers": (1, 3)},
        {"space": "z"},
        {"truncation_psi": 0.5},
        {"truncation_psi": 0.5, "truncation_cutoff": 2},
        {"seed": 1},
        {"steps": 3},
        {"precision": "bfloat16"},
        {"search": "direct"},
    ],
)
def test_options_of_the_student_change_the_result(toy, usual, change):
    vectors = run_discovery(toy, replace(FAST, **change)).directions.vectors
    assert vectors.shape != usual.directions.vectors.shape or not torch.allclose(vectors, usual.directions.vectors)


def test_scored_images_change_the_scores_only(toy):
    settings = replace(FAST, polish=0)
    few, more = (run_discovery(toy, replace(settings, scored=scored)) for scored in (8, 12))
    first, second = ({tuple(row.tolist()) for row in result.directions.vectors} for result in (few, more))
    assert first == second and few.bases[0].scores.mean_rtd != more.bases[0].scores.mean_rtd


def test_effort_memory_and_baselines(toy):
    resolved = {
        effort: DiscoverySettings(search="student", n_directions=4, effort=effort).resolve(toy)
        for effort in ("quick", "normal", "thorough")
    }
    images, polish, scored = (
        [getattr(one, name) for one in resolved.values()] for name in ("images", "polish", "scored")
    )
    for values in (images, polish, scored):
        assert values == sorted(set(values))
    assert DiscoverySettings(n_directions=4).resolve(toy).search == "direct"
    scenes = load_generator("scenes")
    for generator in (scenes, Watched(scenes, print)):
        assert DiscoverySettings(n_directions=4).resolve(generator).search == "auto"
    with pytest.raises(GanwalkError, match="hessian cannot search on a student"):
        DiscoverySettings(n_directions=4, method="hessian", search="student").resolve(toy)
    result = run_discovery(toy, replace(FAST, polish=0, compared=("pca", "sefa")))
    assert [basis.name for basis in result.bases] == ["rtd", "pca", "sefa"]


def test_a_student_that_explains_nothing_is_not_followed(toy, monkeypatch):
    monkeypatch.setattr(on_student, "USABLE", 2.0)
    direct = run_discovery(toy, replace(FAST, search="direct", scored=8))
    monkeypatch.setattr("ganwalk.discovery.settings._SMALL_NETWORK", 0)
    found = run_discovery(toy, replace(FAST, search="auto"))
    assert found.student is None and "explains too little" in found.notices[0]
    assert torch.equal(
        found.directions.vectors[found.directions.vectors[:, 0].argsort()],
        direct.directions.vectors[direct.directions.vectors[:, 0].argsort()],
    )
    assert run_discovery(toy, FAST).student is not None


def test_large_networks_hand_out_an_early_result(toy, monkeypatch):
    monkeypatch.setattr(search_module, "IMAGE_DISTANCE_LIMIT", 8)
    early = []
    result = run_discovery(toy, replace(FAST, images=1024), on_early=early.append)
    assert len(early) == 1 and early[0].early and early[0].student.images < result.student.images == 1024
    assert early[0].metrics()["early"] and len(early[0].directions) == 4
    assert early[0].directions.generator == toy.identity


def test_more_images_are_made_while_the_student_is_poor(toy, monkeypatch):
    monkeypatch.setattr(search_module, "_DOUBLINGS", 2)
    monkeypatch.setattr(search_module, "_GAIN", -1.0)
    for good, images in ((-1.0, 256), (2.0, 1024)):
        monkeypatch.setattr(search_module, "_GOOD", good)
        student = run_discovery(toy, FAST).student
        assert student.images == images and not student.cut
    monkeypatch.setattr(search_module, "_GAIN", 2.0)
    assert run_discovery(toy, FAST).student.images == 512


def test_a_budget_that_allows_no_further_doubling_cuts_a_poor_student(toy, monkeypatch):
    monkeypatch.setattr(search_module, "_DOUBLINGS", 2)
    # Spent when the images that were wanted are there.
    monkeypatch.setattr(on_student, "_BUDGET_IMAGES", 0.0)
    monkeypatch.setattr(search_module, "draw_images", lambda *given: draw_images(*given[:-1], None))
    for good, cut in ((2.0, True), (-1.0, False)):
        monkeypatch.setattr(search_module, "_GOOD", good)
        result = run_discovery(toy, replace(FAST, budget=3600.0))
        assert result.student.images == 256 and result.student.cut == cut and not result.ended


def test_a_budget_ends_the_search_with_the_best_so_far(toy):
    result = run_discovery(toy, replace(FAST, images=1024, budget=1e-3))
    assert result.student.images == 64 and result.student.cut and result.ended == "budget" and result.polish.steps == 0
    direct = run_discovery(toy, replace(FAST, search="direct", budget=1e-3))
    assert direct.ended == "budget" and direct.steps_done == 0


def written(generator, folder):
    path = folder / "toy.safetensors"
    write_native(generator.config, dict(generator.state_dict()), path)
    return path


def torchrun(folder, *words, wait=True):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "ganwalk"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [*launcher, *map(str, words)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if wait:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return output
    return process


@pytest.mark.slow
@pytest.mark.parametrize("search", ["student", "direct"])
def test_two_processes_find_what_one_finds(toy, tmp_path, run, monkeypatch, search):
    monkeypatch.undo()
    path = written(toy, tmp_path)
    options = ["-n", "3", "--search", search, "--images", "256", "--polish", "3", "--steps", "5", "--batch", "12"]
    words = ["discover", "-g", path, *options, "--compare", "random", "-q"]
    output = torchrun(tmp_path, *words, "-o", tmp_path / "two")
    assert output.count("next: ganwalk render") == 1
    assert run(*words, "-o", tmp_path / "one")[0] == 0
    one, two = (Directions.load(tmp_path / name / "directions.safetensors") for name in ("one", "two"))
    assert torch.allclose(one.vectors, two.vectors, atol=1e-5) and torch.allclose(one.effects, two.effects, atol=1e-5)
    metrics = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two")]
    assert metrics[0]["rtd"] == pytest.approx(metrics[1]["rtd"], abs=1e-4)


@pytest.mark.slow
def test_a_killed_process_ends_the_run_with_one_line_and_a_checkpoint(toy, tmp_path):
    path = written(toy, tmp_path)
    words = ["discover", "-g", path, "-n", "3", "--search", "direct", "--steps", "100000", "-q", "-o", "out"]
    process = torchrun(tmp_path, *words, wait=False)
    checkpoint = tmp_path / "out" / "checkpoint.pt"
    for _ in range(1200):
        if checkpoint.exists() or process.poll() is not None:
            break
        time.sleep(0.1)
    assert process.poll() is None
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    ranks = {child: Path(f"/proc/{child}/environ").read_text() for child in children}
    victim = next(int(child) for child, environment in ranks.items() if "\0RANK=1\0" in f"\0{environment}")
    os.kill(victim, signal.SIGKILL)
    _, errors = process.communicate(timeout=120)
    assert process.returncode != 0
    said = [line for line in errors.splitlines() if line.startswith("ganwalk: ")]
    assert said == [
        "ganwalk: another process of this run has ended: start it again with --resume, it continues from out"
    ]
    assert checkpoint.exists()
