"""`ganwalk name --auto`: names that are found, and how names are listed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from ganwalk.commands.estimates import announce
from ganwalk.commands.options import code_again, command_again, directions_again, open_directions
from ganwalk.errors import GanwalkError
from ganwalk.labels import Label
from ganwalk.naming.settings import NamingSettings
from ganwalk.progress import progress_bar
from ganwalk.terminal import download_watch, set_up_torch


def name_automatically(
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
    external: dict[str, Any],
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
    from ganwalk.generators.loading import load_directions_generator
    from ganwalk.naming.suggest import choose_reader, seconds_of_naming, suggest_names
    from ganwalk.naming.words import with_names

    path, directions = open_directions(given_path, quiet or as_json)
    asked = list(range(len(directions))) if direction is None else [directions.find(direction)]
    chosen = [index for index in asked if force or not directions.labels[index].name]
    kept = [index for index in asked if index not in chosen]
    if not chosen:
        raise GanwalkError("nothing to name: the directions have names already, which --force replaces")
    if settings.class_index is None:
        settings = replace(settings, class_index=directions.class_index)
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions.generator, generator_name, device, on_bytes, **external)
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
    for line in label_lines({index: labels[index] for index in chosen}):
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


def label_lines(labels: Mapping[int, Label]) -> list[str]:
    """Directions as a list, by number: the name, the marks and the note of each."""
    names = {k: label.name + " *" * label.starred + " (hidden)" * label.hidden for k, label in labels.items()}
    width = max(map(len, names.values()))
    return [f"{k:>4}  {names[k]:<{width}}  {label.note}".rstrip() for k, label in labels.items()]
