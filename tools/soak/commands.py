"""The commands that are disturbed, in a size that takes seconds, and what of their results may differ."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Where a command writes, in the folder that it runs in.
OUT = "out"
# Seconds between checkpoints, where commands would write them every five seconds or every minute.
SAVE_SECONDS = 0.5
_PHOTO = "photo.png"


@dataclass(frozen=True)
class Command:
    """A command with its options.

    Attributes:
        name: for the report.
        module: whose `main` takes the arguments.
        begin: arguments of a run in a folder that is empty, or holds what can be given up.
        resume: arguments that continue it.
        prepare: puts what the command reads into the folder that it runs in.
    """

    name: str
    module: str
    begin: tuple[str, ...]
    resume: tuple[str, ...]
    prepare: Callable[[Path], None] = lambda folder: None

    def main(self) -> Callable[[list[str]], None]:
        """What runs it, imported by now."""
        main: Callable[[list[str]], None] = importlib.import_module(self.module).main
        return main


def _draw_photo(folder: Path) -> None:
    """A picture that no generator has drawn."""
    import numpy as np
    from PIL import Image

    waves = np.sin(np.arange(32)[:, None, None] / (3, 5, 7) + np.arange(32)[None, :, None] / (4, 3, 9))
    Image.fromarray((127 + 120 * waves).astype(np.uint8)).save(folder / _PHOTO)


def _ganwalk(name: str, *options: str, **more: Any) -> Command:
    begin = (name, *options, "--out", OUT, "--threads", "1", "--quiet")
    return Command(name, "ganwalk.commands", begin, (*begin, "--resume"), **more)


_SMALL = ("--generator", "blobs", "--n-directions", "3")
_BRIEF = ("--batch", "8", "--steps", "30", "--samples", "4", "--no-reconstructor")
_TRAIN = ("--out", OUT, "--threads", "1", "--quiet", "--metrics", "none", "--look-every", "0")
COMMANDS = (
    _ganwalk("discover", *_SMALL, "--batch", "16", "--steps", "200"),
    _ganwalk("compare", *_SMALL, *_BRIEF, "--methods", "random,rtd", "--seeds", "2", "--jobs", "2"),
    Command(
        "vae.train",
        "vae.train",
        (*_TRAIN, "--steps", "40", "--batch", "8", "--hidden", "16"),
        (*_TRAIN, "--resume"),
    ),
    _ganwalk("project", _PHOTO, "--generator", "scenes", "--steps", "60", prepare=_draw_photo),
)


def save_often() -> None:
    """Shortens the time between checkpoints, and to a first result, in this process."""
    import ganwalk.discovery.searches.steps
    import ganwalk.projection.run
    import vae.runs.run

    vars(ganwalk.discovery.searches.steps)["_SAVE_EVERY_SECONDS"] = SAVE_SECONDS
    vars(ganwalk.projection.run).update(
        _SAVE_EVERY_SECONDS=SAVE_SECONDS, _EARLY_SECONDS=SAVE_SECONDS, _BETWEEN_SECONDS=SAVE_SECONDS
    )
    vars(vae.runs.run)["Rhythm"] = functools.partial(vae.runs.run.Rhythm, save_seconds=SAVE_SECONDS)
