"""A process that reads made-up files, one after the other, until its time is over or one of them ends it.

Inputs come from atheris, guided by which code they reach, where it is installed; else seeds are damaged at random.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import random
import resource
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# Seconds of CPU and bytes that SECURITY.md promises; what a file holds itself is allowed twice.
SECONDS, BYTES = 10, 2**30
_LONGEST_LINE = 700
_STATE_EVERY = 2.0
_MAX_INPUT = 2**18

Reader = Callable[[Path], object]


def readers() -> dict[str, Reader]:
    """What reads files of strangers, by name; the names end in the suffix that files get."""
    from ganwalk.directions import Directions
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.errors import GanwalkError
    from ganwalk.evaluation.representation.encoder import Encoder
    from ganwalk.evaluation.stored import load_evaluation
    from ganwalk.generators.loading import load_generator
    from ganwalk.inert.pickle_reader import PickleError
    from ganwalk.interchange import import_directions
    from ganwalk.interchange.latents import read_latents
    from ganwalk.options.files import load_settings
    from ganwalk.pictures.photos import read_photo
    from ganwalk.resuming.states import read_state

    scenes = load_generator("scenes")
    directions = Directions.load(_directions(scenes))

    def resumed(path: Path) -> None:
        # Each run says in words of its own what it cannot continue from.
        try:
            read_state(path)
        except (PickleError, OSError) as error:
            raise GanwalkError("not a checkpoint") from error

    return {
        "generator.pkl": load_generator,
        "import.pt": lambda path: import_directions(path, scenes, reading="rows"),
        "latents.npz": lambda path: read_latents(path),
        "directions.safetensors": Directions.load,
        "encoder.safetensors": Encoder.load,
        "checkpoint.pt": resumed,
        "photo.png": lambda path: read_photo(path, 64),
        "settings.json": lambda path: load_settings(DiscoverySettings, path),
        "scores.json": lambda path: load_evaluation(path, directions),
    }


def _directions(generator: Any) -> Path:
    import tempfile

    import torch

    from ganwalk.directions import Directions

    path = Path(tempfile.mkdtemp()) / "directions.safetensors"
    Directions(torch.eye(generator.w_dim)[:2], torch.ones(2), "w", generator.identity).save(path)
    return path


class Attempts:
    """Reads inputs under limits, and keeps those that are answered by anything but the value or one clear line.

    Args:
        folder: for failures, for what is being read (which a killed process leaves), and for counts.
    """

    def __init__(self, folder: Path, readers: dict[str, Reader]):
        self.folder, self.readers = folder, readers
        self.names = sorted(readers)
        self.counts: Counter[str] = Counter()
        self.slowest = 0.0
        self._began = self._written = time.monotonic()
        self._seen: set[str] = set()
        (folder / "failures").mkdir(parents=True, exist_ok=True)

    def read(self, name: str, data: bytes) -> None:
        """One input."""
        path = self.folder / f"current-{name}"
        path.write_bytes(data)
        began = _cpu()
        _limit(began, len(data))
        reason = self._reason(name, path)
        spent = _cpu() - began
        self.slowest = max(self.slowest, spent)
        self.counts[name] += 1
        if reason is not None and reason not in self._seen:
            # The same failure has many inputs.
            self._seen.add(reason)
            keep_failure(self.folder, name, data, reason)
        if time.monotonic() - self._written > _STATE_EVERY:
            self.tell()

    def tell(self) -> None:
        """Writes the counts."""
        self._written = time.monotonic()
        facts = {"counts": self.counts, "slowest": self.slowest, "seconds": self._written - self._began}
        (self.folder / f"state-{os.getpid()}.json").write_text(json.dumps(facts), encoding="utf-8")

    def _reason(self, name: str, path: Path) -> str | None:
        """Why the answer is none; None for a good one."""
        from ganwalk.errors import GanwalkError

        try:
            self.readers[name](path)
        except GanwalkError as error:
            said = str(error)
            if "\n" in said or len(said) > _LONGEST_LINE + len(str(path)):
                return f"no clear line: {said!r:.200}"
        except MemoryError:
            return "more than 1 GB of memory"
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            place = next((f for f in reversed(frames) if "ganwalk" in Path(f.filename).parts), frames[-1])
            return f"{type(error).__name__} in {Path(place.filename).name}, line {place.lineno}: {error!s:.200}"
        return None


def keep_failure(folder: Path, name: str, data: bytes, reason: str) -> None:
    """Keeps an input that was not answered, to be read again with --again, and what happened."""
    path = folder / "failures" / f"{hashlib.sha256(data).hexdigest()[:12]}-{name}"
    path.write_bytes(data)
    with (folder / "failures.txt").open("a", encoding="utf-8") as file:
        file.write(f"{path}: {' '.join(reason.split())}\n")


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _limit(used: float, size: int) -> None:
    """Lets the next input take no more than what is promised; beyond the CPU time the process is killed."""
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + SECONDS + 1, resource.RLIM_INFINITY))
    with suppress(OSError):
        pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[0])
        resource.setrlimit(
            resource.RLIMIT_AS, (pages * resource.getpagesize() + BYTES + 2 * size, resource.RLIM_INFINITY)
        )


def damaged(data: bytes, other: bytes, rng: random.Random) -> bytes:
    """A copy with bytes changed, removed, repeated or swapped, with a part of another file, or with its end cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        # What describes the rest is at the ends.
        reach = rng.choice([64, 4096, len(changed)])
        at = rng.randrange(min(reach, len(changed)) + 1)
        at = at if rng.random() < 0.7 else len(changed) - at
        length = rng.choice([1, 1, 4, 8, 30, 200])
        kind = rng.randrange(8)
        if kind == 0:
            changed[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 1 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 2:
            del changed[at : at + length]
        elif kind == 3:
            changed[at:at] = changed[at : at + length] * rng.choice([1, 1, 50])
        elif kind == 4:
            changed[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", bytes(4), b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80"])
        elif kind == 5:
            changed[at:at] = rng.choice([b"R", b"b", b"0", b"2", b"\x81", b"h\x00", b"(", b"t", b"Q", b"u", b".", b"["])
        elif kind == 6 and other:
            start = rng.randrange(len(other))
            changed[at : at + length] = other[start : start + length]
        elif rng.random() < 0.1:
            del changed[at:]
    return bytes(changed[:_MAX_INPUT])


