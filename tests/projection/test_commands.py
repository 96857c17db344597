"""`ganwalk project`, and its results wherever seeds are."""

import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.directions import Directions
from ganwalk.generators.base import sample_z
from ganwalk.generators.loading import load_generator
from ganwalk.interchange.latents import latent_samples, read_latents
from ganwalk.rendering.images import to_bytes

QUICK = ("-g", "scenes", "--steps", "3", "--candidates", "4", "--threads", "1", "-q")


# A checkpoint after every step, so that a short projection can be caught in the middle.
PROGRAM = """
from ganwalk.commands import main
from ganwalk.projection import run

run._SAVE_EVERY_SECONDS = 0.0
main()
"""


@pytest.fixture(scope="module")
def scenes():
    return load_generator("scenes")


@pytest.fixture
def photo(scenes, tmp_path):
    with torch.no_grad():
        Image.fromarray(to_bytes(scenes.synthesis(scenes.mapping(sample_z(scenes, 1, 3))))[0]).save(
            tmp_path / "photo.png"
        )
    return tmp_path / "photo.png"


def test_the_next_line_discovers_first_where_no_directions_are_the_generators(run, photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    for there, expected in ((None, "discover"), ("blobs", "discover"), ("scenes", "render")):
        if there is not None:
            few = ("--method", "random", "-n", 1, "-q", "--force", "--out", f"of-{there}")
            assert run("discover", "-g", there, *few)[0] == 0
        code, out, err = run("project", photo, *QUICK, "--force")
        last = out.splitlines()[-1].removeprefix("next: ganwalk ")
        assert code == 0 and last.split()[0] == expected, err
    assert run(*shlex.split(last), "--steps", 2, "-q")[0] == 0


def test_a_photo_becomes_latents_and_a_picture(run, photo, scenes):
    code, out, err = run("project", photo, *QUICK)
    assert code == 0, err
    target = photo.with_suffix(".npz")
    assert f"wrote {target}: RMS error" in out
    with np.load(target, allow_pickle=False) as arrays:
        assert arrays["w"].shape == (1, scenes.num_layers, scenes.w_dim) and arrays["w"].dtype == np.float32
        facts = json.loads(bytes(arrays["run"]))
    assert facts["steps"] == 3 and facts["space"] == "w+"
    with Image.open(photo.with_name("photo-projection.png")) as sheet:
        assert sheet.width > 3 * 96
    assert {path.name for path in photo.parent.iterdir()} == {"photo.png", "photo.npz", "photo-projection.png"}
    samples = latent_samples([read_latents(target)], scenes)
    assert samples.labels == ("photo",)


def test_what_is_there_is_kept_replaced_or_resumed(run, photo):
    target = photo.with_suffix(".npz")
    assert run("project", photo, *QUICK)[0] == 0
    first = target.read_bytes()
    code, _, err = run("project", photo, *QUICK)
    assert code == 2 and "exists: choose another name, or replace it with --force" in err
    code, out, _ = run("project", photo, *QUICK, "--resume")
    assert code == 0 and f"kept {target}: it is finished" in out
    code, _, err = run("project", photo, *QUICK, "--resume", "--seed", "1")
    assert code == 2 and "belongs to a run with another seed: resume with its options" in err
    assert target.read_bytes() == first
    assert run("project", photo, *QUICK, "--force", "--seed", "1")[0] == 0
    assert target.read_bytes() != first
    target.with_name("photo.checkpoint.pt").touch()
    target.unlink()
    code, _, err = run("project", photo, *QUICK)
    assert code == 2 and "was not finished: continue it with --resume" in err


def test_folders_and_several_photos(run, photo, tmp_path):
    out = tmp_path / "results"
    Image.open(photo).save(tmp_path / "other.bmp")
    code, printed, err = run("project", tmp_path, *QUICK, "--out", out, "--space", "z")
    assert code == 0, err
    assert {path.name for path in out.glob("*.npz")} == {"photo.npz", "other.npz"} and printed.count("wrote") == 2
    with np.load(out / "other.npz") as arrays:
        assert arrays["z"].shape == (1, 64)
    # Beside the photos now; then the pictures of projections are no photos.
    assert run("project", photo, *QUICK)[0] == 0
    code, printed, _ = run("project", tmp_path, *QUICK, "--resume")
    assert code == 0 and printed.count("kept") == 1 and printed.count("wrote") == 1
    assert not (tmp_path / "photo-projection.npz").exists()
    Image.open(photo).save(tmp_path / "photo.jpg")
    code, _, err = run("project", tmp_path, *QUICK, "--out", tmp_path / "new")
    assert code == 2 and "would both be" in err
    code, _, err = run("project", photo, tmp_path / "other.bmp", *QUICK, "--crop", "0,0,10")
    assert code == 2 and "--crop is of one photo" in err


def test_a_damaged_photo_among_many_is_told_before_the_first_is_projected(run, photo):
    photo.with_name("z.png").write_bytes(photo.read_bytes()[:500])
    code, _, err = run("project", photo.parent, *QUICK)
    assert code == 2 and "z.png is damaged" in err and err.count("\n") == 1
    assert not photo.with_suffix(".npz").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="kill -9")
