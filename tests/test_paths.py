"""No command waits for what only looks like a file: each is given a pipe, and more, in place of every text it takes.

The options are those that the commands have: a new one is covered as soon as it is there.
"""

import os
import socket
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from PIL import Image

from ganwalk.commands import group
from ganwalk.directions import Directions
from ganwalk.generators.loading import load_generator
from vae.evaluate import command as evaluate_command
from vae.score import command as score_command
from vae.train import command as train_command

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")

BLOBS = {"directions_path": "GOOD"}
NEW = {"out": "new.safetensors"}
# Quick, and what a command needs beside the option that is tried.
LINES = {
    "ganwalk discover": {"name": "blobs", "settings_method": "random", "settings_n_directions": "1", "out": "new"},
    "ganwalk project": {"photos": "PHOTO", "name": "blobs", "settings_steps": "1", "settings_candidates": "8"},
    "ganwalk render": {**BLOBS, "direction": "0", "out": "new.png"},
    "ganwalk animate": {**BLOBS, "direction": "0", "settings_seconds": "0.5", "out": "new.gif"},
    "ganwalk explore": {"source": "GOOD", "port": "0", "opened": False},
    "ganwalk report": {**BLOBS, "out": "new.html"},
    "ganwalk evaluate": {**BLOBS, "settings_samples": "8", "out": "new"},
    "ganwalk encode": {"pictures": "PHOTO", **BLOBS, "encoder_path": "GOOD", "out": "new.npz"},
    "ganwalk compare": {"name": "blobs", "methods_text": "random", "seeds": "1", "scoring_samples": "8", "out": "new"},
    "ganwalk name": {"direction": "0", "name": "smile", "path": "GOOD"},
    "ganwalk reach": {**BLOBS, "settings_samples": "8"},
    "ganwalk directions combine": {"edit": "0=1", **BLOBS, **NEW},
    "ganwalk directions orthogonalise": {"direction": "0", "against": "1", **BLOBS, **NEW},
    "ganwalk directions flip": {"which": "0", **BLOBS, **NEW},
    "ganwalk directions select": {"which": "0", **BLOBS, **NEW},
    "ganwalk directions merge": {"files": "GOOD", **NEW},
    "ganwalk directions channels": {"which": "0:0", "name": "scenes", **NEW},
    "ganwalk import": {"source": "GOOD", "name": "blobs", **NEW},
    "ganwalk export": {"target": "new.npz", "path": "GOOD"},
    "ganwalk convert": {"source": "GOOD", "target": "new.safetensors"},
    "ganwalk info": {"file": "scenes"},
    "ganwalk models": {},
    "ganwalk rtd": {"files": "CODES"},
    "vae.train": {"steps": "1", "metrics": "none", "look_every": "0", "out": "new"},
    "vae.evaluate": {"runs": "new"},
    "vae.score": {"files": "CODES", "out": "new"},
}
# Of those that look at it first.
SUFFIXES = {"ganwalk rtd": ".npy", "vae.score": ".npy"}
# What else has to be typed so that an option is looked at.
AUTO = {"auto": True, "direction": None, "name": None}
BESIDE = {
    ("ganwalk discover", "classifier"): {"settings_method": "interfacegan"},
    ("ganwalk name", "generator"): AUTO,
    ("ganwalk name", "classifier"): AUTO,
    ("vae.train", "data_root"): {"dataset": "celeba"},
    ("ganwalk explore", "against"): {"name": "blobs"},
}
# Where results go, and folders, of which other things are said than of files.
OUTPUTS, FOLDERS = {"out", "target"}, {"data_root", "runs"}
# Texts in which a file can be named that click takes for any text.
NAMED = {"name", "file", "generator"}
# Directions in codes are of any network.
NOT_LOOKED_AT = {
    ("ganwalk directions combine", "name"),
    ("ganwalk directions orthogonalise", "name"),
    ("ganwalk export", "name"),
}


