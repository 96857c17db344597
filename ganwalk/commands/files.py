"""`ganwalk name`, `import` and `export`: what directions files hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ganwalk.commands.naming import label_lines, name_automatically
from ganwalk.commands.options import (
    PATH,
    classifier_options,
    code_again,
    common_options,
    external_options,
    force_option,
    generator_option,
    identity_again,
    open_directions,
)
from ganwalk.errors import GanwalkError
from ganwalk.naming.settings import NamingSettings
from ganwalk.options.command_line import settings_options
from ganwalk.terminal import download_watch, quoted


@click.command(epilog='Example: ganwalk name 3 smile --note "teeth show from 2 σ on" --star, or ganwalk name --auto')
@click.argument("direction", required=False)
@click.argument("name", required=False)
@click.option("--note", help="A remark, kept with the name; empty takes it away.")
@click.option("--star/--no-star", default=None, help="Mark it as one of the good ones.")
@click.option("--hide/--show", default=None, help="Leave it out of overviews and reports.")
@click.option("--json", "as_json", is_flag=True, help="List them as JSON.")
@click.option("--directions", "path", type=PATH, help="Directions file [default: the newest discovery here].")
@click.option("--auto", is_flag=True, help="Find names; all options below are of this.")
@click.option("--dry-run", is_flag=True, help="Only show them.")
@click.option("--force", is_flag=True, help="Replace names and notes that are there already.")
@click.option("-g", "--generator", help="Checkpoint or name [default: the one the directions belong to].")
@settings_options("settings", NamingSettings())
@common_options
@external_options
@classifier_options
def name(
    direction: str | None,
    name: str | None,
    note: str | None,
    star: bool | None,
    hide: bool | None,
    as_json: bool,
    path: Path | None,
    auto: bool,
    dry_run: bool,
    force: bool,
    generator: str | None,
    settings: NamingSettings,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
    make_reader: Callable[[Any, int | None], Any],
) -> None:
    """Name a direction, or list the names. They are kept in the directions file.

    DIRECTION is a number or a name; NAME is its new one, and an empty one ("") takes it away.

    --auto names the directions that have no name, or DIRECTION alone: after the factor that each moves most, where the
    generator or a classifier knows factors ("more scale", "less scale"), otherwise after what changes in the pictures
    and where ("brighter on the left").
    """
    import json
    from dataclasses import asdict, replace

    from ganwalk.directions.files import save_label

    changes: dict[str, Any] = {"name": name, "note": note, "starred": star, "hidden": hide}
    changes = {key: value for key, value in changes.items() if value is not None}
    _check_name_options(auto, changes)
    if auto:
        name_automatically(
            path,
            direction,
            settings,
            as_json=as_json,
            dry_run=dry_run,
            force=force,
            generator_name=generator,
            device=device,
            threads=threads,
            quiet=quiet,
            external=external,
            make_reader=make_reader,
        )
        return
    if as_json and direction is not None:
        raise GanwalkError("--json lists the names: leave the direction out")
    path, directions = open_directions(path, quiet=as_json)
    if as_json:
        rows = [{"direction": index, **asdict(label)} for index, label in enumerate(directions.labels)]
        click.echo(json.dumps({"file": str(path), "directions": rows}, indent=1))
        return
    if direction is None:
        for line in label_lines(dict(enumerate(directions.labels))):
            click.echo(line)
        unnamed = [index for index, label in enumerate(directions.labels) if not label.name]
        todo = f"name {unnamed[0]} NAME" if unnamed else "render --direction 0"
        click.echo(
            f"next: ganwalk {todo} --directions {quoted(path)}{'' if unnamed else identity_again(directions.generator)}"
        )
        return
    if not changes:
        raise GanwalkError(f"say what to call it: ganwalk name {quoted(direction)} smile, or see ganwalk name --help")
    index = directions.find(direction)
    directions = save_label(path, index, replace(directions.labels[index], **changes), directions.fingerprint())
    click.echo(f"wrote {path}: direction {directions.title(index)}")
    name_given = directions.labels[index].name
    # Not every terminal can show every name.
    called = name_given if name_given.isascii() and name_given else str(index)
    again = identity_again(directions.generator)
    click.echo(f"next: ganwalk render --directions {quoted(path)}{again} --direction {quoted(called)}")


# Parameters of `name` without --auto.
_PLAIN = {"direction", "name", "note", "star", "hide", "as_json", "path"}


def _check_name_options(auto: bool, changes: dict[str, Any]) -> None:
    """Raises GanwalkError if something was typed that would count for nothing."""
    if auto and changes:
        raise GanwalkError("--auto finds names and notes itself: leave NAME, --note, --star and --hide out")
    context = click.get_current_context()
    typed = ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        if not auto and parameter.name not in _PLAIN and context.get_parameter_source(str(parameter.name)) is typed:
            raise GanwalkError(f"{max(parameter.opts, key=len)} is an option of --auto: add that, or leave it out")


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
    external: dict[str, Any],
) -> None:
    """Bring directions of GANSpace (.npz, .pkl), SeFa, a deformator or PCA (.pt), or plain ones (.npy, .pt).

    SOURCE is a file, or a folder of files, whose names become those of the directions. Edits in W+ (layers, d) stay
    what they are.
    """
    from dataclasses import replace

    from ganwalk.files import check_free, timestamp
    from ganwalk.generators.loading import load_generator
    from ganwalk.interchange import import_directions, import_folder
    from ganwalk.ranges import parse_layers

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
    target: Path, path: Path | None, kind: str | None, name: str | None, force: bool, external: dict[str, Any]
) -> None:
    """Write directions for GANSpace (.npz), SeFa (.npy), numpy (.npy) or torch (.pt).

    The formats interfacegan (.npy), wplus (.npy, a row for each layer) and e4e (.pt) hold one direction each: TARGET is
    a folder of them then, or a file if there is one direction. wplus and e4e may ask for the generator's layers.
    """
    from ganwalk.files import check_free
    from ganwalk.generators.loading import load_directions_generator
    from ganwalk.interchange import export_directions
    from ganwalk.interchange.export import export_format, export_paths, needs_layers

    path, directions = open_directions(path)
    kind = export_format(target, kind)
    targets = export_paths(directions, target, kind)
    for file in targets:
        check_free(file, force)
    num_layers = None
    if needs_layers(directions, kind):
        with download_watch(quiet=False) as on_bytes:
            generator = load_directions_generator(directions.generator, name, progress=on_bytes, **external)
        directions.check(generator)
        num_layers = generator.num_layers
    export_directions(directions, target, kind, num_layers=num_layers)
    limited = directions.layers is not None or directions.own_layers
    lost = " (their layers are not in it: the format has none)" if limited and num_layers is None else ""
    click.echo(f"wrote {target}: {len(directions)} directions of {path}{lost}")
    again = identity_again(directions.generator)
    click.echo(f"next: ganwalk render --directions {quoted(path)}{again} --direction all")
