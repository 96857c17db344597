"""`ganwalk compare`."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    External,
    check_data_root,
    classifier_options,
    external_options,
    force_option,
    with_what_there_is,
)
from ganwalk.commands.suggestions import code_again, command_again
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.evaluation.settings import OF_BATCHES, EvaluationSettings
from ganwalk.ledger.command_line import ledger_options
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options, data_options
from ganwalk.progress.bars import progress_bar
from ganwalk.terminal import download_watch, quoted, set_up_torch, told_how_to_continue

if TYPE_CHECKING:
    from ganwalk.files.data_place import DataPlace
    from ganwalk.ledger import Placement

# The scoring batch of comparisons shares no latent with the discoveries' own.
_SCORING = EvaluationSettings(reconstructor=False, seed=2**40)


@click.command(epilog="Example: ganwalk compare --generator scenes --methods rtd,pca,random --seeds 5")
@click.option("-g", "--generator", "name", required=True, help="Checkpoint or name, as of discover.")
@click.option(
    "-m",
    "--methods",
    "methods_text",
    default="rtd,pca,sefa,jacobian,hessian,random",
    show_default=True,
    help="Methods, separated by commas.",
)
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Seeds per method, from 0.")
@click.option("-o", "--out", type=PATH, default=Path("ganwalk-comparison"), show_default=True, help="Folder.")
@settings_options("settings", DiscoverySettings(n_directions=10), without=("method", "seed", "compared"))
@settings_options("scoring", _SCORING, without=("amplitude", "chunk", "seed", "latents", *OF_BATCHES))
@data_options
@click.option("--resume", is_flag=True, help="Keep the finished runs in --out, and continue the interrupted one.")
@force_option
@ledger_options("ganwalk.evaluation.comparison")
@common_options
@external_options
@classifier_options
def compare(
    name: str,
    methods_text: str,
    seeds: int,
    out: Path,
    settings: DiscoverySettings,
    scoring: EvaluationSettings,
    data: DataPlace,
    resume: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
    make_reader: Callable[[Any, int | None], Any],
    where: Placement,
) -> None:
    """Compare methods over seeds: a table with mean ± std, a figure and a report.

    Methods are scored against true axes and factors where the generator has them (blobs, scenes), and without labels
    elsewhere. Writes report.md, comparison.png, comparison.csv, comparison.json and every run's directions into --out.
    """
    check_data_root(scoring, data)
    set_up_torch(device, threads)
    from ganwalk.directions import DIRECTIONS_FILE
    from ganwalk.evaluation.comparison import check_methods
    from ganwalk.evaluation.comparison import compare as run_comparison
    from ganwalk.evaluation.comparison_outputs import as_table, ranked, write_comparison
    from ganwalk.files import owned_folder
    from ganwalk.ledger import SharesMissing

    methods = [method.strip() for method in methods_text.split(",")]
    check_methods(methods)
    if not (resume or force):
        _check_runs(out, shared=where.shard is not None)
    load = functools.partial(_load_scored, name, device, external, make_reader, settings.class_index)
    with download_watch(quiet) as on_bytes:
        generator, reader = load(on_bytes)
    settings = with_what_there_is(settings, generator, quiet)
    # Directions are scored on batches like those that they were found on.
    shared = {name: getattr(settings, name) for name in ("chunk", *OF_BATCHES)}
    scoring = replace(scoring, **shared)
    # Shares of one comparison are one run in several places.
    owned = contextlib.nullcontext() if where.shard is not None else owned_folder(out)
    try:
        with owned, told_how_to_continue([out / "runs"]), progress_bar(1000, "comparing", quiet) as advance:
            comparison = run_comparison(
                generator,
                settings,
                methods,
                range(seeds),
                evaluation=scoring,
                reader=reader,
                data=data,
                folder=out / "runs",
                resume=resume,
                threads=threads,
                command=command_again(),
                on_progress=lambda what, share: advance(int(1000 * share), what),
                where=where,
                load=load,
            )
    except SharesMissing as missing:
        click.echo(str(missing))
        return
    if all(run.refusal for run in comparison.runs):
        raise GanwalkError(f"no method can serve this generator: {comparison.runs[0].refusal}")
    written = write_comparison(comparison, out)
    click.echo(as_table(comparison))
    click.echo(f"wrote {out}/: {', '.join(path.name for path in reversed(written))}, runs/")
    first = ranked(comparison)[0]
    run = next(run for run in comparison.runs if run.method == first)
    file = out / "runs" / f"{run.method}-{run.seed}" / DIRECTIONS_FILE
    again = code_again(generator, name, external)
    click.echo(f"next: ganwalk render --directions {quoted(file)}{again} --direction all")


def _check_runs(out: Path, *, shared: bool) -> None:
    """Refuses to replace a comparison, or the finished runs of one; runs of other shares are no matter."""
    done = len(list((out / "runs").glob("*/run.json")))
    if (out / "comparison.json").exists() or (done and not shared):
        raise GanwalkError(
            f"{out} holds a comparison ({done} finished runs): keep them with --resume, replace them with --force, "
            "or choose another folder with --out"
        )


def _load_scored(
    name: str,
    device: str,
    external: External,
    make_reader: Callable[[Any, int | None], Any],
    class_index: int | None,
    on_bytes: Callable[[int, int | None], None] | None = None,
) -> tuple[Any, Any]:
    """The generator of a comparison and what reads its factors, in whichever process runs it."""
    from ganwalk.generators.loading import load_generator

    generator = load_generator(name, device, on_bytes, **external)
    return generator, make_reader(generator, class_index)
