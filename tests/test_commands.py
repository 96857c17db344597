"""The command line as its user meets it: results, last lines, and one clear line for every mistake."""

import errno
import json
import os
import pickle
import shlex
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk import __main__, evaluate
from ganwalk.calibration.walks import measure_reach
from ganwalk.commands import group
from ganwalk.commands.discover import _remedy
from ganwalk.commands.options import with_size
from ganwalk.directions import Directions
from ganwalk.discovery.settings import COMPARABLE, DiscoverySettings
from ganwalk.generators.base import sample_labels, sample_z
from ganwalk.generators.checkpoints.native import write_native
from ganwalk.generators.loading import load_generator
from ganwalk.generators.stylegan2 import StyleGAN2, StyleGAN2Config
from ganwalk.naming.settings import NamingSettings
from ganwalk.naming.suggest import suggest_names
from ganwalk.rendering.report import ReportSettings, write_report

GOLDEN = Path(__file__).parent / "golden"
CHECKPOINT = GOLDEN / "pickled_sg3repo_sg2_32.pkl"
FAST = ["--steps", "2", "--batch", "6", "--n-directions", "3", "-q"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refused(run):
    """Runs a command that must fail with exit code 2 and one line."""

    def call(*arguments):
        code, _, text = run(*arguments)
        assert code == 2, text
        assert len(text.strip().splitlines()) == 1 and "Traceback" not in text
        return text

    return call


def test_discover_then_render(run):
    code, out, err = run("discover", "--generator", "blobs", *FAST)
    assert code == 0 and err == ""
    assert out.splitlines()[-1] == "next: ganwalk render --direction 0"
    names = {"directions.safetensors", "metrics.json", "loss.png", "barcodes.png", "preview.png", "checkpoint.pt"}
    assert set(os.listdir("ganwalk-out")) == names
    metrics = json.loads(Path("ganwalk-out/metrics.json").read_text())
    assert metrics["settings"]["n_directions"] == 3 and metrics["steps_done"] == 2
    code, out, _ = run("render", "--direction", 1, "--seeds", "1-2", "--steps", 3, "--gif", "--mp4", "-q")
    assert code == 0 and "next: ganwalk render --direction all" in out
    assert {f"direction-1-seeds-1-2-steps-3{s}" for s in (".png", ".gif", ".mp4")} <= set(os.listdir("ganwalk-out"))
    code, out, _ = run("render", "--direction", "all", "--out", "all.png", "-q")
    assert code == 0 and Path("all.png").exists()


def test_every_baseline_can_be_drawn_beside_the_result(run, refused, quick_local):
    few = ("--search", "direct", "--scored", 8)
    code, out, _ = run("discover", "-g", "scenes", *FAST, *few, "--compare", ",".join(COMPARABLE), "-q")
    assert code == 0 and all(any(line.startswith(name) for line in out.splitlines()) for name in COMPARABLE)
    assert set(json.loads(Path("ganwalk-out/metrics.json").read_text())["bases"]) == {"rtd", *COMPARABLE}
    assert Path("ganwalk-out/loss.png").exists()
    assert "choose of pca, random" in refused("discover", "-g", "scenes", "--compare", "hessian")


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({}, "--effort quick, --budget 10m or an earlier --layer than 6 shortens it"),
        ({"search": "direct"}, "--search student, --budget 10m or an earlier --layer than 6 shortens it"),
        (
            {"method": "hessian", "search": "direct"},
            "fewer --steps, --budget 10m or an earlier --layer than 6 shortens it",
        ),
        ({"method": "pca", "layer": 0}, "a smaller --scored shortens it"),
    ],
)
def test_what_takes_long_is_shortened_by_what_it_heeds(change, remedy):
    assert _remedy(DiscoverySettings(**{"layer": 6, **change}), 3600.0) == remedy


def _next_of(out):
    """The command that the last line of an output names, as it would be typed."""
    last = out.splitlines()[-1]
    assert last.startswith("next: ganwalk "), last
    return shlex.split(last.removeprefix("next: ganwalk "))


