"""The tests that a change calls for."""

import subprocess
from pathlib import PurePosixPath

import pytest

from tools import check
from tools.check import changed_files, needed_tests, top_level, without_nested
from tools.suite import NO_TESTS, ROOT


@pytest.mark.parametrize(
    ("changed", "tests"),
    [
        ("ganwalk/rtd/loss.py", "tests/rtd"),
        ("ganwalk/inert/tensors.py", "tests/inert"),
        ("ganwalk/generators/checkpoints/stored.py", "tests/generators"),
        ("ganwalk/explore/style.css", "tests/explore"),
        ("ganwalk/commands/discover.py", "tests/test_commands.py"),
        ("ganwalk/samples.py", "tests/test_samples.py"),
        ("vae/topdis.py", "tests/vae"),
        ("vae/training/step.py", "tests/vae/training"),
        ("vae/metrics/mig.py", "tests/vae/metrics"),
        ("tools/check.py", "tests/tools"),
        ("benchmarks/rtd.py", "tests/benchmarks"),
        ("README.md", "tests/test_readme.py"),
        ("docs/explorer.md", "tests/test_readme.py"),
        ("tests/rtd/test_loss.py", "tests/rtd/test_loss.py"),
        ("tests/vae/squares.py", "tests/vae"),
        ("tests/golden/metrics.json", "tests"),
        ("tests/conftest.py", "tests"),
        ("pyproject.toml", "tests"),
    ],
)
def test_a_change_calls_for_the_tests_of_its_room(changed, tests):
    assert needed_tests(PurePosixPath(changed), ROOT) == {PurePosixPath(tests)}
    assert (ROOT / tests).exists()


def test_what_has_no_tests_of_its_own_calls_for_the_top_level():
    found = needed_tests(PurePosixPath("ganwalk/__init__.py"), ROOT)
    assert found == top_level(ROOT) and PurePosixPath("tests/test_package.py") in found


@pytest.mark.parametrize("name", ["docs/explore.png", "LICENSE", ".ci/run", "tests/rtd/test_that_was_deleted.py"])
def test_some_changes_need_no_tests(name):
    assert needed_tests(PurePosixPath(name), ROOT) == set()


def test_no_test_runs_twice():
    paths = [PurePosixPath(name) for name in ("tests/vae/metrics", "tests/vae", "tests/vae", "tests/rtd/test_loss.py")]
    assert without_nested(paths) == [PurePosixPath("tests/rtd/test_loss.py"), PurePosixPath("tests/vae")]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout with one commit, and a function that runs git in it."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(check, "ROOT", tmp_path)
    root = tmp_path / "checkout"
    root.mkdir()

    def git(*arguments):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)

    git("init", "-q", "-b", "main")
    for name in ("first", "moved"):
        (root / name).write_text(name * 20)
    git("add", "-A")
    git("commit", "-qm", "first")
    return root, git


def names(root):
    since, files = changed_files(root)
    return since, [str(path) for path in files]


def test_without_an_upstream_the_last_commit_counts(checkout):
    root, git = checkout
    assert names(root) == ("the beginning", ["first", "moved"])
    (root / "a b").write_text("new")
    git("add", "-A")
    git("commit", "-qm", "second")
    assert names(root) == ("the last commit but one", ["a b"])
    (root / "untracked ü").write_text("new")
    (root / ".gitignore").write_text("ignored\n")
    (root / "ignored").write_text("new")
    git("rm", "-q", "first")
    git("mv", "moved", "there")
    assert names(root)[1] == [".gitignore", "a b", "first", "moved", "there", "untracked ü"]


def test_with_an_upstream_what_it_lacks_counts(checkout, tmp_path, monkeypatch, capsys):
    root, git = checkout
    git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    git("remote", "add", "origin", str(tmp_path / "bare"))
    git("fetch", "-q", "origin")
    git("branch", "-q", "--set-upstream-to", "origin/main")
    assert names(root) == ("origin/main", [])
    monkeypatch.setattr(check, "ROOT", root)
    assert check.main() == 0
    assert capsys.readouterr().out == "nothing changed since origin/main: no tests to run\n"
    for name in ("second", "third"):
        (root / name).write_text(name)
        git("add", "-A")
        git("commit", "-qm", name)
    assert names(root) == ("origin/main", ["second", "third"])


def test_the_tests_of_the_change_run(checkout, monkeypatch, capsys):
    root, _ = checkout
    monkeypatch.setattr(check, "ROOT", root)
    assert check.main() == 0
    assert capsys.readouterr().out == "no tests for what changed since the beginning\n"
    (root / "tests" / "rtd").mkdir(parents=True)
    for name in ("test_a.py", "test_b.py"):
        (root / "tests" / "rtd" / name).write_text("")
    ran = []

    def run_suite(python, tier, arguments):
        ran.append((tier, arguments))
        return codes.pop()

    codes = [NO_TESTS, 1, 0]
    monkeypatch.setattr(check, "run_suite", run_suite)
    assert [check.main() for _ in range(3)] == [0, 1, 0]
    assert ran == [("fast", ["tests/rtd/test_a.py", "tests/rtd/test_b.py"])] * 3
    assert "all of them are slow" in capsys.readouterr().out


def test_without_git_there_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(check, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert check.main() == 2
    assert "is no checkout of git" in capsys.readouterr().out
