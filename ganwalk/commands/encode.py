"""`ganwalk encode`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganwalk.commands.options import directions_option, force_option, open_directions
from ganwalk.commands.suggestions import identity_again
from ganwalk.errors import GanwalkError, one_line
from ganwalk.options.command_line import PATH
from ganwalk.options.common import common_options
from ganwalk.tables import table_lines
from ganwalk.terminal import quoted, set_up_torch

if TYPE_CHECKING:
    import numpy as np

    from ganwalk.directions import Directions
    from ganwalk.evaluation.representation.encoder import Encoder

# Pictures side by side in one table.
_COLUMNS = 6
_LONGEST = 24
# R² below which a coordinate is hardly read at all.
_FAINT = 0.5


@click.command(epilog="Example: ganwalk encode photo.png -o codes.csv")
@click.argument("pictures", type=PATH, nargs=-1, required=True)
@directions_option
@click.option("--encoder", "encoder_path", type=PATH, help="Encoder file [default: the one beside the directions].")
@click.option("-o", "--out", type=PATH, help="File for the coordinates, .csv or .npz.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
@force_option
@common_options
def encode(
    pictures: tuple[Path, ...],
    directions_path: Path | None,
    encoder_path: Path | None,
    out: Path | None,
    as_json: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
) -> None:
    """Read the coordinates of PICTURES along directions, in standard deviations, by an encoder.

    ganwalk evaluate --representation trains the encoder. Of each picture it sees the square in the middle; pictures
    should show what the generator shows, in the same way. The fit is how well the encoder reads a direction (R²).
    """
    from ganwalk.files import check_free, check_regular

    for picture in pictures:
        check_regular(picture)
        if not picture.exists():
            raise GanwalkError(f"{picture} does not exist: give files of pictures")
    if out is not None:
        if out.suffix.lower() not in (".csv", ".npz"):
            raise GanwalkError(f"{out} must end in .csv or .npz")
        check_free(out, force)
    set_up_torch(device, threads)
    import torch

    from ganwalk.evaluation.representation.encoder import ENCODER_FILE, Encoder
    from ganwalk.evaluation.representation.outputs import facts_of_codes, write_codes
    from ganwalk.pictures.photos import read_photo

    path, directions = _directions_of(directions_path, encoder_path, quiet or as_json)
    encoder_path = encoder_path or path.parent / ENCODER_FILE
    if not encoder_path.exists():
        make = f"ganwalk evaluate --representation --directions {quoted(path)}"
        raise GanwalkError(f"{encoder_path} does not exist: make it with {make}")
    encoder = Encoder.load(encoder_path)
    encoder.check(directions)
    # An encoder sees squares, into which training pressed what is none.
    proportions = directions.generator.size
    photos = [read_photo(p, encoder.config.size, averaged=True, proportions=proportions) for p in pictures]
    images = torch.cat([photo.image(encoder.config.channels) for photo in photos])
    codes = encoder.to(device).encode(images.to(device)).cpu().numpy()
    if out is not None:
        write_codes(out, pictures, directions, codes)
    if as_json:
        click.echo(json.dumps(facts_of_codes(pictures, directions, encoder, codes), indent=1))
        return
    _print_table(pictures, directions, encoder, codes)
    if out is not None:
        click.echo(f"wrote {out}")
    again = identity_again(directions.generator)
    # What the encoder reads badly says little.
    readable = encoder.fit.nan_to_num(0.0).clamp_min(0).numpy()
    strongest = int((abs(codes).mean(axis=0) * readable).argmax())
    click.echo(f"next: ganwalk render --directions {quoted(path)}{again} --direction {strongest}")


def _directions_of(path: Path | None, encoder: Path | None, quiet: bool) -> tuple[Path, Directions]:
    """The directions named, or those beside the encoder that is named, or the newest here."""
    from ganwalk.directions import DIRECTIONS_FILE, Directions

    if path is None and encoder is not None and (beside := encoder.parent / DIRECTIONS_FILE).exists():
        return beside, Directions.load(beside)
    return open_directions(path, quiet)


def _print_table(pictures: Sequence[Path], directions: Directions, encoder: Encoder, codes: np.ndarray) -> None:
    """A row for each direction, a column for each picture; faint where the encoder hardly reads a direction."""
    fits = encoder.fit.tolist()
    for start in range(0, len(pictures), _COLUMNS):
        part = slice(start, start + _COLUMNS)
        names = [one_line(picture.name, _LONGEST) for picture in pictures[part]]
        table = [["direction", *names, "fit"]]
        for index, row in enumerate(codes.T):
            cells = [f"{value:+.2f}" for value in row[part]]
            table.append([one_line(directions.title(index), 2 * _LONGEST), *cells, _fit(fits[index])])
        for k, line in enumerate(table_lines(table)):
            click.echo(click.style(line, dim=True) if k and not fits[k - 1] >= _FAINT else line)


def _fit(value: float) -> str:
    return "-" if value != value else f"{value:.2f}"