def test_the_next_line_finds_a_folder_where_one_holds_directions(run):
    shutil.copy(CHECKPOINT, "net.pkl")
    # Of a run that stopped before it had directions.
    Path("ganwalk-out").mkdir()
    Path("ganwalk-out/checkpoint.pt").touch()
    Path("ganwalk-out-2").mkdir()
    Path("ganwalk-out-2/directions.safetensors").touch()
    said = [run("info", "net.pkl")[1], run("convert", "net.pkl", "net.safetensors")[1], run("models")[1]]
    said.append(run("animate", "-g", "blobs", "--seconds", 0.1, "--fps", 10, "-q")[1])
    assert all(_next_of(out)[-2:] == ["--out", "ganwalk-out-3"] for out in said), said
    code, _, err = run(*_next_of(run("info", "blobs")[1]), "--method", "random", "-q")
    assert code == 0 and Path("ganwalk-out-3/directions.safetensors").exists(), err


def test_directions_of_a_checkpoint_are_those_of_its_conversions(run, refused):
    shutil.copy(CHECKPOINT, "net.pkl")
    shutil.copy(GOLDEN / "rosinality_32.pt", "other.pt")
    for source, target in (("net.pkl", "net"), ("net", "again"), ("other.pt", "other")):
        source = source if "." in source else f"{source}.safetensors"
        assert run("convert", source, f"{target}.safetensors")[0] == 0
    small = ("-d", 0, "--seeds", 1, "--steps", 2, "-q")
    for found_with, others in (
        ("net.pkl", ("net.safetensors", "again.safetensors")),
        ("net.safetensors", ("net.pkl",)),
    ):
        found = f"of-{found_with}"
        assert run("discover", "-g", found_with, "--method", "random", "-n", 1, "-q", "--out", found)[0] == 0
        file = f"{found}/directions.safetensors"
        for other in (found_with, *others):
            assert run("render", "--directions", file, "-g", other, "-o", f"{other}.png", *small, "--force")[0] == 0
            with Image.open(f"{found_with}.png") as expected, Image.open(f"{other}.png") as picture:
                assert np.array_equal(expected, picture)
        for other in ("other.pt", "other.safetensors"):
            text = refused("render", "--directions", file, "-g", other, "-o", "x.png", *small)
            assert "not the generator of these directions" in text


def test_the_next_line_of_a_list_of_names_finds_them(run):
    assert run("discover", "-g", "blobs", "--method", "random", "-n", 3, "-q")[0] == 0
    assert run("name", 1, "smile")[0] == 0
    code, _, err = run(*_next_of(run("name")[1]), "-q")
    assert code == 0, err
    assert all(label.name for label in Directions.load("ganwalk-out/directions.safetensors").labels)


@pytest.mark.slow
def test_a_checkpoint_from_disk_goes_the_whole_way(run):
    shutil.copy(CHECKPOINT, "net.pkl")
    code, out, _ = run("info", "net.pkl")
    assert code == 0 and "nvidia-pytorch" in out and "stylegan2 (skip)" in out
    assert json.loads(run("info", "net.pkl", "--json")[1])["resolution"] == 32
    code, out, _ = run("convert", "net.pkl", "net.safetensors")
    assert code == 0 and "next: ganwalk discover --generator net.safetensors" in out
    code, out, _ = run("discover", "-g", "net.safetensors", *FAST, "--out", "d", "--layers", "2-4", "--profile")
    assert code == 0 and "topology" in out and "next: ganwalk render --directions d/directions.safetensors" in out
    directions = Directions.load("d/directions.safetensors")
    assert directions.layers == (2, 4) and directions.space == "w"
    assert directions.generator.reference == str(Path("net.safetensors").resolve())
    for name in ("ganspace.npz", "sefa.npy", "plain.pt"):
        assert run("export", name)[0] == 0
        code, out, _ = run("import", name, "-g", "net.safetensors", "-o", "back.safetensors", "--force")
        assert code == 0 and "3 directions" in out
    code, _, err = run("import", "sefa.npy", "-g", "net.safetensors", "-o", "net.safetensors")
    assert code == 2 and "net.safetensors exists" in err
    options = ["--layers", "4-7", "--truncation", "0.7", "--amplitude", "2", "--steps", "3", "--seeds", "4"]
    code, _, _ = run("render", "--directions", "back.safetensors", "-d", 2, *options, "-o", "x.png", "--batch", 2, "-q")
    assert code == 0 and Path("x.png").exists()


