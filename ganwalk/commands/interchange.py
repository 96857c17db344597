"""`ganwalk import` and `export`: directions in files of other projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ganwalk.commands.options import (
    External,
    external_options,
    force_option,
    generator_option,
    open_directions,
    open_generator,
)
from ganwalk.commands.suggestions import code_again, identity_again
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH
from ganwalk.terminal import download_watch, quoted


@click.command("import", epilog="Example: ganwalk import ganspace_cache.npz --generator ffhq.pkl")
@click.argument("source", type=PATH)
@click.option("-g", "--generator", "name", required=True, help="Checkpoint or name that the directions belong to.")
@click.option("-o", "--out", type=PATH, help="File to write [default: SOURCE with the suffix .safetensors].")
@click.option(
    "--space",
    type=click.Choice(["w", "z", "s"]),
    help="Their latent space [default: the file's, or w if there is one].",
)
@click.option(
    "--layers", "layers_text", metavar="A-B,C,…", help="Layers that they are meant for [default: the file's, or all]."
)
@click.option(
    "--as",
    "reading",
    type=click.Choice(["rows", "wplus"]),
    help="What rows are: directions, or the layers of one [default: by their number and values].",
)
@force_option
@external_options
def import_command(
    source: Path,
    name: str,
    out: Path | None,
    space: str | None,
    layers_text: str | None,
    reading: str | None,
    force: bool,
    external: External,
) -> None:
    """Bring directions of GANSpace (.npz, .pkl), SeFa, a deformator or PCA (.pt), or plain ones (.npy, .pt).

    SOURCE is a file, or a folder of files, whose names become those of the directions. Edits in W+ (layers, d) stay
    what they are.
    """
    from dataclasses import replace

    from ganwalk.files import check_free, timestamp
    from ganwalk.generators.loading import load_generator
    from ganwalk.interchange import import_directions, import_folder
    from ganwalk.options.ranges import parse_layers

    # A folder's name may have a dot, and "." has none.
    beside = source.parent / f"{source.resolve().name}.safetensors" if source.is_dir() else source
    out = out or beside.with_suffix(".safetensors")
    if out.suffix.lower() != ".safetensors":
        raise GanwalkError(f"{out} must end in .safetensors, the format of directions")
    if out.exists() and source.exists() and out.samefile(source):
        raise GanwalkError(f"{out} is what is imported: choose another name with --out")
    check_free(out, force)
    layers = parse_layers(layers_text) if layers_text else None
    with download_watch(quiet=False) as on_bytes:
        generator = load_generator(name, progress=on_bytes, **external)
    how: dict[str, Any] = {"space": space, "layers": layers, "reading": reading}
    if source.is_dir():
        directions, refusals = import_folder(source, generator, **how)
        for refusal in refusals:
            click.echo(f"left out: {refusal}")
    else:
        directions = import_directions(source, generator, **how)
    replace(directions, created=timestamp()).save(out)
    count = "1 direction" if len(directions) == 1 else f"{len(directions)} directions"
    click.echo(f"wrote {out}: {count} (read from {directions.settings['reading']})")
    again = code_again(generator, name, external)
    which = "0" if len(directions) == 1 else "all"
    click.echo(f"next: ganwalk render --directions {quoted(out)}{again} --direction {which}")


@click.command(epilog="Example: ganwalk export directions.npz, or ganwalk export edits --format e4e")
@click.argument("target", type=PATH)
@click.option("--directions", "path", type=PATH, help="Directions file [default: the newest discovery here].")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["ganspace", "sefa", "npy", "pt", "interfacegan", "wplus", "e4e"]),
    help="[default: by suffix]",
)
@generator_option
@force_option
@external_options
def export(
    target: Path, path: Path | None, kind: str | None, name: str | None, force: bool, external: External
) -> None:
    """Write directions for GANSpace (.npz), SeFa (.npy), numpy (.npy) or torch (.pt).

    The formats interfacegan (.npy), wplus (.npy, a row for each layer) and e4e (.pt) hold one direction each: TARGET is
    a folder of them then, or a file if there is one direction. wplus and e4e may ask for the generator's layers.
    """
    from ganwalk.files import check_free
    from ganwalk.interchange import export_directions
    from ganwalk.interchange.export import export_format, export_paths, needs_layers

    path, directions = open_directions(path)
    kind = export_format(target, kind)
    targets = export_paths(directions, target, kind)
    for file in targets:
        check_free(file, force)
    num_layers = None
    if needs_layers(directions, kind):
        generator = open_generator(directions, name, external)
        directions.check(generator)
        num_layers = generator.num_layers
    export_directions(directions, target, kind, num_layers=num_layers)
    limited = directions.layers is not None or directions.own_layers
    lost = " (their layers are not in it: the format has none)" if limited and num_layers is None else ""
    click.echo(f"wrote {target}: {len(directions)} directions of {path}{lost}")
    again = identity_again(directions.generator)
    click.echo(f"next: ganwalk render --directions {quoted(path)}{again} --direction all")