def commands(command, path):
    """All commands below one, by what is typed."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, f"{path} {name}")
    else:
        yield path, command


ALL = dict(commands(group, "ganwalk")) | {
    "vae.train": train_command,
    "vae.evaluate": evaluate_command,
    "vae.score": score_command,
}
TAKES_NO_TEXT = (click.Choice, click.IntRange, click.FloatRange, type(click.INT), type(click.FLOAT), type(click.BOOL))
OPTIONS = [
    (path, parameter.name)
    for path, command in ALL.items()
    for parameter in command.params
    if not isinstance(parameter.type, TAKES_NO_TEXT)
]


def is_input(path, parameter):
    """Whether an option or argument is a file that is read."""
    if (path, parameter.name) in NOT_LOOKED_AT:
        return False
    typed = isinstance(parameter.type, click.Path) or "FILE" in (parameter.metavar or "") or parameter.name in NAMED
    called = isinstance(parameter, click.Argument) and parameter.name == "name"
    return typed and not called and parameter.name not in OUTPUTS | FOLDERS and "--name" not in parameter.opts


def line_of(path, /, **changed):
    """What is typed: values by name of the option or argument."""
    given = LINES[path] | {key: value for name in changed for key, value in BESIDE.get((path, name), {}).items()}
    given |= changed
    words, arguments = [], []
    for parameter in ALL[path].params:
        if parameter.name not in given:
            continue
        value = given[parameter.name]
        if isinstance(parameter, click.Argument):
            arguments += [] if value is None else [value] * (2 if parameter.nargs < 0 else 1)
        elif isinstance(value, bool):
            words.append((parameter.opts if value else parameter.secondary_opts)[0])
        else:
            words += [parameter.opts[0], value]
    assert given.keys() <= {parameter.name for parameter in ALL[path].params}
    return [*path.split(), *words, "--", *arguments]


def strange(folder, kind, suffix=".safetensors"):
    """A path at which there is no regular file."""
    path = folder / f"strange{suffix}"
    target = folder / "target"
    if kind.endswith("pipe"):
        os.mkfifo(target)
    elif kind.endswith("socket"):
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(target))
    else:
        target = Path("/dev/zero")
    if kind.startswith("link"):
        path.symlink_to(target)
    else:
        target.rename(path)
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Directions of blobs, a picture, and an array of codes."""
    folder = tmp_path_factory.mktemp("good")
    generator = load_generator("blobs")
    vectors = torch.eye(generator.z_dim)[:2]
    path = folder / "directions.safetensors"
    Directions(vectors, torch.ones(2), "z", generator.identity, None, "random", {}, 0, "").save(path)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(folder / "photo.png")
    np.save(folder / "codes.npy", np.arange(120).reshape(60, 2) % 7)
    return {"GOOD": str(path), "PHOTO": str(folder / "photo.png"), "CODES": str(folder / "codes.npy")}


def typed(words, good, folder, path):
    """With the paths of files in their places."""
    places = {**good, "STRANGE": str(path)}
    return [str(folder / word) if word.startswith("new") else places.get(word, word) for word in words]


def test_every_command_has_a_line():
    assert LINES.keys() == ALL.keys()
    assert len(OPTIONS) > 100


@pytest.mark.parametrize(("path", "name"), OPTIONS)
def test_no_option_waits_for_a_pipe(measure, tmp_path, good, path, name):
    pipe = strange(tmp_path, "pipe", SUFFIXES.get(path, ".safetensors"))
    words = line_of(path, **{name: "STRANGE"})
    said = measure(typed(words, good, tmp_path, pipe), "command")
    (parameter,) = (parameter for parameter in ALL[path].params if parameter.name == name)
    if is_input(path, parameter):
        assert "not a regular file" in said
    elif isinstance(parameter.type, click.Path):
        assert said
    assert pipe.is_fifo()


INPUTS = [(path, p.name) for path, command in ALL.items() for p in command.params if is_input(path, p)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["socket", "link to a pipe", "link to a device"])
@pytest.mark.parametrize(("path", "name"), INPUTS)
def test_no_input_is_anything_but_a_file(measure, tmp_path, good, path, name, kind):
    there = strange(tmp_path, kind, SUFFIXES.get(path, ".safetensors"))
    words = typed(line_of(path, **{name: "STRANGE"}), good, tmp_path, there)
    assert "not a regular file" in measure(words, "command")


RESUMED = {
    "ganwalk discover": ("new/checkpoint.pt", {"settings_method": "rtd", "resume": True}),
    "ganwalk project": ("new/photo.checkpoint.pt", {"out": "new", "resume": True}),
    "ganwalk compare": ("new/runs/random-0/run.json", {"resume": True}),
    "vae.train": ("new/checkpoint.pt", {"resume": True}),
    "vae.evaluate": ("new/model.safetensors", {}),
    "ganwalk encode": ("new/encoder.safetensors", {"encoder_path": "new/encoder.safetensors"}),
}


@pytest.mark.slow
@pytest.mark.parametrize("path", RESUMED)
def test_nothing_waits_for_a_pipe_in_the_folder_of_a_run(measure, tmp_path, good, path):
    name, more = RESUMED[path]
    pipe = tmp_path / name
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    assert measure(typed(line_of(path, **more), good, tmp_path, pipe), "command")
    assert pipe.is_fifo()