@pytest.mark.slow
def test_names_serve_wherever_a_direction_is_asked_for(run, refused):
    assert run("discover", "--generator", "blobs", *FAST)[0] == 0
    code, out, _ = run("name", 1, "smile", "--note", "shows <teeth>", "--star")
    assert code == 0 and "wrote ganwalk-out/directions.safetensors: direction 1 · smile" in out
    assert out.splitlines()[-1].endswith("--direction smile")
    assert run("name", 2, "--hide")[0] == 0
    code, out, _ = run("name")
    assert code == 0 and [line.split() for line in out.splitlines()[1:4]] == [
        ["0"],
        ["1", "smile", "*", "shows", "<teeth>"],
        ["2", "(hidden)"],
    ]
    small = ["--seeds", "1", "--steps", "2", "-q"]
    code, out, _ = run("render", "--direction", "Smile", *small)
    assert code == 0 and "wrote ganwalk-out/direction-1-seeds-1-steps-2.png" in out
    code, out, _ = run("render", "--combine", "smile=2,0=-1", "--gif", *small)
    assert code == 0 and "ganwalk-out/combined-smile=2,0=-1-seeds-1-steps-2.gif" in out
    code, out, _ = run("render", "--direction", "all", "--gif", *small)
    assert code == 0 and "ganwalk-out/overview-seeds-1-steps-2.gif" in out
    assert run("name", "smile", "", "--note", "", "--no-star")[0] == 0
    assert "smile" not in run("name")[1]
    assert "no direction is called 'smile'" in refused("render", "--direction", "smile")
    assert "either --direction" in refused("render")
    assert "leave one of them out" in refused("render", "--direction", 0, "--combine", "0=1")
    assert "leave out --amplitude" in refused("render", "--combine", "0=1", "--amplitude", 3)
    every = refused("render", "--combine", "0=1@0-0", "--layers", "0-1")
    assert "every part of --combine names its layers" in every and "leave out --layers" in every
    assert "say what to call it" in refused("name", 0)
    assert "comma" in refused("name", 0, "a,b")
    assert "needs directions in w" in refused("render", "--combine", "0=1@0-0", *small)


@pytest.mark.slow
def test_the_newest_discovery_is_the_default(run, monkeypatch):
    for number, (name, n) in enumerate((("old", 2), ("new", 4))):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(number))
        run("discover", "-g", "blobs", "--steps", 0, "--batch", 4, "-n", n, "--out", name, "-q")
    code, out, _ = run("render", "--direction", 3, "--seeds", 1, "--steps", 2, "-q")
    assert code == 0 and "new/direction-3-seeds-1-steps-2.png" in out


BAD_FILES = {
    "empty.pkl": (b"", "is empty"),
    "text.pkl": (b"hello world", "not a checkpoint"),
    "truncated.pkl": (CHECKPOINT.read_bytes()[:50_000], "truncated"),
    "evil.pkl": (b"cos\nsystem\n(S'touch evil-was-here'\ntR.", "not a checkpoint that can be read"),
    "other.pkl": (pickle.dumps([1, 2, 3]), "no generator that is known"),
}


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("command", ["discover", "info", "convert"])
def test_bad_checkpoints(refused, name, command):
    content, message = BAD_FILES[name]
    Path(name).write_bytes(content)
    arguments = {"discover": ["-g", name], "info": [name], "convert": [name, "out.safetensors"]}[command]
    assert message in refused(command, *arguments)
    assert os.listdir() == [name]


