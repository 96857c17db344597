"""`ganwalk evaluate`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    External,
    check_data_root,
    classifier_options,
    directions_option,
    external_options,
    force_option,
    generator_option,
    open_directions,
    open_generator,
)
from ganwalk.commands.suggestions import code_again, directions_again
from ganwalk.errors import one_line
from ganwalk.evaluation.settings import EvaluationSettings
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options, data_options
from ganwalk.options.latents import as_discovered
from ganwalk.progress.bars import late_bar
from ganwalk.progress.estimates import announce
from ganwalk.tables import table_lines
from ganwalk.terminal import download_watch, quoted, set_up_torch

if TYPE_CHECKING:
    from ganwalk.evaluation import Evaluation
    from ganwalk.files.data_place import DataPlace


@click.command(epilog="Example: ganwalk evaluate --directions ganwalk-out/directions.safetensors --amplitude 2")
@directions_option
@generator_option
@click.option("-o", "--out", type=PATH, help="Folder for the results [default: that of the directions].")
@settings_options("settings", EvaluationSettings())
@data_options
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--explain", is_flag=True, help="Also say what each score means.")
@force_option
@common_options
@external_options
@classifier_options
def evaluate(
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    settings: EvaluationSettings,
    data: DataPlace,
    as_json: bool,
    explain: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
    make_reader: Callable[[Any, int | None], Any],
) -> None:
    """Score directions: against known axes and factors where there are any, and without labels.

    Writes evaluation.json, evaluation.csv and evaluation.png; with --representation also encoder.safetensors, by which
    ganwalk encode reads pictures.
    """
    check_data_root(settings, data)
    set_up_torch(device, threads)
    from ganwalk.evaluation.outputs import EVALUATION_FILE, write_outputs
    from ganwalk.evaluation.run import run_evaluation
    from ganwalk.evaluation.stored import check_other_scores
    from ganwalk.files import made_folder
    from ganwalk.interchange.latents import class_of_samples

    path, directions = open_directions(directions_path, quiet or as_json)
    generator = open_generator(directions, name, external, device=device, quiet=quiet)
    settings = as_discovered(settings, class_of_samples(directions, settings.latents, generator))
    reader = make_reader(generator, settings.class_index)
    folder = out or path.parent
    if not force:
        check_other_scores(folder / EVALUATION_FILE, directions, settings.resolve(generator), generator)
    # Late: it would stand where the estimate is to be told.
    with (
        made_folder(folder),
        download_watch(quiet) as on_bytes,
        late_bar("evaluating", quiet) as advance,
    ):
        evaluation = run_evaluation(
            generator,
            directions,
            settings,
            reader=reader,
            data=data.watched(on_bytes),
            threads=threads,
            on_progress=lambda stage, share: advance(round(100 * share), stage),
            on_estimate=lambda seconds: announce("evaluating", seconds, _shorter(settings), quiet),
        )
        written = write_outputs(evaluation, folder)
    if as_json:
        click.echo(json.dumps(evaluation.to_json(), indent=1))
        return
    _print_evaluation(evaluation)
    if explain:
        _print_meanings(evaluation)
    click.echo(f"wrote {', '.join(map(str, written))}")
    where = directions_again(directions_path)
    if evaluation.representation is not None:
        # No command to type as it stands: whose pictures, nobody knows here.
        click.echo(f"note: with --encoder {quoted(written[0])}, ganwalk encode{where} reads pictures")
    click.echo(f"next: ganwalk render{where}{code_again(generator, name, external)} --direction all")


def _shorter(settings: EvaluationSettings) -> str:
    """What makes an evaluation shorter, in words."""
    if settings.representation:
        return "fewer --encoder-pairs and --encoder-steps, or --metrics quick shorten it"
    return "fewer --samples or --no-reconstructor shorten it"


def _print_evaluation(evaluation: Evaluation) -> None:
    """A row for each direction, faint where it has no effect, then the means and the best that they could be."""
    from ganwalk.evaluation.meanings import NO_EFFECT, SCORES, has_no_effect

    rows = evaluation.rows()
    names = [name for name in rows[0] if name in SCORES]
    table = [["direction", *names]]
    for row in rows:
        cells = [_cell(row[name]) for name in names]
        if has_no_effect(row) and "factor" in row:
            cells[names.index("factor")] = NO_EFFECT
        table.append([str(row["direction"]), *cells])
    for k, line in enumerate(table_lines(table)):
        faint = k > 0 and has_no_effect(rows[k - 1])
        if faint and NO_EFFECT not in table[k]:
            line += f"  {NO_EFFECT}"
        click.echo(click.style(line, dim=True) if faint else line)
    best, summary = evaluation.best_possible(), evaluation.summary()
    longest = max(map(len, summary))
    for name, value in summary.items():
        limit = f"  at most {best[name][0]:.3f}: {best[name][1]}" if name in best else ""
        click.echo(f"{name.replace('_', ' '):<{longest}} {_cell(value)}{limit}")
    if evaluation.latents:
        click.echo(f"around {evaluation.latents}, not around drawn samples")
    if evaluation.compared is not None:
        layer, resolution = evaluation.compared
        click.echo(f"scores without labels are of features of layer {layer} ({resolution} px), not of whole images")


def _print_meanings(evaluation: Evaluation) -> None:
    """A line for every score that was shown."""
    from ganwalk.evaluation.meanings import OF_ALL, OF_DIRECTIONS, SUBJECTS

    shown = {**SUBJECTS, **OF_DIRECTIONS}
    meanings = {name: shown[name].meaning for name in evaluation.rows()[0] if name in shown}
    meanings |= {name: OF_ALL[name].meaning for name in evaluation.summary() if name not in meanings}
    for name, meaning in meanings.items():
        click.echo(f"  {name.replace('_', ' ')}: {meaning}")


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else one_line(str(value), 20)
