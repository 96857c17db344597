"""`ganwalk report`."""

from __future__ import annotations

from pathlib import Path

import click

from ganwalk.commands.options import (
    External,
    directions_option,
    external_options,
    force_option,
    generator_option,
    open_directions,
    open_generator,
    percent,
)
from ganwalk.commands.suggestions import code_again, directions_again
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import late_bar, progress_bar
from ganwalk.progress.estimates import announce
from ganwalk.rendering.report.settings import ReportSettings
from ganwalk.terminal import set_up_torch


@click.command(epilog="Example: ganwalk report --seeds 1-3 --out smile.html")
@directions_option
@generator_option
@click.option("-o", "--out", type=PATH, help="HTML to write [default: beside the directions, named by the options].")
@settings_options("settings", ReportSettings())
@click.option(
    "--evaluate/--no-evaluate",
    "scored",
    default=True,
    show_default=True,
    help="Show scores: those of evaluation.json beside the directions, or, if it has none of them, new ones "
    "(slow for large generators).",
)
@force_option
@common_options
@external_options
def report(
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    settings: ReportSettings,
    scored: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Write one HTML file about directions that can be sent to others: pictures to scrub, scores, settings.

    It needs no network. Twenty directions take at most 15 MB.
    """
    set_up_torch(device, threads)
    from ganwalk.evaluation.run import run_evaluation
    from ganwalk.evaluation.stored import evaluation_beside, load_evaluation
    from ganwalk.generators.timing import seconds_per_latent
    from ganwalk.interchange.latents import class_of_samples
    from ganwalk.options.words import command_words
    from ganwalk.rendering.naming import check_replaceable, mark_of, settings_name, stem_among_others
    from ganwalk.rendering.report import check_report, write_report
    from ganwalk.rendering.report.page import count_pictures

    path, directions = open_directions(directions_path, quiet)
    evaluation = load_evaluation(evaluation_beside(path), directions) if scored else None
    generator = open_generator(directions, name, external, device=device, quiet=quiet)
    found_class = class_of_samples(directions, settings.latents, generator)
    settings = as_discovered(settings, found_class)
    words = command_words(settings.named(), ReportSettings(class_index=found_class), without=("batch",)) or []
    target = out or path.parent / f"{settings_name(stem_among_others(path) + 'report', words)}.html"
    check_report(target, generator, directions, settings)
    samples = settings.resolve(generator).samples(generator)
    # The names of files do not tell what is in them.
    shown = {"latents": samples} if settings.latents else {}
    mark = mark_of(directions, {"report": words, **shown})
    check_replaceable(target, mark, force)
    if scored and evaluation is None:
        # Late: it would stand where the estimate is to be told.
        with late_bar("evaluating", quiet) as advance:
            evaluation = run_evaluation(
                generator,
                directions,
                EvaluationSettings(
                    truncation_psi=settings.truncation_psi,
                    truncation_cutoff=settings.truncation_cutoff,
                    class_index=directions.class_index if settings.latents else settings.class_index,
                    reconstructor=False,
                ),
                threads=threads,
                on_progress=lambda stage, share: advance(round(100 * share), stage),
                on_estimate=lambda seconds: announce("evaluating", seconds, "--no-evaluate leaves it out", quiet),
            ).to_json()
    settings = settings.resolve(generator)
    if not quiet:
        seconds = count_pictures(directions, settings, len(samples)) * seconds_per_latent(generator)
        announce("rendering", seconds, "fewer --steps or --seeds shorten it", quiet)
    with progress_bar(100, "rendering", quiet) as advance:
        write_report(
            target,
            generator,
            directions,
            settings,
            evaluation=evaluation,
            directions_file=path.name,
            mark=mark,
            progress=percent(advance),
        )
    click.echo(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    where = directions_again(directions_path)
    click.echo(f"next: ganwalk explore{where}{code_again(generator, name, external)}")
