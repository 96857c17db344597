"""`ganwalk report`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ganwalk.commands.options import (
    PATH,
    batch_option,
    code_again,
    common_options,
    cutoff_option,
    directions_option,
    external_options,
    found_class_option,
    generator_option,
    layers_option,
    newest_directions,
    percent,
    reach_option,
    truncation_option,
)
from ganwalk.terminal import download_watch, progress_bar, quoted, set_up_torch


@click.command(epilog="Example: ganwalk report --seeds 1-3 --out smile.html")
@directions_option
@generator_option
@click.option("-o", "--out", type=PATH, help="HTML to write [default: report.html beside the directions].")
@click.option("--seeds", "seeds_text", default="1-2", show_default=True, help="Samples, such as 1-2 or 3,8,20-22.")
@reach_option
@click.option("--steps", type=click.IntRange(2, 101), default=13, show_default=True, help="Pictures from end to end.")
@truncation_option
@cutoff_option
@layers_option
@found_class_option
@batch_option
@click.option("--hidden", is_flag=True, help="Show the hidden directions, too.")
@click.option(
    "--evaluate/--no-evaluate",
    "scored",
    default=True,
    show_default=True,
    help="Show scores: those of evaluation.json beside the directions, or, if it has none of them, new ones "
    "(slow for large generators).",
)
@common_options
@external_options
def report(
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    seeds_text: str,
    amplitude: float,
    steps: int,
    truncation: float,
    truncation_cutoff: int | None,
    layers_text: str | None,
    class_index: int | None,
    batch: int,
    hidden: bool,
    scored: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
) -> None:
    """Write one HTML file about directions that can be sent to others: pictures to scrub, scores, settings.

    It needs no network. Twenty directions take at most 15 MB.
    """
    set_up_torch(device, threads)
    from ganwalk.directions import Directions
    from ganwalk.evaluation.run import evaluate as score
    from ganwalk.evaluation.stored import evaluation_beside, load_evaluation
    from ganwalk.generators.loading import load_directions_generator
    from ganwalk.rendering.ranges import parse_layers, parse_seeds
    from ganwalk.rendering.report import ReportSettings, check_report, write_report

    path = directions_path or newest_directions()
    directions = Directions.load(path)
    class_index = directions.class_index if class_index is None else class_index
    settings = ReportSettings(
        seeds=tuple(parse_seeds(seeds_text)),
        amplitude=amplitude,
        steps=steps,
        truncation_psi=truncation,
        truncation_cutoff=truncation_cutoff,
        class_index=class_index,
        layers=parse_layers(layers_text) if layers_text else None,
        hidden=hidden,
        batch=batch,
    )
    evaluation = load_evaluation(evaluation_beside(path), directions) if scored else None
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions.generator, name, device, on_bytes, **external)
    without_bar = quiet or not sys.stderr.isatty()
    target = out or path.parent / "report.html"
    check_report(target, generator, directions, settings)
    if scored and evaluation is None:
        with progress_bar(100, "evaluating", without_bar) as advance:
            evaluation = score(
                generator,
                directions,
                threads=threads,
                on_progress=lambda stage, share: advance(round(100 * share), stage),
                reconstructor=False,
                truncation_psi=truncation,
                class_index=class_index,
            ).to_json()
    with progress_bar(100, "rendering", without_bar) as advance:
        write_report(
            target,
            generator,
            directions,
            settings,
            evaluation=evaluation,
            directions_file=path.name,
            progress=percent(advance),
        )
    click.echo(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    where = f" --directions {quoted(directions_path)}" if directions_path else ""
    click.echo(f"next: ganwalk explore{where}{code_again(generator, name, external)}")
