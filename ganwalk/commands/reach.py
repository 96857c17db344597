"""`ganwalk reach`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ganwalk.calibration.settings import ReachSettings
from ganwalk.commands.options import (
    External,
    directions_option,
    external_options,
    force_option,
    generator_option,
    open_directions,
    open_generator,
    say_unreadable,
)
from ganwalk.commands.suggestions import code_again, directions_again
from ganwalk.options.command_line import settings_options
from ganwalk.options.common import common_options
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import progress_bar
from ganwalk.progress.estimates import announce
from ganwalk.terminal import set_up_torch

# Of the bar, what is left for the figure.
_FIGURE = 10
# Pictures of the figure that are made at once.
_BATCH = 8


@click.command(epilog="Example: ganwalk reach, then ganwalk render --direction all --amplitude reach")
@directions_option
@generator_option
@settings_options("settings", ReachSettings())
@force_option
@common_options
@external_options
def reach(
    directions_path: Path | None,
    name: str | None,
    settings: ReachSettings,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Measure how far each direction may be walked before pictures leave the distribution.

    Keeps the reach of both ways, and an even pace up to there, in the directions file, where explore, report and
    render --amplitude reach find it, and draws reach.png beside it.
    """
    set_up_torch(device, threads)
    from ganwalk.calibration.curves import reach_of
    from ganwalk.calibration.figure import save_figure, walk_pictures
    from ganwalk.calibration.walks import seconds_of_reach, walk_directions
    from ganwalk.directions import DIRECTIONS_FILE
    from ganwalk.directions.files import amend
    from ganwalk.generators.base import device_of
    from ganwalk.rendering.discovery import sheet_of, sheet_seconds
    from ganwalk.rendering.naming import check_replaceable, mark_of
    from ganwalk.samples import DrawnSamples

    path, directions = open_directions(directions_path, quiet)
    settings = as_discovered(settings, directions.class_index)
    generator = open_generator(directions, name, external, device=device, quiet=quiet)
    settings = settings.resolve(generator)
    directions = directions.to(device_of(generator))
    picture = path.with_name("reach.png" if path.name == DIRECTIONS_FILE else f"{path.stem}-reach.png")
    mark = mark_of(directions, {"drawn": "reach"})
    check_replaceable(picture, mark, force)
    if not quiet:
        seconds = seconds_of_reach(generator, directions, settings) + sheet_seconds(generator)
        announce("measuring", seconds, "fewer --samples or --steps shorten it", quiet)
    with progress_bar(100, "measuring", quiet) as advance:
        curves = walk_directions(
            generator, directions, settings, lambda share: advance(round((100 - _FIGURE) * share), "")
        )
        found = reach_of(curves, settings.share)
        kept = amend(path, lambda there: replace(there, reach=found), directions.fingerprint())
        advance(100 - _FIGURE, "drawing")
        sheet = sheet_of(generator)
        shown = directions.visible()[: sheet.rows]
        sample = DrawnSamples((1,), settings.truncation_psi, settings.truncation_cutoff, settings.class_index)
        batch = settings.chunk or _BATCH
        pictures = walk_pictures(sheet.generator, directions, found, shown, sample, columns=sheet.columns, batch=batch)
        until = f"until {100 * settings.share:g} % have left or change no more"
        caption = f"σ · {settings.samples} samples · shaded: the reach, {until}"
        caption += f" · {sheet.note}" * (sheet.note != "")
        save_figure(picture, directions, curves, found, shown, pictures, caption=caption, mark=mark)
    for index in range(len(kept)):
        click.echo(f"{found.words(index):>22}  {directions.title(index)}")
    replaced = " (in place of an earlier reach)" if directions.reach is not None else ""
    say_unreadable(directions, quiet)
    click.echo(f"wrote {path}{replaced}, {picture}")
    where = directions_again(directions_path)
    again = code_again(generator, name, external)
    click.echo(f"next: ganwalk render{where}{again} --direction all --amplitude reach")
