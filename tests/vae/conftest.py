"""What the tests of vae share."""

import os

import pytest

from vae.evaluate import main as evaluate_main
from vae.score import main as score_main
from vae.train import main as train_main


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory):
    """Of all workers of pytest-xdist, whose own folders lie in one; the cache has locks."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cache"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(autouse=True)
def cache(shared_cache, monkeypatch):
    """The cache folder, apart from the user's and shared by all tests: what is cast once is enough."""
    monkeypatch.setenv("GANWALK_CACHE", str(shared_cache))
    monkeypatch.setenv("NO_PROXY", "*")
    return shared_cache


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache folder for one test."""
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "datasets"


@pytest.fixture
def vae_run(capsys):
    """Runs vae.train, vae.evaluate or vae.score and returns exit code, output and error text."""

    def call(program, *arguments):
        capsys.readouterr()
        main = {"train": train_main, "evaluate": evaluate_main, "score": score_main}[program]
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return caught.value.code, captured.out, captured.err

    return call