def test_bad_paths_and_names(refused):
    assert "does not exist" in refused("discover", "-g", "no/ffhq.pkl")
    assert "is a folder" in refused("discover", "-g", ".")
    assert "unknown generator 'ffhq'" in refused("discover", "-g", "ffhq")
    Path("file").write_text("")
    assert "is a file: choose another folder" in refused("discover", "-g", "blobs", "--out", "file")
    assert "run ganwalk discover --generator scenes first" in refused("render", "-d", "0")
    assert "does not exist" in refused("render", "-d", "0", "--directions", "no.safetensors")
    assert "device 'nowhere'" in refused("discover", "-g", "blobs", "--device", "nowhere")
    assert os.listdir() == ["file"]


def test_numbers_out_of_range(run, refused):
    assert "above the 6 dimensions of z: use --n-directions 6" in refused("discover", "-g", "blobs", "-n", "7")
    assert "no w space" in refused("discover", "-g", "blobs", "--space", "w", "-n", "2")
    assert "nothing to resume" in refused("discover", "-g", "blobs", "-n", "2", "--resume")
    assert "not a range" in refused("discover", "-g", "blobs", "-n", "2", "--layers", "x")
    run("discover", "-g", "blobs", *FAST)
    assert "directions 0 to 2" in refused("render", "-d", "3")
    assert "no direction is called" in refused("render", "-d", "smile")
    assert "not a list such as 1-6" in refused("render", "-d", "0", "--seeds", "x")
    assert "must end in .png" in refused("render", "-d", "0", "-o", "a.jpg")
    assert "not class-conditional" in refused("render", "-d", "0", "--class", "1")
    for arguments in (["discover"], ["discover", "-g", "blobs", "--steps", "-1"], ["nonsense"], ["render", "--x"]):
        code, _, text = run(*arguments)
        assert code == 2 and "Traceback" not in text


@pytest.mark.slow
def test_a_changed_generator_is_noticed(run, refused):
    shutil.copy(CHECKPOINT, "net.pkl")
    run("discover", "-g", "net.pkl", *FAST)
    shutil.copy(GOLDEN / "pickled_sg2ada_64_resnet_clamp.pkl", "net.pkl")
    assert "not the generator of these directions" in refused("render", "-d", "0")
    os.remove("net.pkl")
    assert "is gone: give it with --generator" in refused("render", "-d", "0")
    shutil.copy(CHECKPOINT, "moved.pkl")
    assert run("render", "-d", "0", "-g", "moved.pkl", "--steps", "2", "--seeds", "1", "-q")[0] == 0


@pytest.mark.slow
def test_a_full_disk(run, refused, monkeypatch):
    run("discover", "-g", "blobs", *FAST)
    before = sorted(os.listdir("ganwalk-out"))

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    assert "No space left on device" in refused("discover", "-g", "blobs", *FAST, "--force")
    assert "No space left on device" in refused("render", "-d", "0", "--steps", "2", "--seeds", "1", "-q")
    assert "No space left on device" in refused("render", "-d", "0", "--gif", "--seeds", "1", "-q")
    shutil.copy(CHECKPOINT, "net.pkl")
    assert "No space left on device" in refused("convert", "net.pkl", "out.safetensors")
    # With --force, the run that is replaced is not to be continued any more.
    before.remove("checkpoint.pt")
    assert sorted(os.listdir("ganwalk-out")) == before and not Path("out.safetensors").exists()


def test_convert_does_not_replace_unasked_nor_make_what_is_no_checkpoint(run, refused):
    shutil.copy(CHECKPOINT, "net.pkl")
    Path("out.safetensors").write_text("mine")
    assert "exists" in refused("convert", "net.pkl", "out.safetensors")
    assert "blobs-dead is built in" in refused("convert", "blobs-dead", "blobs.safetensors")
    assert "os.path:join is code" in refused("convert", "os.path:join", "code.safetensors")
    assert Path("out.safetensors").read_text() == "mine"
    assert "must end in .safetensors" in refused("convert", "net.pkl", "out.pkl")
    assert run("convert", "net.pkl", "out.safetensors", "--force")[0] == 0


COMMAND = ["discover", "-g", "blobs", "-n", "4", "--batch", "32", "--threads", "1", "-q"]
# A checkpoint after every step, so that a short run can be caught in the middle.
PROGRAM = """
from ganwalk.commands import main
from ganwalk.discovery.searches import steps

assert steps._SAVE_EVERY_SECONDS > 0
steps._SAVE_EVERY_SECONDS = 0.0
main()
"""


