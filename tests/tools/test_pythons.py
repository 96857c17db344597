"""The run over several Pythons: which are found, which are chosen, what is counted."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from tools import pythons, suite
from tools.pythons import Interpreter, Outcome, choose, find_pythons, main, read_counts, table


def executable(path, script):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def stand_in(path, version):
    """Answers as a Python of that version does."""
    executable(path, f"echo {version} {path}")


@pytest.fixture
def machine(tmp_path):
    """Folders with two Pythons 3.12, a shim that runs nothing, and what is no Python of its name."""
    first, second = tmp_path / "first", tmp_path / "second"
    stand_in(first / "python3.12", "3 12 1")
    stand_in(second / "python3.12", "3 12 9")
    executable(first / "python3.13", "echo 'python3.13: command not found' >&2; exit 127")
    stand_in(first / "python3.10", "3 11 4")
    executable(first / "python3.11", "echo 3 11 4; exit 0")
    executable(second / "python3.14", "echo 3 14 0 $0; exit 1")
    stand_in(second / "python3.9", "3 9 18")
    (second / "python3.11").write_text("not executable")
    return [first, tmp_path / "missing", second]


def test_only_pythons_that_run_and_are_what_they_are_called_are_found(machine):
    assert find_pythons(machine) == {(3, 12): Interpreter((3, 12, 9), machine[2] / "python3.12")}


def test_of_equal_patches_the_first_counts(machine):
    stand_in(machine[0] / "python3.12", "3 12 9")
    stand_in(machine[0] / "python3.13", "3 13 0")
    found = find_pythons(machine)
    assert found[3, 12].path == machine[0] / "python3.12" and list(found) == [(3, 12), (3, 13)]


def test_a_real_python_is_found(tmp_path):
    name = f"python3.{sys.version_info.minor}"
    (tmp_path / name).symlink_to(sys.executable)
    assert find_pythons([tmp_path])[sys.version_info[:2]].version == sys.version_info[:3]


def test_places_are_those_of_the_path_and_of_pyenv(tmp_path, monkeypatch):
    stand_in(tmp_path / "root" / "versions" / "3.13.0" / "bin" / "python3.13", "3 13 0")
    executable(tmp_path / "bin" / "pyenv", f"echo {tmp_path}/root")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert list(pythons.places()) == [tmp_path / "bin", tmp_path / "root" / "versions" / "3.13.0" / "bin"]


def test_choice():
    found = {(3, minor): Interpreter((3, minor, 1), pythons.ROOT) for minor in (10, 11, 13)}
    assert [one.minor for one in choose(found, [])] == [(3, 10), (3, 11), (3, 13)]
    assert [one.minor for one in choose(found, [(3, 13), (3, 10)])] == [(3, 10), (3, 13)]
    assert [one.minor for one in choose(found, [], newer_than=(3, 10))] == [(3, 13)]
    assert choose(found, [], newer_than=(3, 13)) == []
    with pytest.raises(LookupError, match=r"Python 3.12 was not found .* found: 3.10, 3.11, 3.13"):
        choose(found, [(3, 12)])


def test_versions_are_checked(capsys):
    with pytest.raises(SystemExit):
        main(["--python", "3.9"])
    assert "3.9 is not one of 3.10, 3.11, 3.12, 3.13, 3.14" in capsys.readouterr().err
    with pytest.raises(argparse.ArgumentTypeError):
        pythons._minor("newest")


def test_nothing_to_test_is_a_success(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main([]) == 0
    assert capsys.readouterr().out == "no Python from 3.10 to 3.14 was found: nothing to test\n"
    assert main(["--newer-than", str(tmp_path)]) == 2
    assert "is no environment" in capsys.readouterr().out


@pytest.mark.slow
def test_counts_are_those_of_pytest(tmp_path):
    (tmp_path / "test_four.py").write_text(
        "import pytest\n"
        "def test_passes(): pass\n"
        "def test_fails(): assert False\n"
        "def test_skips(): pytest.skip('no reason')\n"
        "def test_errs(missing): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=report.xml", "test_four.py"]
    subprocess.run(command, cwd=tmp_path, capture_output=True)
    assert read_counts(tmp_path / "report.xml") == (1, 2, 1)


@pytest.mark.slow
def test_a_run_of_this_python(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(suite, "ROOT", tmp_path)
    (tmp_path / "test_two.py").write_text(
        "import os, pytest\n"
        "def test_has_one_thread(): assert os.environ['OMP_NUM_THREADS'] == '1'\n"
        "@pytest.mark.slow\n"
        "def test_fails(): assert False\n"
    )
    name = f"python3.{sys.version_info.minor}"
    (tmp_path / name).symlink_to(sys.executable)
    options = ["--environments", str(tmp_path / "environments"), "--no-install"]
    assert main(options) == 1
    assert "there is no environment" in capfd.readouterr().out
    # A link would lose the packages of the environment that it points into.
    executable(tmp_path / "environments" / name / "bin" / "python", f'exec {sys.executable} "$@"')
    assert main([*options, "--tier", "fast", "--", "test_two.py"]) == 0
    row = capfd.readouterr().out.splitlines()[-1].split()
    assert row[0] == ".".join(map(str, sys.version_info[:3])) and row[2:5] == ["1", "0", "0"]
    assert main([*options, "--", "test_two.py"]) == 1
    assert capfd.readouterr().out.splitlines()[-1].endswith("pytest exited with 1")


def test_the_table_tells_what_failed():
    lines = table([Outcome("3.10.1", "2.9.0", 12, 0, 1, 61.4), Outcome("3.11.2", trouble="no room")]).splitlines()
    assert lines[1].split() == ["3.10.1", "2.9.0", "12", "0", "1", "1:01", "min"]
    assert lines[2].startswith("3.11.2   -") and lines[2].endswith("  no room")


def test_an_environment_is_made_once_and_anew_when_something_changed(tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(pythons.subprocess, "run", lambda command, **_: ran.append([str(part) for part in command]))
    there = {"python": None}
    monkeypatch.setattr(pythons, "probe", lambda path: there["python"])
    monkeypatch.setattr(pythons, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").write_text("one")
    environment = tmp_path / "python3.12"
    environment.mkdir()
    python = Interpreter((3, 12, 1), tmp_path / "python")
    pythons.install(python, environment)
    assert [command[2] for command in ran] == ["venv", "pip"] and "eager" in ran[1] and "-c" not in ran[1]
    there["python"] = python
    pythons.install(python, environment)
    assert len(ran) == 2
    (tmp_path / "pyproject.toml").write_text("two")
    pythons.install(python, environment)
    assert [command[2] for command in ran[2:]] == ["pip"]
    pythons.install(Interpreter((3, 12, 2), python.path), environment)
    assert [command[2] for command in ran[3:]] == ["venv", "pip"]


def test_the_lowest_dependencies_go_into_an_environment_of_their_own(tmp_path, monkeypatch):
    interpreter = Interpreter((3, 10, 1), tmp_path / "python")
    newer = Interpreter((3, 13, 1), tmp_path / "python")
    monkeypatch.setattr(pythons, "places", tuple)
    monkeypatch.setattr(pythons, "find_pythons", lambda folders: {(3, 10): interpreter, (3, 13): newer})
    monkeypatch.setattr(pythons, "probe", lambda path: interpreter)
    monkeypatch.setattr(pythons, "lowest_pins", lambda python: f"numpy=={python[1]}.0\n")
    monkeypatch.setattr(pythons, "run_on", lambda python, *rest: Outcome(str(python), passed=1))
    ran = []
    monkeypatch.setattr(pythons.subprocess, "run", lambda command, **_: ran.append([str(part) for part in command]))
    (tmp_path / "python3.10-lowest").mkdir()
    assert main(["--lowest", "--environments", str(tmp_path)]) == 0
    (installed,) = ran
    pins = tmp_path / "python3.10-lowest" / "lowest.txt"
    assert pins.read_text() == "numpy==10.0\n"
    assert installed[-5:] == [":all:", "-c", str(pins), "-e", ".[dev]"] and "--upgrade" not in installed


def test_an_environment_that_cannot_be_made_is_told_from_failing_tests(monkeypatch, capsys):
    interpreter = Interpreter((3, 13, 1), Path(sys.executable))
    monkeypatch.setattr(pythons, "find_pythons", lambda folders: {(3, 13): interpreter, (3, 12): interpreter})

    def no_connection(*rest):
        raise subprocess.CalledProcessError(1, "pip")

    monkeypatch.setattr(pythons, "install", no_connection)
    assert main([]) == pythons.UNTESTED
    assert "could not be made" in capsys.readouterr().out
    outcomes = iter([subprocess.CalledProcessError(1, "pip"), None])

    def one_of_two(*rest):
        error = next(outcomes)
        if error is not None:
            raise error

    monkeypatch.setattr(pythons, "install", one_of_two)
    monkeypatch.setattr(pythons, "probe", lambda path: interpreter)
    monkeypatch.setattr(pythons, "run_on", lambda *rest: pythons.Outcome("3.13.1", failed=1, trouble="pytest"))
    assert main([]) == 1
