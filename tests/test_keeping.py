"""What a person made is not replaced without a word: results, names, pictures; folders belong to one run."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ganwalk
from ganwalk.directions import DIRECTIONS_FILE, Directions
from ganwalk.directions.files import newest_directions, replace_directions, save_label
from ganwalk.directions.labels import Label
from ganwalk.discovery.searches import direct
from ganwalk.errors import GanwalkError
from ganwalk.generators import loading
from ganwalk.generators.base import GeneratorIdentity
from ganwalk.generators.loading import load_generator
from ganwalk.rendering.naming import settings_name

CHECKPOINT = Path(__file__).parent / "golden" / "pickled_sg3repo_sg2_32.pkl"
DISCOVER = ["discover", "-g", "blobs", "--steps", "2", "--batch", "6", "-q"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def found(rows=3, created="", **changes):
    generator = GeneratorIdentity("blobs", "a" * 64, "blobs", 32)
    return Directions(torch.eye(6)[:rows], torch.ones(rows), "z", generator, created=created, **changes)


def test_a_finished_discovery_is_replaced_on_request_only(run):
    assert run(*DISCOVER, "-n", 3)[0] == 0
    assert run("name", 0, "smile", "--star")[0] == 0
    path = Path("ganwalk-out", DIRECTIONS_FILE)
    before = {name: Path("ganwalk-out", name).read_bytes() for name in os.listdir("ganwalk-out")}
    code, _, text = run(*DISCOVER, "-n", 2)
    assert code == 2 and len(text.splitlines()) == 1
    assert "3 directions of blobs (rtd" in text and "1 with a name, 1 with a note or mark" in text
    assert all(word in text for word in ("--force", "--resume", "--out"))
    assert {name: Path("ganwalk-out", name).read_bytes() for name in os.listdir("ganwalk-out")} == before
    assert run(*DISCOVER, "-n", 3, "--force")[0] == 0
    assert Directions.load(path).labels[0] == Label("smile", starred=True)
    code, out, _ = run(*DISCOVER, "-n", 2, "-m", "random", "--seed", 5, "--force")
    assert code == 0 and "directions-named-1.safetensors" in out
    assert Directions.load(path).labels == (Label(), Label())
    assert Directions.load("ganwalk-out/directions-named-1.safetensors").labels[0].name == "smile"


def test_a_method_that_is_none_is_refused_before_anything_is_loaded_or_looked_at(run):
    found().save(Path("ganwalk-out", DIRECTIONS_FILE))
    code, _, text = run("discover", "-g", "gone.pkl", "-m", "pcb")
    assert code == 2 and "unknown method 'pcb'" in text


def test_what_cannot_be_read_is_not_replaced_either(run):
    Path("ganwalk-out").mkdir()
    Path("ganwalk-out", DIRECTIONS_FILE).write_bytes(b"of somebody")
    code, _, text = run(*DISCOVER, "-n", 2)
    assert (
        code == 2 and "cannot be read" in text and Path("ganwalk-out", DIRECTIONS_FILE).read_bytes() == b"of somebody"
    )


def test_names_pass_to_directions_that_are_the_same_whatever_their_order():
    path = Path(DIRECTIONS_FILE)
    found().save(path)
    save_label(path, 0, Label("smile", "a note"), found().fingerprint())
    nearly = torch.nn.functional.normalize(torch.eye(6)[[2, 0, 1]] + 0.02)
    new = Directions(nearly, torch.ones(3), "z", found().generator)
    assert replace_directions(path, new) is None
    assert [label.name for label in Directions.load(path).labels] == ["", "smile", ""]


@pytest.mark.parametrize(
    "changes",
    [
        {"vectors": -torch.eye(6)[:3]},
        {"vectors": torch.eye(6)[3:]},
        {"vectors": torch.eye(7)[:3]},
        {"generator": GeneratorIdentity("blobs", "b" * 64, "blobs", 32)},
    ],
    ids=["the other way", "others", "other dimensions", "another generator"],
)
def test_names_of_directions_that_are_gone_are_kept_beside(changes):
    path = Path(DIRECTIONS_FILE)
    for number in (1, 2):
        path.unlink(missing_ok=True)
        found().save(path)
        save_label(path, 1, Label(starred=True), found().fingerprint())
        facts = {"vectors": found().vectors, "scales": torch.ones(3), "space": "z", "generator": found().generator}
        kept = replace_directions(path, Directions(**{**facts, **changes}))
        assert kept == Path(f"directions-named-{number}.safetensors")
        assert Directions.load(kept).labels[1].starred and not any(x.starred for x in Directions.load(path).labels)


def test_of_names_kept_beside_the_newest_count():
    for number in (9, 10):
        kept = found().labelled(0, Label(f"kept {number}"))
        kept.save(f"directions-named-{number}.safetensors")
    kept.labelled(0, Label("a copy")).save("directions-named-copy.safetensors")
    replace(found(), vectors=torch.eye(7)[:3]).save(DIRECTIONS_FILE)
    replace_directions(Path(DIRECTIONS_FILE), found())
    assert Directions.load(DIRECTIONS_FILE).labels[0].name == "kept 10"


def test_one_run_at_a_time_has_a_folder(run, monkeypatch):
    program = "import pathlib, time; from ganwalk.files import owned_folder\n"
    program += "with owned_folder(pathlib.Path('ganwalk-out')): print(1, flush=True); time.sleep(60)"
    environment = {**os.environ, "PYTHONPATH": str(Path(ganwalk.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment) as other:
        assert other.stdout.readline()
        code, _, text = run(*DISCOVER, "-n", 2)
        other.kill()
    assert code == 2 and f"belongs to another run (process {other.pid}" in text
    assert run(*DISCOVER, "-n", 2)[0] == 0


@pytest.mark.parametrize(
    "refused",
    [
        ["discover", "-g", "no.pkl", "-o", "new/out"],
        ["discover", "-g", "blobs", "-n", "400", "-o", "new/out"],
        ["discover", "-g", "blobs", "-m", "sefa", "-o", "new/out"],
        ["discover", "-g", "blobs", "--resume", "-o", "new/out"],
        ["compare", "-g", "blobs", "-m", "what", "-o", "new/out"],
    ],
    ids=lambda arguments: " ".join(arguments[2:-2]),
)
def test_what_is_refused_leaves_no_folder(run, refused):
    assert run(*refused)[0] == 2
    assert os.listdir() == []


def test_naming_leaves_no_lock():
    found().save(DIRECTIONS_FILE)
    save_label(DIRECTIONS_FILE, 0, Label("smile"), found().fingerprint())
    assert os.listdir() == [DIRECTIONS_FILE]


def test_of_directions_found_in_one_second_the_last_written_are_the_newest():
    for name, written in (("a", 1000.25), ("b", 1000.75), ("c", 1000.5)):
        path = Path(name, DIRECTIONS_FILE)
        path.parent.mkdir()
        found(created="2026-01-01T00:00:00Z").save(path)
        os.utime(path, (written, written))
    assert newest_directions().path == Path("b", DIRECTIONS_FILE)


def test_the_newest_directions_are_those_whose_file_says_so(run):
    for folder, created in (("a", "2026-03-01T00:00:00Z"), ("b", "2026-02-01T00:00:00Z"), ("c", "")):
        Path(folder).mkdir()
        found(created=created).save(Path(folder, DIRECTIONS_FILE))
    # Of no time of its own, and written long ago.
    os.utime(Path("c", DIRECTIONS_FILE), (0, 0))
    opened = newest_directions()
    assert opened.path == Path("a", DIRECTIONS_FILE) and opened.others == 2
    assert "the newest of 3 here" in opened.description and "2026-03-01 00:00" in opened.description
    save_label(Path("b", DIRECTIONS_FILE), 0, Label("smile"), found().fingerprint())
    assert newest_directions().path == Path("a", DIRECTIONS_FILE)
    # Written by a snippet of Python, without a time: it counts by when it was written, and is named.
    found().save(DIRECTIONS_FILE)
    code, out, _ = run("name")
    assert code == 0 and out.startswith(f"using {DIRECTIONS_FILE}: 3 directions of blobs (imported)")
    Path("d").mkdir()
    Path("d", DIRECTIONS_FILE).write_bytes(b"damaged")
    assert newest_directions().others == 3
    for folder in (".", "a", "b", "c"):
        Path(folder, DIRECTIONS_FILE).unlink()
    with pytest.raises(GanwalkError, match="d/directions"):
        newest_directions()


def test_discoveries_say_when_they_were_made(run, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert run(*DISCOVER, "-n", 2)[0] == 0
    assert Directions.load(Path("ganwalk-out", DIRECTIONS_FILE)).created == "1970-01-02T00:00:00Z"


def test_pictures_of_other_settings_have_other_names(run):
    assert run(*DISCOVER, "-n", 2)[0] == 0
    before = set(os.listdir("ganwalk-out"))
    draw = ["render", "--steps", 2, "-q"]
    for options in (["-d", 0, "--seeds", "1"], ["-d", 0, "--seeds", "2"], ["-d", 0, "--seeds", "1", "--amplitude", 5]):
        assert run(*draw, *options)[0] == 0
    for edit in ("0=1", "0=1,1=-2"):
        assert run(*draw, "--combine", edit, "--seeds", "1")[0] == 0
    assert set(os.listdir("ganwalk-out")) - before == {
        "direction-0-seeds-1-steps-2.png",
        "direction-0-seeds-2-steps-2.png",
        "direction-0-seeds-1-amplitude-5-steps-2.png",
        "combined-0=1-seeds-1-steps-2.png",
        "combined-0=1,1=-2-seeds-1-steps-2.png",
    }
    assert "/" not in settings_name("combined", ["a/../b"]) and len(settings_name("x" * 300, [])) < 120
    assert settings_name("x" * 300, []) != settings_name("x" * 301, [])


def test_pictures_of_several_directions_files_in_one_folder_do_not_collide(run):
    blobs = load_generator("blobs")
    one = Directions(torch.eye(6)[:1], torch.ones(1), "z", blobs.identity)
    one.save("smile.safetensors")
    # What holds no directions is no matter.
    Path("other.safetensors").write_bytes(b"nothing")
    draw = ["render", "--steps", 2, "-q", "--seeds", "1", "-d", 0, "--directions"]
    assert run(*draw, "smile.safetensors")[0] == 0 and Path("direction-0-seeds-1-steps-2.png").exists()
    Directions(torch.eye(6)[1:2], torch.ones(1), "z", blobs.identity).save("age.safetensors")
    for name in ("smile", "age"):
        assert run(*draw, f"{name}.safetensors")[0] == 0
        assert Path(f"{name}-direction-0-seeds-1-steps-2.png").exists()
    report = ["report", "-q", "--no-evaluate", "--steps", 2, "--seeds", 1, "--directions"]
    assert run(*report, "age.safetensors")[0] == 0 and Path("age-report-seeds-1-steps-2.html").exists()


def test_a_picture_is_replaced_by_the_same_one_or_on_request(run):
    assert run(*DISCOVER, "-n", 2)[0] == 0
    draw = ["render", "-d", 0, "--steps", 2, "-q", "-o", "a/b.png"]
    assert run(*draw, "--seeds", "1")[0] == 0
    assert run("name", 0, "smile")[0] == 0
    # The same, under a new name.
    assert run(*draw, "--seeds", "1")[0] == 0
    code, _, text = run(*draw, "--seeds", "2")
    assert code == 2 and "a/b.png exists" in text and "--force" in text
    assert run(*draw, "--seeds", "2", "--force")[0] == 0
    Path("a/c.gif").write_bytes(b"of somebody")
    code, _, text = run("render", "-d", 0, "--seeds", "1", "--gif", "-o", "a/c.png", "-q")
    assert code == 2 and "a/c.gif exists" in text
    report = ["report", "--no-evaluate", "--seeds", "1", "--steps", "2", "-q", "-o", "a/r.html"]
    assert run(*report)[0] == 0 and run(*report)[0] == 0
    code, _, text = run(*report, "--amplitude", 2)
    assert code == 2 and "a/r.html exists" in text
    assert run(*DISCOVER, "-n", 2, "--seed", 1, "--force")[0] == 0
    assert run(*report)[0] == 2 and run(*report, "--force")[0] == 0


def test_an_export_replaces_nothing(run):
    found().save(DIRECTIONS_FILE)
    Path("mine.npy").write_bytes(b"of somebody")
    code, _, text = run("export", "mine.npy")
    assert code == 2 and "mine.npy exists" in text and Path("mine.npy").read_bytes() == b"of somebody"
    assert run("export", "mine.npy", "--force")[0] == 0


def test_scores_with_other_settings_are_replaced_on_request_only(run):
    assert run(*DISCOVER, "-n", 2)[0] == 0
    score = ["evaluate", "--samples", 8, "--no-reconstructor", "-q"]
    assert run(*score)[0] == 0 and run(*score)[0] == 0
    code, _, text = run(*score, "--amplitude", 2)
    assert code == 2 and "holds scores with other settings (amplitude)" in text
    assert json.loads(Path("ganwalk-out/evaluation.json").read_text())["settings"]["amplitude"] == 1
    assert run(*score, "--amplitude", 2, "--force")[0] == 0
    # Of directions that are gone.
    assert run(*DISCOVER, "-n", 2, "--seed", 1, "--force")[0] == 0
    assert run(*score)[0] == 0


def test_a_comparison_is_replaced_on_request_only(run):
    compare = ["compare", "-g", "blobs", "-m", "random", "--seeds", 1, "-n", 2, "--samples", 8, "-q"]
    assert run(*compare)[0] == 0
    written = Path("ganwalk-comparison/comparison.json").stat().st_mtime_ns
    code, _, text = run(*compare)
    assert code == 2 and "(1 finished runs)" in text and "--resume" in text and "--force" in text
    time.sleep(0.01)
    assert Path("ganwalk-comparison/comparison.json").stat().st_mtime_ns == written
    assert run(*compare, "--resume")[0] == 0 and run(*compare, "--force")[0] == 0


def test_names_that_were_kept_beside_come_back(run):
    for method, n, seed in (("pca", 3, 0), ("random", 2, 5), ("pca", 3, 0)):
        code, out, _ = run(*DISCOVER, "-n", n, "-m", method, "--seed", seed, "--force")
        assert code == 0
        assert ("note: names of directions that are gone are kept in" in out) == (method == "random")
        if method == "pca" and not Path("ganwalk-out/directions-named-1.safetensors").exists():
            assert run("name", 1, "smile")[0] == 0
    assert Directions.load(Path("ganwalk-out", DIRECTIONS_FILE)).labels[1].name == "smile"


def test_directions_that_are_found_again_are_as_old_as_they_were(run, monkeypatch):
    for seconds in ("100", "200"):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", seconds)
        assert run(*DISCOVER, "-n", 2, "--force")[0] == 0
    assert Directions.load(Path("ganwalk-out", DIRECTIONS_FILE)).created == "1970-01-01T00:01:40Z"


def test_an_unfinished_run_is_not_begun_again_without_a_word(run):
    assert run(*DISCOVER, "-n", 2)[0] == 0
    for name in os.listdir("ganwalk-out"):
        if name != "checkpoint.pt":
            Path("ganwalk-out", name).unlink()
    code, _, text = run(*DISCOVER, "-n", 2)
    assert code == 2 and "was not finished" in text and "--resume" in text and "--force" in text
    assert run(*DISCOVER, "-n", 2, "--resume")[0] == 0


def test_a_run_that_starts_anew_has_no_checkpoint_of_the_last_one(run, monkeypatch):
    assert run(*DISCOVER, "-n", 2)[0] == 0
    Path("ganwalk-out/checkpoint-1.pt").touch()

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loading, "load_generator", stop)
        code, _, text = run(*DISCOVER, "-n", 2, "--seed", 1, "--force")
        assert code == 130 and "to continue" not in text and Path("ganwalk-out/checkpoint.pt").exists()
        patch.undo()
        patch.setattr(direct, "start", stop)
        Path("ganwalk-out/images.safetensors").touch()
        code, _, text = run(*DISCOVER, "-n", 2, "--seed", 1, "--force")
    assert code == 130 and "to continue" not in text
    assert not list(Path("ganwalk-out").glob("checkpoint*.pt"))
    code, _, text = run(*DISCOVER, "-n", 2, "--seed", 1, "--resume")
    assert code == 2 and "nothing to resume" in text


def test_nothing_of_another_kind_replaces_directions(run):
    found().save(DIRECTIONS_FILE)
    before = Path(DIRECTIONS_FILE).read_bytes()
    code, _, text = run("convert", CHECKPOINT, DIRECTIONS_FILE, "--force")
    assert code == 2 and "holds directions" in text and Path(DIRECTIONS_FILE).read_bytes() == before
    assert run("export", "d.npz", "--directions", DIRECTIONS_FILE)[0] == 0
    for out, words in (("d.npz", "must end in .safetensors"), (DIRECTIONS_FILE, "exists")):
        code, _, text = run("import", "d.npz", "-g", "blobs", "-o", out)
        assert code == 2 and words in text
    code, _, text = run("import", DIRECTIONS_FILE, "-g", "blobs", "--force")
    assert code == 2 and "is what is imported" in text and Path(DIRECTIONS_FILE).read_bytes() == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "-d", 0, "--directions", "pipe"],
        ["discover", "-g", "blobs", "--config", "pipe"],
        ["import", "pipe", "-g", "blobs"],
        ["evaluate", "--directions", "pipe"],
        ["discover", "-g", "pipe"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_pipes_are_refused_at_once(run, arguments):
    os.mkfifo("pipe")
    code, _, text = run(*arguments)
    assert code == 2 and "not a regular file" in text and len(text.splitlines()) == 1