def start(*arguments):
    command = [sys.executable, "-c", PROGRAM, *COMMAND, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, process):
    deadline = time.monotonic() + 90
    while not path.exists():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_and_resumed_runs_end_as_if_nothing_had_happened(run, monkeypatch):
    # Files say when they were made.
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    process = start("--steps", "60", "--out", "cut")
    wait_for(Path("cut/checkpoint.pt"), process)
    process.kill()
    process.communicate()
    assert 0 < torch.load("cut/checkpoint.pt", weights_only=True)["progress"]["step"] < 60
    assert not Path("cut/directions.safetensors").exists()
    assert run(*COMMAND, "--steps", "60", "--out", "cut", "--resume")[0] == 0
    assert run(*COMMAND, "--steps", "60", "--out", "whole")[0] == 0
    for name in ("directions.safetensors", "metrics.json"):
        assert Path("cut", name).read_bytes() == Path("whole", name).read_bytes()


@pytest.mark.slow
def test_ctrl_c_keeps_the_best_so_far():
    process = start("--steps", "100000", "--out", "out")
    wait_for(Path("out/checkpoint.pt"), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130 and err == ""
    assert "continue: the same command with --resume" in out
    assert len(Directions.load("out/directions.safetensors")) == 4


def test_ctrl_c_while_the_command_line_is_loaded(monkeypatch, capsys):
    class Interrupted(types.ModuleType):
        def __getattr__(self, name):
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "ganwalk.commands", Interrupted("ganwalk.commands"))
    with pytest.raises(SystemExit) as caught:
        __main__.main(["--help"])
    assert caught.value.code == 130 and capsys.readouterr().err == "ganwalk: interrupted\n"


def test_help_is_light_and_has_examples(run):
    heavy = ["torch", "numpy", "numba", "matplotlib", "PIL"]
    code = f"import sys, ganwalk.commands; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in group.commands:
        code, out, _ = run(name, "--help")
        assert code == 0 and f"Example: ganwalk {name}" in out
    assert run("--version")[1].startswith("ganwalk, version ")