def test_killed_and_resumed_it_is_as_if_it_had_not_been(run, photo, tmp_path):
    options = ["-g", "scenes", "--steps", "60", "--candidates", "4", "--threads", "1", "-q"]
    command = [sys.executable, "-c", PROGRAM, "project", str(photo), *options]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    checkpoint = photo.with_name("photo.checkpoint.pt")
    deadline = time.monotonic() + 120
    while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    if not checkpoint.exists():
        pytest.skip("it was done before it could be killed")
    assert run("project", photo, *options, "--resume")[0] == 0
    assert run("project", photo, *options, "--out", tmp_path / "whole")[0] == 0
    with np.load(photo.with_suffix(".npz")) as one, np.load(tmp_path / "whole" / "photo.npz") as other:
        assert np.array_equal(one["w"], other["w"])


@pytest.fixture
def directions(scenes, tmp_path):
    path = tmp_path / "directions.safetensors"
    found = Directions(torch.eye(scenes.w_dim)[:2], torch.ones(2), "w", scenes.identity)
    found.save(path)
    return path


def test_render_shows_latents_instead_of_seeds(run, photo, directions, scenes, tmp_path):
    assert run("project", photo, *QUICK)[0] == 0
    latents = photo.with_suffix(".npz")
    common = ("--directions", directions, "-d", "0", "--steps", "2", "-q")
    code, out, err = run("render", *common, "--latents", latents)
    assert code == 0, err
    drawn = tmp_path / "direction-0-latents-photo-steps-2.png"
    assert f"wrote {drawn}" in out
    first = drawn.read_bytes()
    assert run("render", *common, "--latents", latents)[0] == 0
    # Another photo of that name is not the same picture.
    np.savez(latents, w=np.zeros((1, scenes.num_layers, scenes.w_dim), np.float32))
    code, _, err = run("render", *common, "--latents", latents)
    assert code == 2 and "--force" in err
    assert run("render", *common, "--latents", latents, "--force")[0] == 0 and drawn.read_bytes() != first
    for wrong in (("--seeds", "1"), ("--seed-style", "nvidia")):
        code, _, err = run("render", *common, "--latents", latents, *wrong)
        assert code == 2 and "instead of seeds" in err
    np.savez(latents, w=np.zeros((1, 18, 512), np.float32))
    code, _, err = run("render", *common, "--latents", latents)
    assert code == 2 and "18×512 values, but this generator takes" in err


def test_report_shows_latents_instead_of_seeds(run, photo, directions, scenes, tmp_path):
    latents = tmp_path / "secret folder" / "ada.npz"
    latents.parent.mkdir()
    np.savez(latents, w=np.zeros((2, scenes.num_layers, scenes.w_dim), np.float32))
    common = ("--directions", directions, "--no-evaluate", "--steps", "2", "-q")
    code, _, err = run("report", *common, "--latents", latents)
    assert code == 0, err
    page = (tmp_path / "report-steps-2-latents-ada.npz.html").read_text()
    assert "ada 0, ada 1" in page and "--latents ada.npz" in page and "secret folder" not in page
    assert run("report", *common, "--latents", latents)[0] == 0
    np.savez(latents, w=np.ones((1, scenes.num_layers, scenes.w_dim), np.float32))
    code, _, err = run("report", *common, "--latents", latents)
    assert code == 2 and "--force" in err
    code, _, err = run("report", *common, "--latents", latents, "--seeds", "1")
    assert code == 2 and "instead of seeds" in err
