"""`ganwalk explore`."""

from __future__ import annotations

import functools
import secrets
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganwalk.commands.options import (
    External,
    batch_option,
    external_options,
    generator_option,
    latents_option,
    open_directions,
    percent,
)
from ganwalk.commands.suggestions import code_again, directions_again, discovery_of
from ganwalk.errors import GanwalkError
from ganwalk.options.common import common_options
from ganwalk.progress.bars import late_bar
from ganwalk.terminal import download_watch, set_up_torch

if TYPE_CHECKING:
    from ganwalk.explore.studio import Studio
    from ganwalk.samples import StoredSamples


@click.command(epilog="Example: ganwalk explore --against pca")
@click.option(
    "--directions",
    "source",
    metavar="FILE|METHOD",
    help="Directions file, or a method with a closed form (local, random, pca, sefa, jacobian), whose directions are "
    "found and kept nowhere [default: the newest discovery in this folder].",
)
@generator_option
@click.option(
    "--against",
    metavar="FILE|METHOD",
    help="Directions to compare with, likewise.",
)
@latents_option
@click.option(
    "--preview",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Small pictures while a slider moves; auto: if the generator is slow.",
)
@batch_option
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes any free one [default: 7860, or the next free].")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve. Others than this machine's own are served with a token only.",
)
@click.option(
    "--token",
    envvar="GANWALK_TOKEN",
    help="What visitors must know, or $GANWALK_TOKEN [default: none here, a new random one for other machines].",
)
@click.option("--open/--no-open", "opened", default=None, help="Open a browser [default: if there is a screen].")
@common_options
@external_options
def explore(
    source: str | None,
    name: str | None,
    against: str | None,
    latents_paths: tuple[Path, ...],
    preview: str,
    batch: int,
    port: int | None,
    host: str,
    token: str | None,
    opened: bool | None,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Walk along directions in a browser: sliders, names, comparisons, exports. Ctrl-C ends it.

    Needs NiceGUI, which the extra [ui] installs. Names, notes, stars and hidden directions are kept in the directions
    file. A photo, or a file of latents, can also be given on the page. The page loads nothing from the network.
    """
    try:
        import nicegui  # noqa: F401 (one clear line before anything slow)
    except ImportError:
        raise GanwalkError("the explorer needs NiceGUI: pip install nicegui") from None
    from ganwalk.explore.gate import check_token, is_loopback
    from ganwalk.explore.server import open_socket, page_address, serve, should_open

    local = is_loopback(host)
    if token is not None:
        check_token(token)
    elif not local:
        token = secrets.token_urlsafe(24)
    listener = open_socket(host, port)
    set_up_torch(device, threads)
    from ganwalk.explore.arrivals import given_latents
    from ganwalk.explore.opening import Opened, open_studio
    from ganwalk.explore.sides import choose_sides
    from ganwalk.explore.studio import Studio
    from ganwalk.interchange.latents import read_latents

    files = [read_latents(path) for path in latents_paths]
    chosen = source or str(open_directions(None, quiet)[0])
    with download_watch(quiet) as on_bytes:
        generator, sides = choose_sides(chosen, against, name, device, on_bytes=on_bytes, **external)
    latents: StoredSamples | None = None
    notes: tuple[str, ...] = ()
    if files:
        shown_sides = [side.directions for side in sides]
        latents, notes = given_latents(files, generator, shown_sides, sides[0].directions.class_index)
    for note in notes:
        click.echo(f"note: {note} are shown")
    with late_bar("fitting previews", quiet) as advance:
        studio = Studio(
            generator,
            sides,
            preview=preview,
            batch=batch,
            on_progress=percent(advance),
            generator_options=shlex.split(code_again(generator, name, external)),
            latents=latents,
        )
    if latents is not None:
        # A command of what is shown is one of these files.
        studio.shelf.keep(latents, files=() if notes else latents_paths)
    if not quiet and studio.preview is not None:
        shown_preview = f"previews of {studio.preview.resolution} px, R² {studio.preview.fit:.2f}, while a slider moves"
        click.echo(f"an image takes {studio.seconds:.2g} s: {shown_preview}")
    address = page_address(listener, host, token)

    def on_ready() -> None:
        click.echo(f"explore at {address} (Ctrl-C ends)")
        if should_open(opened):
            click.launch(address)

    # Whoever is served from another machine has no business with the files of this one.
    make = functools.partial(open_studio, device=device, preview=preview, batch=batch) if local else None
    shown = Opened(studio, make)
    serve(shown, listener, token=token, local=local, on_ready=on_ready)
    _print_end(shown.studio, bool(source) or shown.studio is not studio)


def _print_end(studio: Studio, chosen: bool) -> None:
    """Where names were kept, and a command to go on with.

    Args:
        chosen: whether the directions are others than those that commands take without being told.
    """
    from ganwalk.directions.labels import Label

    named = [side for side in studio.sides if any(label != Label() for label in side.directions.labels)]
    if kept := [str(side.path) for side in named if side.path is not None]:
        click.echo(f"names and stars are in {' and '.join(kept)}")
    elif named:
        click.echo("names and stars are gone: these directions were in no file")
    first = studio.sides[0]
    if first.path is None:
        reference = studio.generator.identity.reference
        click.echo(f"next: {discovery_of(reference, None, '--method', first.directions.method)}")
        return
    where = directions_again(first.path if chosen else None)
    again = shlex.join(studio.generator_options)
    click.echo(f"next: ganwalk report{where}{f' {again}' if again else ''}")
