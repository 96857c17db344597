"""The lower bounds of dependencies: what is stated for a Python, and what is untrue."""

import subprocess

import pytest
from packaging.version import Version

from tools import bounds
from tools.bounds import main, stated_bounds, untrue_bounds
from tools.suite import SUPPORTED, UNTESTED

PROJECT = {
    "dependencies": ["numpy>=1.26", "numpy>=2.1; python_version >= '3.13'", "tomli>=2.0; python_version < '3.11'"],
    "optional-dependencies": {"ui": ["nicegui>=3.15"]},
}


def test_of_the_bounds_for_a_python_the_highest_counts():
    assert stated_bounds(PROJECT, (3, 10)) == {
        "numpy": Version("1.26"),
        "tomli": Version("2"),
        "nicegui": Version("3.15"),
    }
    assert stated_bounds(PROJECT, (3, 13)) == {"numpy": Version("2.1"), "nicegui": Version("3.15")}


def test_a_bound_without_wheels_is_untrue():
    stated = stated_bounds(PROJECT, (3, 12))
    pins = "idna==3.10\nnicegui==3.15.0\nnumpy=={}\n"
    assert untrue_bounds(stated, pins.format("1.26.0")) == []
    assert untrue_bounds(stated, pins.format("1.26.2 ; python_version < '4'")) == [
        "numpy>=1.26 has no wheel: the lowest that has is 1.26.2"
    ]


def test_every_supported_python_is_asked(monkeypatch, capsys):
    true = {python: "".join(f"{name}=={bound}\n" for name, bound in _stated(python).items()) for python in SUPPORTED}
    monkeypatch.setattr(bounds, "lowest_pins", true.__getitem__)
    assert main() == 0
    assert capsys.readouterr().out.count("every bound has wheels") == len(SUPPORTED)
    true[3, 13] = true[3, 13].replace("numba==", "numba==1")
    assert main() == 1
    assert "Python 3.13: numba>=0.61 has no wheel: the lowest that has is 10.61" in capsys.readouterr().out


def test_without_a_connection_nothing_is_said_of_bounds(monkeypatch):
    def no_connection(python):
        raise subprocess.CalledProcessError(2, "uv")

    monkeypatch.setattr(bounds, "lowest_pins", no_connection)
    assert main() == UNTESTED


def _stated(python):
    project = bounds.tomllib.loads((bounds.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return stated_bounds(project, python)


@pytest.mark.parametrize("python", SUPPORTED)
def test_every_dependency_has_a_bound(python):
    assert {"numpy", "torch", "sphinx"} <= _stated(python).keys()
