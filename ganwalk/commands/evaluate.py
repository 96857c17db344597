"""`ganwalk evaluate` and `ganwalk compare`."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    PATH,
    class_option,
    classifier_options,
    code_again,
    common_options,
    directions_option,
    external_options,
    finite,
    found_class_option,
    generator_option,
    ledger_options,
    newest_directions,
    truncation_option,
)
from ganwalk.errors import GanwalkError
from ganwalk.terminal import download_watch, make_folder, progress_bar, quoted, set_up_torch

if TYPE_CHECKING:
    from ganwalk.evaluation import Evaluation
    from ganwalk.ledger import Placement

# The scoring batch of comparisons shares no latent with the discoveries' own.
_SCORING_SEED = 2**40


@click.command(epilog="Example: ganwalk evaluate --directions ganwalk-out/directions.safetensors --amplitude 2")
@directions_option
@generator_option
@click.option("-o", "--out", type=PATH, help="Folder for the results [default: that of the directions].")
@click.option("--samples", type=click.IntRange(4), help="Samples to shift [default: 100, or 32 above 128 px].")
@click.option(
    "--amplitude",
    type=click.FloatRange(0, min_open=True),
    callback=finite,
    default=1.0,
    show_default=True,
    help="Length of a shift in standard deviations along the direction.",
)
@click.option(
    "--reconstructor/--no-reconstructor",
    default=True,
    show_default=True,
    help="Train a network that tells directions apart (the slowest part).",
)
@truncation_option
@found_class_option
@click.option("--chunk", type=click.IntRange(1), help="Images synthesised at once (memory).")
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
@common_options
@external_options
@classifier_options
def evaluate(
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    samples: int | None,
    amplitude: float,
    reconstructor: bool,
    truncation: float,
    class_index: int | None,
    chunk: int | None,
    seed: int,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
    make_reader: Callable[[Any, int | None], Any],
) -> None:
    """Score directions: against known axes and factors where there are any, and without labels.

    Writes evaluation.json, evaluation.csv and evaluation.png.
    """
    set_up_torch(device, threads)
    from ganwalk.directions import Directions
    from ganwalk.evaluation.outputs import write_outputs
    from ganwalk.evaluation.run import evaluate as score
    from ganwalk.generators.loading import load_directions_generator

    path = directions_path or newest_directions()
    directions = Directions.load(path)
    class_index = directions.class_index if class_index is None else class_index
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions.generator, name, device, on_bytes, **external)
    reader = make_reader(generator, class_index)
    folder = out or path.parent
    make_folder(folder)
    with progress_bar(100, "evaluating", quiet or not sys.stderr.isatty()) as advance:
        evaluation = score(
            generator,
            directions,
            reader=reader,
            threads=threads,
            on_progress=lambda stage, share: advance(round(100 * share), stage),
            samples=samples,
            amplitude=amplitude,
            reconstructor=reconstructor,
            truncation_psi=truncation,
            class_index=class_index,
            chunk=chunk,
            seed=seed,
        )
    written = write_outputs(evaluation, folder)
    _print_evaluation(evaluation)
    click.echo(f"wrote {', '.join(map(str, written))}")
    where = f" --directions {quoted(directions_path)}" if directions_path else ""
    click.echo(f"next: ganwalk render{where}{code_again(generator, name, external)} --direction all")


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
@click.option("-n", "--n-directions", type=click.IntRange(1), default=10, show_default=True, help="How many to find.")
@click.option("-o", "--out", type=PATH, default=Path("ganwalk-comparison"), show_default=True, help="Folder.")
@click.option("--space", type=click.Choice(["w", "z"]), help="Latent space [default: w if the generator has one].")
@click.option("--layers", "layers_text", metavar="A-B", help="Shift only these layers' styles [default: all].")
@click.option("--layer", type=click.IntRange(0), help="Compare the features of this layer [default: the image].")
@click.option("--steps", type=click.IntRange(0), default=200, show_default=True, help="Steps of rtd and hessian.")
@click.option("--samples", type=click.IntRange(4), help="Latents of the scores [default: 100, 32 above 128 px].")
@click.option("--reconstructor", is_flag=True, help="Also train a network that tells the directions apart (slow).")
@class_option
@click.option("--resume", is_flag=True, help="Keep the finished runs in --out, and continue the interrupted one.")
@ledger_options("ganwalk.evaluation.comparison")
@common_options
@external_options
@classifier_options
def compare(
    name: str,
    methods_text: str,
    seeds: int,
    n_directions: int,
    out: Path,
    space: str | None,
    layers_text: str | None,
    layer: int | None,
    steps: int,
    samples: int | None,
    reconstructor: bool,
    class_index: int | None,
    resume: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
    make_reader: Callable[[Any, int | None], Any],
    where: Placement,
) -> None:
    """Compare methods over seeds: a table with mean ± std, a figure and a report.

    Methods are scored against true axes and factors where the generator has them (blobs, scenes), and without labels
    elsewhere. Writes report.md, comparison.png, comparison.csv, comparison.json and every run's directions into --out.
    """
    set_up_torch(device, threads)
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.evaluation import EvaluationSettings
    from ganwalk.evaluation.comparison import compare as run_comparison
    from ganwalk.evaluation.comparison_outputs import as_table, ranked, write_comparison
    from ganwalk.ledger import SharesMissing
    from ganwalk.rendering.ranges import parse_layers

    layers = parse_layers(layers_text) if layers_text else None
    load = functools.partial(_load_scored, name, device, external, make_reader, class_index)
    with download_watch(quiet) as on_bytes:
        generator, reader = load(on_bytes)
    make_folder(out)
    settings = DiscoverySettings(
        n_directions=n_directions, space=space, layers=layers, layer=layer, steps=steps, class_index=class_index
    )
    evaluation = EvaluationSettings(
        samples=samples, reconstructor=reconstructor, class_index=class_index, seed=_SCORING_SEED
    )
    hidden = quiet or not sys.stderr.isatty()
    try:
        with progress_bar(1000, "comparing", hidden) as advance:
            comparison = run_comparison(
                generator,
                settings,
                [method.strip() for method in methods_text.split(",")],
                range(seeds),
                evaluation=evaluation,
                reader=reader,
                folder=out / "runs",
                resume=resume,
                threads=threads,
                command=shlex.join(["ganwalk", *sys.argv[1:]]),
                on_progress=lambda what, share: advance(int(1000 * share), what),
                where=where,
                load=load,
            )
    except SharesMissing as missing:
        click.echo(str(missing))
        return
    except KeyboardInterrupt:
        click.echo("stopped; continue: the same command with --resume", err=True)
        raise
    if all(run.refusal for run in comparison.runs):
        raise GanwalkError(f"no method can serve this generator: {comparison.runs[0].refusal}")
    written = write_comparison(comparison, out)
    click.echo(as_table(comparison))
    click.echo(f"wrote {out}/: {', '.join(path.name for path in reversed(written))}, runs/")
    first = ranked(comparison)[0]
    run = next(run for run in comparison.runs if run.method == first)
    file = out / "runs" / f"{run.method}-{run.seed}" / "directions.safetensors"
    again = code_again(generator, name, external)
    click.echo(f"next: ganwalk render --directions {quoted(file)}{again} --direction all")


def _load_scored(
    name: str,
    device: str,
    external: dict[str, Any],
    make_reader: Callable[[Any, int | None], Any],
    class_index: int | None,
    on_bytes: Callable[[int, int | None], None] | None = None,
) -> tuple[Any, Any]:
    """The generator of a comparison and what reads its factors, in whichever process runs it."""
    from ganwalk.generators.loading import load_generator

    generator = load_generator(name, device, on_bytes, **external)
    return generator, make_reader(generator, class_index)


def _print_evaluation(evaluation: Evaluation) -> None:
    """A row for each direction, then the means."""
    rows = evaluation.rows()
    columns = (
        "axis",
        "cosine",
        "factor",
        "rtd",
        "displacement",
        "straightness",
        "interaction",
        "distinctness",
        "recall",
    )
    names = [name for name in columns if name in rows[0]]
    click.echo("  ".join([f"{'direction':<9}", *(f"{name:>12}" for name in names)]))
    for row in rows:
        cells = (row[name] for name in names)
        shown = (
            "-" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell)[:12] for cell in cells
        )
        click.echo("  ".join([f"{row['direction']:<9}", *(f"{cell:>12}" for cell in shown)]))
    for name, value in evaluation.summary().items():
        click.echo(f"{name.replace('_', ' '):<30} {'-' if value is None else f'{value:.3f}'}")
