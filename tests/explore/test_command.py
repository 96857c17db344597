"""`ganwalk explore` before it serves: what cannot be is one line with a remedy."""

import socket
import sys

import numpy as np
import pytest
import torch

from ganwalk.directions import Directions
from ganwalk.explore.sides import choose_sides
from ganwalk.generators.loading import load_generator

pytest.importorskip("nicegui")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a directions file, and one of another generator."""
    for name in ("blobs", "scenes"):
        generator = load_generator(name)
        d = generator.w_dim if generator.style_based else generator.z_dim
        space = "w" if generator.style_based else "z"
        (tmp_path / name).mkdir()
        Directions(torch.eye(d)[:3], torch.ones(3), space, generator.identity).save(
            tmp_path / name / "directions.safetensors"
        )
    monkeypatch.chdir(tmp_path / "blobs")
    np.savez("styles.npz", w=np.ones((1, 6), np.float32))
    return tmp_path


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--against", "nobody"], "closed form: local, random, pca, sefa, jacobian"),
        (["--against", "rtd"], "closed form"),
        (["--against", "../scenes/directions.safetensors"], "another generator"),
        (["--directions", "random"], "give --generator"),
        (["--directions", "hessian", "-g", "blobs"], "closed form"),
        (["--directions", "nowhere.safetensors"], "does not exist"),
        (["--latents", "nowhere.npz"], "does not exist: check --latents"),
        (["--latents", "styles.npz"], "this generator has none: give its latent codes z"),
        (["--token", "short"], "at least 12"),
        (["--host", "192.0.2.1"], "choose another --port"),
        (["--host", "no such host"], "choose another --port"),
    ],
)
def test_what_cannot_be_served_is_one_line(here, run, options, message):
    code, _, err = run("explore", "--no-open", *options)
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1


def test_a_port_that_is_taken_is_one_line(here, run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = run("explore", "--no-open", "--port", taken.getsockname()[1])
    assert code == 2 and "choose another --port, 0 for any" in err


def test_without_nicegui_the_remedy_is_named(here, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "nicegui", None)
    code, _, err = run("explore")
    assert code == 2 and "pip install nicegui" in err


def test_a_generator_that_is_there_is_not_loaded_again(here, monkeypatch):
    generator = load_generator("blobs")
    monkeypatch.setattr("ganwalk.generators.loading.load_generator", None)
    assert choose_sides("pca", None, None, "cpu", loaded=generator)[0] is generator
    assert choose_sides("directions.safetensors", None, None, "cpu", loaded=generator)[0] is generator
    other = str(here / "scenes" / "directions.safetensors")
    assert choose_sides(other, None, None, "cpu", loaded=generator)[0].identity.reference == "scenes"


@pytest.mark.slow
def test_methods_need_no_file(here):
    generator, (a, b) = choose_sides("random", "pca", "scenes", "cpu")
    assert a.path is b.path is None and len(a.directions) == len(b.directions) == 20
    assert (a.directions.method, b.directions.method) == ("random", "pca")
    a.directions.check(generator)


def test_files_are_compared_with_files(here):
    file = "directions.safetensors"
    _, (a, b) = choose_sides(file, str(here / "blobs" / file), None, "cpu")
    assert a.path is not None and b.path is not None
    assert a.directions.fingerprint() == b.directions.fingerprint()