def test_the_checkout_has_a_script():
    script = Path(__file__).parents[1] / "cli.py"
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=True)
    assert "discover" in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("ganwalk dis", ["discover"]), ("ganwalk discover --search ", ["auto", "student", "direct"])],
)
def test_the_shell_completes(typed, offered):
    words = {"_GANWALK_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    command = [sys.executable, "-m", "ganwalk"]
    done = subprocess.run(command, env={**os.environ, **words}, capture_output=True, text=True)
    assert done.stdout.split() == [f"plain,{word}" for word in offered]


def test_directions_of_a_class_are_drawn_and_scored_in_it(run, tmp_path):
    torch.manual_seed(0)
    config = StyleGAN2Config(img_resolution=16, z_dim=8, w_dim=12, c_dim=3, channel_base=128, channel_max=8)
    write_native(config, dict(StyleGAN2(config).eval().state_dict()), tmp_path / "classes.safetensors")
    generator = load_generator(tmp_path / "classes.safetensors")
    found = Directions(torch.eye(12)[:2], torch.ones(2), "w", generator.identity, settings={"class_index": 2})
    found.save(tmp_path / "directions.safetensors")
    pictures = []
    for options in ([], ["--class", "2"], ["--class", "1"]):
        code, _, err = run("render", "-d", "0", "--seeds", "1", "--out", "out.png", "--force", *options)
        assert code == 0, err
        pictures.append((tmp_path / "out.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]
    assert run("report", "--seeds", "1", "--steps", "2", "--no-evaluate")[0] == 0
    assert ", class 2" in (tmp_path / "report-seeds-1-steps-2.html").read_text()
    assert run("evaluate", "--samples", "4", "--no-reconstructor")[0] == 0
    assert json.loads((tmp_path / "evaluation.json").read_text())["settings"]["class_index"] == 2
    # From Python, too, and so from the explorer.
    assert evaluate(generator, found, samples=4, reconstructor=False).settings.class_index == 2
    reaches = [measure_reach(generator, found, samples=4, steps=2, **chosen) for chosen in ({}, {"class_index": 2})]
    assert torch.equal(reaches[0].ends, reaches[1].ends) and torch.equal(reaches[0].pace, reaches[1].pace)
    names = [
        suggest_names(generator, found, NamingSettings(samples=2, class_index=chosen), reader=None)
        for chosen in (None, 2)
    ]
    assert names[0] == names[1]
    write_report(tmp_path / "of-python.html", generator, found, ReportSettings(seeds=(1,), steps=2))
    assert ", class 2" in (tmp_path / "of-python.html").read_text()
    # Codes in a file have no class of their own, styles one for good.
    with torch.no_grad():
        z = sample_z(generator, 4, 1)
        np.savez("codes.npz", z=z.numpy())
        np.savez("styles.npz", w=generator.mapping(z, sample_labels(generator, 4, 2, 0)).numpy())
    pictures = []
    for file, *options in (["codes.npz"], ["codes.npz", "--class", "2"], ["styles.npz"]):
        given = ("--latents", file, *options)
        code, _, err = run("render", "-d", "0", "--out", "out.png", "--force", *given)
        assert code == 0, err
        pictures.append((tmp_path / "out.png").read_bytes())
        code, _, err = run("report", "--steps", "2", "--no-evaluate", "--out", "out.html", "--force", *given)
        assert code == 0, err
        assert (", class 2" in (tmp_path / "out.html").read_text()) == (file == "codes.npz")
        code, _, err = run("evaluate", "--force", *given)
        assert code == 0, err
        found_class = json.loads((tmp_path / "evaluation.json").read_text())["settings"]["class_index"]
        assert found_class == (2 if file == "codes.npz" else None)
        code, _, err = run("animate", "-d", "0", "--out", "a.gif", "--force", "--seconds", "0.5", "--fps", "4", *given)
        assert code == 0, err
    assert pictures[0] == pictures[1]


def test_truncation_can_stop_at_a_layer(run, refused, tmp_path):
    generator = load_generator("scenes")
    Directions(torch.eye(generator.w_dim)[:2], torch.ones(2), "w", generator.identity).save("directions.safetensors")
    draw = ["render", "-d", "0", "--seeds", "1", "--steps", "2", "-q", "-o", "out.png", "--force"]
    pictures = []
    for options in ([], ["--truncation-cutoff", generator.num_layers], ["--truncation-cutoff", 1]):
        assert run(*draw, "--truncation", "0.5", *options)[0] == 0
        # Without the caption, which names the cutoff.
        pictures.append(np.asarray(Image.open("out.png"))[:-30])
    assert np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[0], pictures[2])
    report = ["report", "--seeds", "1", "--steps", "2", "--no-evaluate", "-q"]
    assert run(*report, "--truncation", "0.5", "--truncation-cutoff", 3)[0] == 0
    written = Path("report-seeds-1-steps-2-truncation-0.5-truncation-cutoff-3.html").read_text()
    assert "--truncation 0.5 --truncation-cutoff 3" in written and "truncation ψ 0.5 in the first 3 layers" in written
    beyond = generator.num_layers + 1
    for command in (draw, report):
        assert "is out of range" in refused(*command, "--truncation", "0.5", "--truncation-cutoff", beyond)
        assert "no effect without truncation" in refused(*command, "--truncation-cutoff", 3)
        code, _, text = run(*command, "--truncation", "0.5", "--truncation-cutoff", 0)
        assert code == 2 and "0 is not in the range" in text
        # Beyond it, pictures are noise, and numbers overflow.
        assert run(*command, "--truncation", "20")[0] == 2 == run(*command, "--amplitude", "1e6")[0]
    Path("directions.safetensors").unlink()
    assert run("discover", "-g", "blobs", *FAST)[0] == 0
    assert "no styles of layers" in refused("render", "-d", 0, "--truncation", "0.5", "--truncation-cutoff", 1)


def test_the_size_of_large_files_is_told(tmp_path):
    sizes = {"small.gif": 9_000_000, "large.gif": 41_600_000}
    for name, size in sizes.items():
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    told = [with_size(path) for path in (*(tmp_path / name for name in sizes), tmp_path)]
    assert told == [f"{tmp_path}/small.gif", f"{tmp_path}/large.gif (42 MB)", str(tmp_path)]


def test_render_and_report_say_beforehand_that_they_take_long(run, monkeypatch):
    assert run("discover", "--generator", "blobs", *FAST)[0] == 0
    monkeypatch.setattr("ganwalk.generators.timing.seconds_per_latent", lambda *args, **options: 4.0)
    small = ["--seeds", "1-2", "--steps", "2"]
    assert run("render", "-d", 0, *small)[2] == ""
    rendering = "rendering takes about {} minutes on this machine: fewer --steps"
    assert run("render", "-d", 0, "--seeds", "1-8", "--steps", 3)[2] == (
        rendering.format(2) + " or --seeds shorten it\n"
    )
    assert run("render", "-d", "all", "--steps", 10, "--gif", "-o", "all.png")[2] == (
        rendering.format(12) + " shorten it, or no animation\n"
    )
    assert run("render", "-d", 0, "--seeds", "1-8", "--steps", 3, "-q")[2] == ""
    # Three directions, two samples: 2 · (3 · 12 + 1) pictures.
    report = ["report", "--no-evaluate"]
    assert run(*report)[2] == rendering.format(5) + " or --seeds shorten it\n"
    assert run(*report, "-q")[2] == run(*report, *small)[2] == ""
    monkeypatch.setattr("ganwalk.evaluation.plan.seconds_per_latent", lambda *args, **options: 1.0)
    err = run("report", *small)[2]
    assert err.startswith("evaluating takes about") and err.endswith("--no-evaluate leaves it out\n")


def test_results_come_as_json(run):
    assert run("discover", "-g", "blobs", *FAST)[0] == 0
    code, out, _ = run("evaluate", "--samples", 8, "--no-reconstructor", "--json")
    assert code == 0 and len(json.loads(out)["directions"]) == 3
    assert run("name", 1, "smile", "--star")[0] == 0
    code, out, _ = run("name", "--json")
    listed = json.loads(out)
    assert code == 0 and listed["file"] == "ganwalk-out/directions.safetensors"
    assert listed["directions"][1] == {"direction": 1, "name": "smile", "note": "", "starred": True, "hidden": False}
    code, out, _ = run("info", CHECKPOINT, "--json")
    assert code == 0 and json.loads(out)["architecture"].startswith("stylegan2")
    assert run("name", 1, "--json")[0] == 2


def test_fewer_dimensions_than_the_default_of_directions(run):
    code, out, _ = run("discover", "-g", "blobs", "--steps", 1, "--batch", 6)
    assert code == 0 and "note: latents of 6 dimensions: as many directions" in out
    code, _, text = run("discover", "-g", "blobs", "-n", 20, "--force")
    assert code == 2 and "above the 6 dimensions" in text


def test_options_that_mean_nothing_to_the_method_are_named(run):
    code, out, _ = run("discover", "-g", "blobs", "-m", "random", "-n", 2, "--steps", 3, "--per-step", 2, "--scored", 8)
    assert code == 0 and "note: random has a closed form: --steps, --per-step do nothing" in out
    code, out, _ = run("discover", "-g", "blobs", "-n", 2, "--steps", 1, "--batch", 6, "-o", "other")
    assert code == 0 and "closed form" not in out and "no use" not in out
    few = ("-n", 2, "--steps", 1, "--batch", 6, "--polish", 3, "--oblique")
    code, out, _ = run("discover", "-g", "blobs", "-m", "latent-deformator", *few, "-o", "trained")
    assert code == 0 and "note: latent-deformator has no use for --polish\n" in out
    code, out, _ = run("discover", "-g", "blobs", "-m", "hessian", *few, "-o", "optimised")
    assert code == 0 and "note: hessian has no use for --polish, --oblique\n" in out
