"""Reads made-up files until a time is over, and says what was not answered by a value or one clear line in time.

    python -m tools.fuzz --minutes 30
    python -m tools.fuzz --again build/fuzz/failures/FILE

Seeds are the files of tests/golden and what the tests construct. Needs a system with limits on processes.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.fuzz_worker import Attempts, keep_failure, readers
from tools.suite import ROOT

# Seeds of more bytes cost more time than they are worth.
_LARGEST_SEED = 2**18
# A worker that ends so often at once, with nothing read, is broken itself.
_MOST_IDLE = 5
_READERS_OF = {
    ".pkl": ("generator.pkl", "import.pt"),
    ".pt": ("generator.pkl", "import.pt", "checkpoint.pt"),
    ".pth": ("generator.pkl", "import.pt"),
    ".npz": ("import.pt", "latents.npz"),
    ".npy": ("import.pt", "latents.npz"),
    ".safetensors": ("generator.pkl", "import.pt", "directions.safetensors", "encoder.safetensors"),
    ".json": ("settings.json", "scores.json"),
    ".png": ("photo.png",),
    ".jpg": ("photo.png",),
    ".gif": ("photo.png",),
}


def seeds() -> Iterator[tuple[str, bytes]]:
    """Names of readers and what they are given first: the golden files, and what the tests construct."""
    folders = (ROOT / "tests" / "golden", ROOT / "tests" / "files_0_1_0", ROOT / "pretrained", ROOT / "docs")
    for path in sorted(path for folder in folders for path in folder.rglob("*") if path.suffix in _READERS_OF):
        if path.stat().st_size <= _LARGEST_SEED:
            for name in _READERS_OF[path.suffix]:
                yield name, path.read_bytes()
    hostile = importlib.import_module("tests.inert.test_hostile")
    bounds = [importlib.import_module(f"tests.{room}.test_bounds") for room in ("inert", "generators")]
    strangers = importlib.import_module("tests.test_strangers")
    for data in hostile.HOSTILE_FILES.values():
        yield "generator.pkl", data
        yield "import.pt", data
        yield "checkpoint.pt", data
    for make in (make for module in bounds for make in module.SMALL.values()):
        yield "generator.pkl", make()
    for name, make in strangers.SMALL:
        yield name, make()


def fuzz(seconds: float, folder: Path, engine: str, seed: int = 0) -> int:
    """Runs for a time; prints what ran and where failures lie, and returns how many there are.

    Args:
        folder: for seeds and failures; what it holds is kept, and what was found is sought from there on.
        engine: atheris, or mutations.
    """
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    names = sorted(_names())
    for name, data in seeds():
        content = bytes([names.index(name)]) + data
        (folder / "corpus" / f"seed-{hash_of(content)}").write_bytes(content)
    for path in folder.glob("state-*.json"):
        path.unlink()
    restarts = idle = 0
    while (left := seconds - _states(folder).seconds) > 1 and idle < _MOST_IDLE:
        before = _states(folder).counts.total()
        command = [sys.executable, "-m", "tools.fuzz_worker", str(folder), engine, str(seed + restarts), str(left)]
        with (folder / "worker.txt").open("wb") as log:
            ended = subprocess.run(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT).returncode
        newest = max(folder.glob("current-*"), key=lambda path: path.stat().st_mtime_ns, default=None)
        if ended and newest is not None:
            keep_failure(folder, newest.name.removeprefix("current-"), newest.read_bytes(), f"ended by {-ended}")
        idle = idle + 1 if _states(folder).counts.total() == before else 0
        restarts += 1
    found = _states(folder)
    failures = sorted((folder / "failures").iterdir()) if (folder / "failures").is_dir() else []
    kinds = ", ".join(f"{name.partition('.')[0]} {count}" for name, count in sorted(found.counts.items()))
    print(
        f"{found.counts.total()} inputs in {seconds:.0f} s by {engine} ({kinds}), the slowest {found.slowest:.1f} s; "
        f"{len(failures)} failures" + (f" in {folder / 'failures'}" if failures else "")
    )
    if idle == _MOST_IDLE:
        print(f"the reading process ends at once: see {folder / 'worker.txt'}")
        return max(1, len(failures))
    return len(failures)


def again(paths: Sequence[Path], folder: Path) -> int:
    """Reads kept failures once more, in this process and under the same limits; prints what they end in."""
    attempts = Attempts(folder, readers())
    for path in paths:
        attempts.read(path.name.partition("-")[2], path.read_bytes())
    attempts.tell()
    print((folder / "failures.txt").read_text(encoding="utf-8") if (folder / "failures.txt").exists() else "answered")
    return len(list((folder / "failures").iterdir()))


def hash_of(content: bytes) -> str:
    """A short name of content."""
    import hashlib

    return hashlib.sha256(content).hexdigest()[:16]


def _names() -> set[str]:
    return {name for names in _READERS_OF.values() for name in names}


@dataclass(frozen=True)
class _Found:
    """What all reading processes have counted: inputs by reader, and seconds of all and of the slowest input."""

    counts: Counter[str]
    seconds: float
    slowest: float


def _states(folder: Path) -> _Found:
    states = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("state-*.json")]
    counts = sum((Counter(state["counts"]) for state in states), Counter[str]())
    seconds = sum(state["seconds"] for state in states)
    return _Found(counts, seconds, max((state["slowest"] for state in states), default=0.0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 1 if there are failures."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=("atheris", "mutations"))
    parser.add_argument("--again", type=Path, nargs="+", metavar="FILE")
    given = parser.parse_args(arguments)
    if given.again:
        folder = given.out / "again"
        shutil.rmtree(folder, ignore_errors=True)
        return int(again(given.again, folder) > 0)
    engine = given.engine or ("atheris" if importlib.util.find_spec("atheris") else "mutations")
    return int(fuzz(60 * given.minutes, given.out, engine, given.seed) > 0)


if __name__ == "__main__":
    sys.exit(main())
