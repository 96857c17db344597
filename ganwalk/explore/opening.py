"""What all pages show at the moment, and how something else is opened from one of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganwalk.discovery.methods import METHODS
from ganwalk.errors import GanwalkError, one_line
from ganwalk.explore.sides import choose_sides
from ganwalk.explore.studio import Studio
from ganwalk.generators.external import is_reference

# Told how far the opening is, in words.
OnProgress = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What somebody typed to have opened; empty texts stand for what there is.

    Attributes:
        source: a directions file, or a method with a closed form.
        generator: a checkpoint or a name; empty for the one that the directions belong to.
        against: directions to compare with, as `source`; empty for none.
    """

    source: str = ""
    generator: str = ""
    against: str = ""


@dataclass
class Opened:
    """What the server shows.

    Attributes:
        studio: shared by all pages; another one once a page has opened it.
        make: makes that one; None where pages may open nothing, since others than this machine's users are served.
    """

    studio: Studio
    make: Callable[[Studio, Wanted, OnProgress], Studio] | None = None


def open_studio(
    shown: Studio, wanted: Wanted, on_progress: OnProgress, *, device: str, preview: str, batch: int
) -> Studio:
    """A studio with what is wanted; the generator that is shown is not loaded again.

    Nothing that is code is run: whoever types on a page has not given the command's word for it.

    Args:
        shown: the studio until now.
        device: of the generator.
        preview, batch: as `Studio` has them.
    Raises:
        GanwalkError: it cannot be read, is code, or does not fit.
    """
    if is_reference(wanted.generator):
        raise GanwalkError(
            f"{one_line(wanted.generator, 120)} is code, which no page runs: start ganwalk explore --generator with it"
        )
    source = _expanded(wanted.source) or str(shown.sides[0].path or shown.directions[0].method)

    def on_bytes(done: int, total: int | None) -> None:
        on_progress("downloading" + (f": {100 * done // total} %" if total else ""))

    generator, sides = choose_sides(
        source,
        _expanded(wanted.against) or None,
        wanted.generator or None,
        device,
        loaded=shown.generator,
        on_bytes=on_bytes,
    )
    same = generator is shown.generator
    return Studio(
        generator,
        sides,
        preview=preview,
        batch=batch,
        on_progress=lambda done, total: on_progress(f"fitting previews: {100 * done // total} %"),
        generator_options=shown.generator_options if same else (),
        latents=shown.given if same else None,
        shelf=shown.shelf if same else None,
    )


def _expanded(text: str) -> str:
    """A path with ~ in full; methods and nothing stay what they are."""
    if not text or text in METHODS:
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError as error:
        raise GanwalkError(f"{one_line(text, 120)} begins with ~ and a user that does not exist here") from error
