"""`ganwalk info`, `models` and `convert`."""

from __future__ import annotations

from pathlib import Path

import click

from ganwalk.commands.options import External, external_options, force_option
from ganwalk.commands.suggestions import discovery_of
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH
from ganwalk.tables import table_lines
from ganwalk.terminal import download_watch


@click.command(epilog="Example: ganwalk info ffhq.pkl")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@external_options
def info(file: str, as_json: bool, external: External) -> None:
    """Say what a checkpoint is: format, architecture, sizes, hash."""
    import json

    from ganwalk.generators.loading import describe

    with download_watch(quiet=False) as on_bytes:
        description = describe(file, on_bytes, **external)
    if as_json:
        click.echo(json.dumps(description, indent=1))
        return
    shown = {key: value for key, value in description.items() if not isinstance(value, (list, dict))}
    width = max(map(len, shown))
    for key, value in shown.items():
        click.echo(f"{key:>{width}}  {value}")
    click.echo(f"next: {discovery_of(file, external)}")


@click.command(epilog="Example: ganwalk models --json")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def models(as_json: bool) -> None:
    """List the public checkpoints that can be downloaded by name."""
    import json
    from dataclasses import asdict

    from ganwalk.files import cache_folder
    from ganwalk.generators.catalog import cached_path, read_catalog

    entries = read_catalog().values()
    if as_json:
        facts = [
            {**asdict(entry), "path": str(cached_path(entry)), "cached": cached_path(entry).exists()}
            for entry in entries
        ]
        click.echo(json.dumps(facts, indent=1))
        return
    rows = [["name", "architecture", "kept", "licence", "px"]]
    for entry in entries:
        cached = "yes" if cached_path(entry).exists() else "-"
        rows.append([entry.name, entry.architecture, cached, entry.licence, str(entry.resolution)])
    for line in table_lines(rows, left=4):
        click.echo(line)
    click.echo(f"downloads are kept in {cache_folder()} (GANWALK_CACHE chooses another folder)")
    click.echo(f"next: {discovery_of(next(iter(entries)).name)}")


@click.command(epilog="Example: ganwalk convert ffhq.pkl ffhq.safetensors")
@click.argument("source", type=PATH)
@click.argument("target", type=PATH)
@force_option
def convert(source: Path, target: Path, force: bool) -> None:
    """Rewrite a checkpoint as safetensors: smaller, quick to load, and nothing in it can run."""
    from ganwalk.directions.files import holds_directions
    from ganwalk.files import check_free
    from ganwalk.files.download import first_read
    from ganwalk.generators.architectures import build_generator
    from ganwalk.generators.checkpoints import read_checkpoint
    from ganwalk.generators.checkpoints.native import write_native
    from ganwalk.generators.loading import checkpoint_path

    if target.suffix != ".safetensors":
        raise GanwalkError(f"{target} must end in .safetensors, the format that convert writes")
    check_free(target, force)
    if holds_directions(target):
        raise GanwalkError(f"{target} holds directions, which no generator replaces: choose another name")
    with download_watch(quiet=False) as on_bytes:
        path = checkpoint_path(source, on_bytes)
    with first_read(path):
        checkpoint = read_checkpoint(path)
        build_generator(checkpoint.config, checkpoint.tensors, path)
    origin = {"source": path.name, "source_sha256": checkpoint.source_sha256 or checkpoint.sha256}
    write_native(checkpoint.config, checkpoint.tensors, target, **origin)
    click.echo(f"wrote {target}")
    click.echo(f"next: {discovery_of(target)}")