def damage_seeds(attempts: Attempts, seeds: Sequence[tuple[str, bytes]], seed: int, until: float) -> None:
    """Damages seeds at random until a time."""
    rng = random.Random(seed)
    while time.monotonic() < until:
        name, data = rng.choice(seeds)
        # Now and then what another reader takes.
        name = name if rng.random() < 0.9 else rng.choice(attempts.names)
        attempts.read(name, damaged(data, rng.choice(seeds)[1], rng))
    attempts.tell()


def follow_coverage(attempts: Attempts, corpus: Path, seed: int, seconds: int) -> None:
    """Has atheris make inputs of those in a folder, whose first byte is the number of the reader."""
    import atheris

    def one(data: bytes) -> None:
        if data:
            attempts.read(attempts.names[data[0] % len(attempts.names)], data[1:])

    options = [f"-max_total_time={seconds}", f"-max_len={_MAX_INPUT}", f"-seed={seed + 1}", "-timeout=600"]
    options += ["-rss_limit_mb=0", "-print_final_stats=0", "-verbosity=0", "-len_control=0"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def main(arguments: Sequence[str]) -> None:
    """Runs until a number of seconds is over: FOLDER ENGINE SEED SECONDS."""
    folder, engine, seed, seconds = Path(arguments[0]), arguments[1], int(arguments[2]), float(arguments[3])
    if engine == "atheris":
        import atheris

        with atheris.instrument_imports(include=["ganwalk"]):
            found = readers()
    else:
        found = readers()
    # Not counting what it takes to get ready.
    attempts, until = Attempts(folder, found), time.monotonic() + seconds
    if engine == "atheris":
        follow_coverage(attempts, folder / "corpus", seed, math.ceil(seconds))
    else:
        files = sorted((folder / "corpus").iterdir())
        seeds = [(attempts.names[data[0] % len(attempts.names)], data[1:]) for data in map(Path.read_bytes, files)]
        damage_seeds(attempts, seeds, seed, until)


if __name__ == "__main__":
    main(sys.argv[1:])
