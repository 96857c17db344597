"""Runs the quick tests of what changed: the last part of `make check`, after lint and types.

What changed is what is not committed, and the commits that the upstream branch lacks; without an upstream, the last
commit. Tests mirror the rooms: a change in ganwalk/generators runs tests/generators.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from tools.suite import NO_TESTS, ROOT, run_suite

TESTS = PurePosixPath("tests")
# What any test may depend on.
_FOR_ALL = {PurePosixPath(name) for name in ("pyproject.toml", "constraints.txt", "tests/conftest.py")}


def changed_files(root: Path) -> tuple[str, list[PurePosixPath]]:
    """What the changes are counted from, and the files that changed, deleted ones among them.

    Raises:
        subprocess.CalledProcessError: the folder is no checkout of git, or has no commit.
    """
    since, base = _base(root)
    names = _git(root, "diff", "--name-only", "--no-renames", "-z", base).split("\0")
    names += _git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    return since, sorted({PurePosixPath(name) for name in names if name})


def needed_tests(path: PurePosixPath, root: Path) -> set[PurePosixPath]:
    """Folders and files of tests that a change of a file calls for.

    Args:
        path: relative to the root; it may have been deleted.
        root: of the checkout.
    """
    if path in _FOR_ALL:
        return {TESTS}
    if path.parts[0] == "tests":
        if path.match("test_*.py"):
            return _existing(root, path)
        # A helper, or data: for the tests beside it.
        return {path.parent if any((root / path.parent).glob("test_*.py")) else TESTS}
    if path.suffix == ".md":
        return _existing(root, TESTS / "test_readme.py")
    if path.suffix == ".png" or path.parts[0].startswith(".") or len(path.parts) == 1:
        return set()
    # Tests mirror ganwalk's rooms, and other packages whole.
    *folders, name = path.parts[1:] if path.parts[0] == "ganwalk" else path.parts
    while folders:
        room = TESTS.joinpath(*folders)
        if (root / room).is_dir():
            return {room}
        name = folders.pop()
    return _existing(root, TESTS / f"test_{name.removesuffix('.py')}.py") or top_level(root)


def top_level(root: Path) -> set[PurePosixPath]:
    """The tests of no room."""
    return {TESTS / path.name for path in (root / TESTS).glob("test_*.py")}


def without_nested(paths: Iterable[PurePosixPath]) -> list[PurePosixPath]:
    """Sorted, without those that lie inside others."""
    kept: list[PurePosixPath] = []
    for path in sorted(paths):
        if not any(other in (path, *path.parents) for other in kept):
            kept.append(path)
    return kept


def main() -> int:
    """Runs the tests; returns the exit code."""
    try:
        since, changed = changed_files(ROOT)
    except (OSError, subprocess.CalledProcessError):
        print(f"{ROOT} is no checkout of git, which would tell what changed: make test")
        return 2
    if not changed:
        print(f"nothing changed since {since}: no tests to run")
        return 0
    tests = without_nested(set().union(*(needed_tests(path, ROOT) for path in changed)))
    if not tests:
        print(f"no tests for what changed since {since}")
        return 0
    print(f"tests of what changed since {since}: {' '.join(map(str, tests))}", flush=True)
    code = run_suite(Path(sys.executable), "fast", [str(path) for path in tests])
    if code == NO_TESTS:
        print("all of them are slow: make test")
        return 0
    return code


def _base(root: Path) -> tuple[str, str]:
    """Where the changes begin: its name, and its commit or tree."""
    try:
        upstream = _git(root, "rev-parse", "--abbrev-ref", "@{upstream}").strip()
        return upstream, _git(root, "merge-base", "HEAD", upstream).strip()
    except subprocess.CalledProcessError:
        pass
    try:
        return "the last commit but one", _git(root, "rev-parse", "--verify", "HEAD~1").strip()
    except subprocess.CalledProcessError:
        # The tree of a checkout with no file: a first commit changes everything.
        return "the beginning", _git(root, "hash-object", "-t", "tree", "--stdin").strip()


def _git(root: Path, *arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=root, input="", capture_output=True, text=True, check=True).stdout


def _existing(root: Path, path: PurePosixPath) -> set[PurePosixPath]:
    return {path} if (root / path).exists() else set()


if __name__ == "__main__":
    sys.exit(main())
