"""The wheel holds all that an installed ganwalk needs, the source distribution all that its tests and README need."""

import importlib
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import ganwalk
from ganwalk.generators.loading import shipped_file

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
SCRIPTS = {
    "ganwalk": "ganwalk.__main__:main",
    "ganwalk-vae-train": "vae.train:main",
    "ganwalk-vae-evaluate": "vae.evaluate:main",
    "ganwalk-vae-score": "vae.score:main",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_console_scripts_are_declared_and_can_be_called(name, capsys):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert declared.keys() == SCRIPTS.keys() and declared[name] == SCRIPTS[name]
    module, function = declared[name].split(":")
    with pytest.raises(SystemExit) as caught:
        getattr(importlib.import_module(module), function)(["--help"])
    assert caught.value.code == 0 and "Example: " in capsys.readouterr().out


@pytest.mark.slow
def test_the_wheel_is_complete_and_works_elsewhere(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    assert {
        "ganwalk/commands/options.py",
        "ganwalk/pretrained/scenes.safetensors",
        "vae/data/scene_renderer.py",
    } <= names
    (scripts,) = (name for name in names if name.endswith("/entry_points.txt"))
    declared = (tmp_path / "site" / scripts).read_text()
    assert all(f"{name} = " in declared for name in SCRIPTS)
    assert {"ganwalk/py.typed", "vae/py.typed"} <= names
    assert "ganwalk/pretrained/catalog.toml" in names
    assert {f"ganwalk/rendering/report/{name}" for name in ("page.html", "style.css", "script.js")} <= names
    assert {
        f"ganwalk/explore/{name}" for name in ("style.css", "slider.js", "layers.js", "keys.js", "drop.js")
    } <= names
    assert "ganwalk/pretrained/scenes-predictor.safetensors" in names
    assert not [
        name for name in names if name.startswith(("tests/", "tools/", "pretrained/", "benchmarks/", "examples/"))
    ]
    code = (
        "import ganwalk, torch; from ganwalk.evaluation.scene_predictor import load_predictor; "
        "g = ganwalk.load_generator('scenes'); x = g(torch.zeros(1, g.z_dim)); "
        "print(ganwalk.__file__, tuple(x.shape), load_predictor().predict(x).shape.shape)"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r}); {code}"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith(str(tmp_path / "site")) and "(1, 3, 64, 64) torch.Size([1, 4])" in done.stdout


# Tests of what lies outside of the packages, as pytest names them.
OF_THE_TREE = (
    "tests/test_citation.py::",
    "tests/options/test_fields.py::test_the_docs_have_the_options_as_they_are ",
    "tests/test_readme.py::",
    "tests/benchmarks/test_directions.py::",
    "tests/benchmarks/test_topdis_study.py::",
    "tests/tools/test_check.py::",
)


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    """The root of the unpacked source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder)
    return folder / archive.name.removesuffix(".tar.gz")


@pytest.mark.slow
def test_the_source_distribution_holds_nothing_else(unpacked):
    packed = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    assert [name for name in packed - {"PKG-INFO"} if not (ROOT / name).is_file()] == []
    assert len([name for name in packed if name.startswith("benchmarks/results/")]) < 17


@pytest.mark.slow
def test_the_source_distribution_can_be_tested(unpacked):
    """All tests are collected, and those of the tree run: on its own packages, also where others are installed."""
    names = "test_citation.py or test_the_docs_have_the_options_as_they_are or test_readme.py or test_check.py"
    names += " or (benchmarks and (test_directions.py or test_topdis_study.py))"
    options = ["-p", "no:cacheprovider", "-vv", "-m", "not slow", "-k", names]
    environment = {**os.environ, "PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-m", "pytest", *options]
    ran = subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout
    passed = [line for line in ran.stdout.splitlines() if " PASSED" in line]
    assert [name for name in OF_THE_TREE if not any(line.startswith(name) for line in passed)] == []
    assert [line for line in passed if not line.startswith(OF_THE_TREE)] == []


def test_the_shipped_weights_are_small():
    assert shipped_file("scenes.safetensors").stat().st_size < 8e6


def test_public_names_resolve():
    for name in ganwalk.__all__:
        assert getattr(ganwalk, name) is not None
    assert ganwalk.rtd.rtd is not None
