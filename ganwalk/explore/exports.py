"""What can be taken home: pictures, the path as an animation, latents, and the command that draws it again."""

from __future__ import annotations

import io
import shlex
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ganwalk.directions.edits import format_edit
from ganwalk.errors import GanwalkError
from ganwalk.explore.state import State
from ganwalk.explore.studio import Studio, moves_of
from ganwalk.rendering.loops import save_loop
from ganwalk.samples import StoredSamples


def edited_picture(studio: Studio, state: State) -> bytes:
    """A PNG of the edited samples side by side, in full size; the command that draws the edit is in its text."""
    row = np.concatenate(studio.pictures(state)[state.side], axis=1)
    facts = PngInfo()
    command = render_command(studio, state, folders=False)
    if command is not None:
        facts.add_itxt("ganwalk", command)
    target = io.BytesIO()
    Image.fromarray(row).save(target, "PNG", pnginfo=facts)
    return target.getvalue()


def path_animation(studio: Studio, state: State, suffix: str, progress: Callable[[int, int], None]) -> bytes:
    """A loop from the samples to the edit and back.

    Args:
        suffix: .gif or .mp4.
        progress: called with frames done and frames in all.
    Raises:
        GanwalkError: nothing is walked, or there is no encoder.
    """
    moves = moves_of(state.edits[state.side])
    if not moves:
        raise GanwalkError("there is no path yet: move a slider first")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"edit{suffix}"
        save_loop(
            path,
            studio.generator,
            studio.sides[state.side].directions,
            [moves],
            state.samples,
            there_and_back=False,
            batch=studio.batch,
            progress=progress,
        )
        return path.read_bytes()


def edited_latents(studio: Studio, state: State) -> bytes:
    """A .npy of styles (len(state.samples), num_layers, w_dim), float32."""
    target = io.BytesIO()
    np.save(target, studio.latents(state, state.side))
    return target.getvalue()


def render_command(studio: Studio, state: State, *, folders: bool = True) -> str | None:
    """The command that draws this edit; None where there is none.

    That is where nothing is walked, or the directions, or the latents of the samples, are in no file.

    Args:
        folders: say where files are, which is nobody's business in a picture that is sent around.
    """
    side = studio.sides[state.side]
    moves = moves_of(state.edits[state.side])
    if side.path is None or not moves:
        return None
    samples = state.samples
    if isinstance(samples, StoredSamples):
        shown = [word for file in studio.shelf.files(samples) for word in ("--latents", str(file))]
    elif samples.class_index is None and side.directions.class_index is not None:
        # Render takes the class that directions were discovered in, unless it is given one.
        return None
    else:
        shown = ["--seeds", ",".join(map(str, samples.seeds))]
    if not shown:
        return None
    files = ["--directions", str(side.path), *studio.generator_options]
    if not folders:
        files, shown = ([Path(word).name for word in words] for words in (files, shown))
    words = ["ganwalk", "render", *files, "--combine", format_edit(moves, side.directions), *shown]
    if samples.truncation_psi != 1:
        words += ["--truncation", f"{samples.truncation_psi:g}"]
    if samples.truncation_cutoff is not None:
        words += ["--truncation-cutoff", str(samples.truncation_cutoff)]
    if samples.class_index is not None:
        words += ["--class", str(samples.class_index)]
    return shlex.join(words)
