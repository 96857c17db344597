"""`ganwalk directions`: new directions files from old ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    External,
    directions_option,
    external_options,
    force_option,
    generator_option,
    open_directions,
    open_generator,
)
from ganwalk.commands.suggestions import identity_again
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH
from ganwalk.terminal import download_watch, quoted

if TYPE_CHECKING:
    from ganwalk.directions import Directions
    from ganwalk.layers import Layers


@click.group(epilog='Example: ganwalk directions combine "smile=1,pose=-0.5" --name grin, or COMMAND --help')
def directions() -> None:
    """Make directions of others: sums, what is left of one without others, signs, selections, several files in one.

    Or of single channels of the style space. Each command writes a new file. Lengths follow from the steps, nothing is
    measured again.
    """


def _out_option(operation: str) -> Callable[..., Any]:
    return click.option(
        "-o", "--out", type=PATH, help=f"File to write [default: beside the first, its name with -{operation}]."
    )


@directions.command(epilog='Example: ganwalk directions combine "smile=1,pose=-0.5@4-7" --name grin')
@click.argument("edit")
@click.option("--name", "called", default="", help="What to call the new direction.")
@directions_option
@generator_option
@_out_option("combine")
@force_option
@external_options
def combine(
    edit: str,
    called: str,
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    force: bool,
    external: External,
) -> None:
    """Make one direction of an edit: a step of 1 σ along it is all of EDIT.

    EDIT is as for render --combine. Where its layers differ, the direction is in W+.
    """
    from ganwalk.directions import arithmetic
    from ganwalk.directions.edits import parse_edit
    from ganwalk.directions.labels import Label

    path, found = open_directions(directions_path)
    out = _free_out(out, path, "combine", force)
    moves = parse_edit(edit, found)
    limits = [move.layers or found.layers_of(move.index) for move in moves]
    num_layers = _num_layers(found, limits, name, external)
    _write(arithmetic.combine(found, moves, num_layers=num_layers, label=Label(called)), out)


@directions.command(epilog="Example: ganwalk directions orthogonalise smile --against age,glasses")
@click.argument("direction")
@click.option("--against", required=True, metavar="A,B,…", help="Numbers or names of those that it shall leave alone.")
@directions_option
@generator_option
@_out_option("orthogonalise")
@force_option
@external_options
def orthogonalise(
    direction: str,
    against: str,
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    force: bool,
    external: External,
) -> None:
    """Take its part along others out of a direction, so that it leaves them alone (Shen et al. 2020).

    DIRECTION is a number or a name. The new file has all directions, this one changed; in W+ where layers differ.
    """
    from ganwalk.directions import arithmetic

    path, found = open_directions(directions_path)
    out = _free_out(out, path, "orthogonalise", force)
    index, others = found.find(direction), _listed(against, found)
    limits = [found.layers_of(k) for k in (index, *others)]
    num_layers = _num_layers(found, limits, name, external)
    _write(arithmetic.orthogonalise(found, index, others, num_layers=num_layers), out)


@directions.command(epilog="Example: ganwalk directions flip smile,3")
@click.argument("which")
@directions_option
@_out_option("flip")
@force_option
def flip(which: str, directions_path: Path | None, out: Path | None, force: bool) -> None:
    """Turn directions round: what was +1 σ is -1 σ. WHICH are numbers or names, such as smile,3."""
    from ganwalk.directions import arithmetic

    path, found = open_directions(directions_path)
    out = _free_out(out, path, "flip", force)
    _write(arithmetic.flip(found, _listed(which, found)), out)


@directions.command(epilog="Example: ganwalk directions select smile,3,0")
@click.argument("which")
@directions_option
@_out_option("select")
@force_option
def select(which: str, directions_path: Path | None, out: Path | None, force: bool) -> None:
    """Keep some directions, in the order of WHICH: numbers or names, such as smile,3,0."""
    from ganwalk.directions import arithmetic

    path, found = open_directions(directions_path)
    out = _free_out(out, path, "select", force)
    _write(arithmetic.select(found, _listed(which, found)), out)


@directions.command(epilog="Example: ganwalk directions merge a.safetensors b.safetensors --out both.safetensors")
@click.argument("files", type=PATH, nargs=-1, required=True)
@_out_option("merge")
@force_option
def merge(files: tuple[Path, ...], out: Path | None, force: bool) -> None:
    """Put the directions of several FILES of one generator into one file; w beside W+ becomes W+."""
    from ganwalk.directions import Directions, arithmetic

    if len(files) < 2:
        raise GanwalkError("one file alone needs no merging: name at least two")
    out = _free_out(out, files[0], "merge", force)
    _write(arithmetic.merge([Directions.load(path) for path in files]), out)


@directions.command(epilog="Example: ganwalk directions channels 9:409,12:479 --generator ffhq.pkl")
@click.argument("which")
@click.option("-g", "--generator", "name", required=True, help="StyleGAN, StyleGAN2 or StyleGAN3: file or name.")
@click.option("-o", "--out", type=PATH, default="channels.safetensors", show_default=True, help="File to write.")
@force_option
def channels(which: str, name: str, out: Path, force: bool) -> None:
    """Make directions of single channels of the style space S (StyleSpace, Wu et al. 2021).

    WHICH are affine layers, counted from 0 in the network's order with those to RGB among them, and their channels.
    """
    from ganwalk.generators.loading import load_generator
    from ganwalk.interchange.channels import channel_directions, parse_channels

    chosen = parse_channels(which)
    out = _free_out(out, out, "channels", force)
    with download_watch(quiet=False) as on_bytes:
        generator = load_generator(name, progress=on_bytes)
    _write(channel_directions(generator, chosen), out)


def _listed(text: str, found: Directions) -> list[int]:
    """The indices of directions in a list of numbers or names."""
    return [found.find(part) for part in text.split(",")]


def _free_out(out: Path | None, path: Path, operation: str, force: bool) -> Path:
    """The file to write, after a check that it may be."""
    from ganwalk.files import check_free

    out = out or path.with_name(f"{path.stem}-{operation}.safetensors")
    if out.suffix.lower() != ".safetensors":
        raise GanwalkError(f"{out} must end in .safetensors, the format of directions")
    check_free(out, force)
    return out


def _num_layers(found: Directions, limits: Iterable[Layers | None], name: str | None, external: External) -> int | None:
    """The number of the generator's layers, if directions of different layers have to become W+; otherwise None."""
    if found.space != "w" or len(set(limits)) == 1:
        return None
    generator = open_generator(found, name, external)
    found.check(generator)
    return int(generator.num_layers)


def _write(made: Directions, out: Path) -> None:
    from dataclasses import replace

    from ganwalk.files import timestamp

    replace(made, created=timestamp()).save(out)
    count = "1 direction" if len(made) == 1 else f"{len(made)} directions"
    click.echo(f"wrote {out}: {count} in {made.space}")
    which = "0" if len(made) == 1 else "all"
    click.echo(f"next: ganwalk render --directions {quoted(out)}{identity_again(made.generator)} --direction {which}")
