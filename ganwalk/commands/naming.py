"""`ganwalk name`: names that people give, names that are found (--auto), and how names are listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ganwalk.commands.options import External, classifier_options, external_options, open_directions, open_generator
from ganwalk.commands.suggestions import code_again, command_again, directions_again, identity_again
from ganwalk.directions.labels import Label
from ganwalk.errors import GanwalkError
from ganwalk.naming.settings import NamingSettings
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import progress_bar
from ganwalk.progress.estimates import announce
from ganwalk.terminal import quoted, set_up_torch

# Parameters of `name` without --auto.
_PLAIN = {"direction", "name", "note", "star", "hide", "as_json", "path"}


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
    external: External,
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
        _name_automatically(
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
    if direction is None and changes:
        raise GanwalkError("say which direction that is of: give its number or its name before the options")
    if as_json and direction is not None:
        raise GanwalkError("--json lists the names: leave the direction out")
    path, directions = open_directions(path, quiet=as_json)
    if as_json:
        rows = [{"direction": index, **asdict(label)} for index, label in enumerate(directions.labels)]
        click.echo(json.dumps({"file": str(path), "directions": rows}, indent=1))
        return
    if direction is None:
        for line in _label_lines(dict(enumerate(directions.labels))):
            click.echo(line)
        unnamed = [index for index, label in enumerate(directions.labels) if not label.name]
        todo = "name --auto" if unnamed else "render --direction 0"
        click.echo(f"next: ganwalk {todo} --directions {quoted(path)}{identity_again(directions.generator)}")
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


def _check_name_options(auto: bool, changes: dict[str, Any]) -> None:
    """Raises GanwalkError if something was typed that would count for nothing."""
    if auto and changes:
        raise GanwalkError("--auto finds names and notes itself: leave NAME, --note, --star and --hide out")
    context = click.get_current_context()
    typed = ParameterSource.COMMANDLINE
    for parameter in context.command.params:
        if not auto and parameter.name not in _PLAIN and context.get_parameter_source(str(parameter.name)) is typed:
            raise GanwalkError(f"{max(parameter.opts, key=len)} is an option of --auto: add that, or leave it out")


def _name_automatically(
    given_path: Path | None,
    direction: str | None,
    settings: NamingSettings,
    *,
    as_json: bool,
    dry_run: bool,
    force: bool,
    generator_name: str | None,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
    make_reader: Callable[[Any, int | None], Any],
) -> None:
    """Finds names of the directions that have none, and writes them unless it is a `dry_run`.

    Args:
        given_path: directions file; None takes the newest one here.
        direction: number or name of the only one to name; None takes all.
        as_json: print the names and what they rest on as JSON.
        force: also of those that have a name, whose notes go too.
        make_reader: from the options of a classifier.
        The others are those of every command that runs a generator.
    """
    set_up_torch(device, threads)
    import json
    from dataclasses import asdict, replace

    from ganwalk.directions.files import amend
    from ganwalk.naming.suggest import choose_reader, seconds_of_naming, suggest_names
    from ganwalk.naming.words import with_names

    path, directions = open_directions(given_path, quiet or as_json)
    asked = list(range(len(directions))) if direction is None else [directions.find(direction)]
    chosen = [index for index in asked if force or not directions.labels[index].name]
    kept = [index for index in asked if index not in chosen]
    if not chosen:
        raise GanwalkError("nothing to name: the directions have names already, which --force replaces")
    settings = as_discovered(settings, directions.class_index)
    generator = open_generator(directions, generator_name, external, device=device, quiet=quiet)
    reader = choose_reader(generator, settings.by, make_reader(generator, settings.class_index))
    walked = directions.select(chosen)
    if not quiet:
        seconds = seconds_of_naming(generator, walked, settings, reader)
        announce("naming", seconds, "fewer --samples shorten it", quiet)
    with progress_bar(100, "naming", quiet) as advance:
        found = suggest_names(
            generator, walked, settings, reader=reader, on_share=lambda share: advance(round(100 * share), "")
        )
    suggestions = dict(zip(chosen, found, strict=True))
    if dry_run:
        labels = with_names(directions.labels, suggestions, force=force)
    else:
        labels = amend(
            path,
            lambda there: replace(there, labels=with_names(there.labels, suggestions, force=force)),
            directions.fingerprint(),
        ).labels
    by = "look" if reader is None else "factors"
    if as_json:
        rows = [{"direction": index, **asdict(labels[index]), "measured": suggestions[index].facts} for index in chosen]
        click.echo(json.dumps({"file": str(path), "by": by, "written": not dry_run, "directions": rows}, indent=1))
        return
    for line in _label_lines({index: labels[index] for index in chosen}):
        click.echo(line)
    if kept:
        names = ", ".join(directions.title(index) for index in kept)
        click.echo(f"kept {names} (--force names them, too)")
    count = f"{len(chosen)} name{'s' * (len(chosen) > 1)} by {by}"
    if dry_run:
        click.echo(f"{count}: nothing is written by --dry-run")
        click.echo(f"next: {command_again(without=('dry_run',))}")
        return
    click.echo(f"wrote {path}: {count}")
    again = f"{directions_again(given_path)}{code_again(generator, generator_name, external)}"
    click.echo(f"next: ganwalk render{again} --direction all")


def _label_lines(labels: Mapping[int, Label]) -> list[str]:
    """Directions as a list, by number: the name, the marks and the note of each."""
    names = {k: label.name + " *" * label.starred + " (hidden)" * label.hidden for k, label in labels.items()}
    width = max(map(len, names.values()))
    return [f"{k:>4}  {names[k]:<{width}}  {label.note}".rstrip() for k, label in labels.items()]
