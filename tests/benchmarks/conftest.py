"""What the tests of benchmarks share."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def load(monkeypatch):
    """Imports a benchmark by name."""

    def call(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        return module

    return call


@pytest.fixture
def main_of(load, monkeypatch, capsys):
    """Runs a benchmark with these arguments, in this process, and returns what it printed."""
    threads = torch.get_num_threads()

    def call(name, *arguments):
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        load(name).main()
        return capsys.readouterr()

    yield call
    torch.set_num_threads(threads)
