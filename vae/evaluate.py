"""`python -m vae.evaluate`: scores trained models by every metric, and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.errors import GanwalkError
from ganwalk.files import check_writable, hash_file
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options, data_options
from ganwalk.progress.bars import progress_bar
from ganwalk.terminal import download_watch, quoted, run_command, set_up_torch
from vae.settings import CONFIG_FILE, MODEL_FILE, ScoringSettings, TrainingSettings, load_settings

if TYPE_CHECKING:
    from ganwalk.files.data_place import DataPlace
    from vae.data.base import ImageData
    from vae.models import VAE
    from vae.scores.comparison import Group, ScoredRun

_PROGRAM = "python -m vae.evaluate"
# Of the evaluation of a run, as `evaluate_model` tells them.
_PARTS = ("encoding", "reconstructing", "scoring")
# Settings whose traversals are drawn, the first ones, and where.
_SHEETS, _TOGETHER = 12, "traversals.png"


@click.command(
    name=_PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: python -m vae.evaluate vae-runs/sprites-beta-seed0 vae-runs/sprites-beta-topdis-seed0",
)
@click.argument("runs", type=PATH, nargs=-1, required=True)
@settings_options("scoring", ScoringSettings())
@click.option(
    "-o",
    "--out",
    type=PATH,
    default=Path("vae-comparison"),
    show_default=True,
    help="Folder for the comparison of several runs.",
)
@click.option(
    "--force",
    "--overwrite",
    "overwrite",
    is_flag=True,
    help="Replace full scores by quick ones, and a comparison of other runs.",
)
@click.option(
    "--centrality",
    is_flag=True,
    help="Of several runs on one data set, ModelCentrality too; takes as long as there are pairs of runs.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the scores of every run as JSON instead of a table.")
@data_options
@common_options
def command(
    runs: tuple[Path, ...],
    scoring: ScoringSettings,
    out: Path,
    overwrite: bool,
    centrality: bool,
    as_json: bool,
    data: DataPlace,
    device: str,
    threads: int | None,
    quiet: bool,
) -> None:
    """Score the models in the folders RUNS of python -m vae.train by every metric.

    Writes scores.json and effects.png into each folder. Of several runs it also writes a table and a picture into
    --out, with means over those that differ in their seed only, and, if their data sets are the same, how far their
    codes agree (UDR, between seeds) and their traversals from one picture.
    """
    set_up_torch(device, threads)
    import json

    import torch

    from vae.runs.folder import load_model
    from vae.runs.run import load_data
    from vae.scores.comparison import agreement, grouped, standing_lines, with_udr, write_comparison
    from vae.scores.evaluation import check_fit
    from vae.scores.tables import score_table

    runs = _distinct(runs)
    _check_scores(runs, scoring, overwrite)
    settings = [load_settings(run / CONFIG_FILE, written=True) for run in runs]
    models = [
        load_model(run, getattr(torch, one.precision)).to(device) for run, one in zip(runs, settings, strict=True)
    ]
    # Codes are drawn uniformly whatever the training drew, so runs on correlated factors share the data set too.
    distinct = {(one.dataset, one.resolution): one for one in settings}
    same = len(runs) > 1 and len(distinct) == 1
    if centrality and not same:
        raise GanwalkError("--centrality compares runs on one data set: leave it out, or give several such runs")
    if len(runs) > 1:
        _check_comparison(out, runs, overwrite)
    with download_watch(quiet) as on_bytes:
        loaded = {key: load_data(one, data.watched(on_bytes)) for key, one in distinct.items()}
    sets = [loaded[one.dataset, one.resolution] for one in settings]
    for run, model, images in zip(runs, models, sets, strict=True):
        check_fit(model, images, str(run))
    scored, written = _score(runs, settings, models, sets, scoring, threads, quiet)
    agreed = agreement(models, sets[0], seed=scoring.seed, centrality=centrality) if same else None
    if agreed is not None:
        scored = with_udr(scored, agreed)
    groups = grouped(scored)
    if len(runs) > 1:
        written += write_comparison(out, scored, groups, agreed)
    if same:
        written.append(_draw_together(out, scored, groups, models, sets[0], scoring.seed))
    if as_json:
        click.echo(json.dumps({str(run.folder): run.scores.values for run in scored}))
        return
    titles = [group.label for group in groups]
    for line in score_table([g.means for g in groups], titles, [g.deviations for g in groups]):
        click.echo(line)
    for line in standing_lines(scored, groups):
        click.echo(line)
    click.echo(f"wrote {', '.join(str(path) for path in written)}")
    if len(runs) == 1:
        picture = runs[0] / "traversals.png"
        look = f"look at {quoted(picture)}, or " if picture.exists() else ""
        click.echo(f"next: {look}compare with another run: {_PROGRAM} {quoted(runs[0])} ANOTHER")
    else:
        click.echo(f"next: look at {quoted(out / 'comparison.png')}")


def _distinct(runs: Sequence[Path]) -> tuple[Path, ...]:
    """The runs, each once, however often and by whichever path it is given: the same twice would agree with itself.

    Raises:
        GanwalkError: two folders hold the same model.
    """
    found = {run.resolve(): run for run in reversed(runs)}
    models: dict[str, Path] = {}
    for run in reversed(found.values()):
        if not (run / MODEL_FILE).is_file():
            # What is missing is said where it is read.
            continue
        other = models.setdefault(hash_file(run / MODEL_FILE), run)
        if other != run:
            raise GanwalkError(f"{run} holds the model of {other}: leave one of them out")
    return tuple(reversed(found.values()))


def _check_scores(runs: Sequence[Path], scoring: ScoringSettings, overwrite: bool) -> None:
    """Refuses to replace full scores by quick ones."""
    from vae.runs.folder import holds_full_scores

    if scoring.metrics == "quick" and not overwrite:
        for run in filter(holds_full_scores, runs):
            raise GanwalkError(f"{run} holds full scores: leave --metrics quick out, or replace them with --force")


def _check_comparison(out: Path, runs: tuple[Path, ...], overwrite: bool) -> None:
    """Refuses a folder that cannot be written, or holds a comparison of other runs."""
    from vae.scores.comparison import holds_other_comparison

    check_writable(out / _TOGETHER)
    if holds_other_comparison(out, runs) and not overwrite:
        raise GanwalkError(f"{out} compares other runs: choose another --out, or replace that with --force")


def _score(
    runs: Sequence[Path],
    settings: Sequence[TrainingSettings],
    models: Sequence[VAE],
    sets: Sequence[ImageData],
    scoring: ScoringSettings,
    threads: int | None,
    quiet: bool,
) -> tuple[list[ScoredRun], list[Path]]:
    """The scores of runs, written into their folders, and the files that were written."""
    from vae.runs.outputs import write_scores
    from vae.scores.comparison import ScoredRun
    from vae.scores.evaluation import evaluate_model

    level: Any = scoring.metrics
    scored: list[ScoredRun] = []
    written: list[Path] = []
    with progress_bar(len(_PARTS) * len(runs), "evaluating", quiet) as advance:

        def tell(what: str) -> None:
            advance(len(_PARTS) * len(scored) + _PARTS.index(what), f"{run}: {what}")

        for run, one, model, data in zip(runs, settings, models, sets, strict=True):
            found = evaluate_model(model, data, level=level, seed=scoring.seed, threads=threads, on_progress=tell)
            written += write_scores(found, data, run, level=level, seed=scoring.seed)
            scored.append(ScoredRun(run, one, found))
    return scored, written


def _draw_together(
    out: Path, scored: Sequence[ScoredRun], groups: Sequence[Group], models: Sequence[VAE], data: ImageData, seed: int
) -> Path:
    """Traversals of one model for each setting, from one picture; returns the file."""
    from vae.runs.outputs import draw_traversals

    first = [group.places[0] for group in groups[:_SHEETS]]
    titles = [f"{g.label}, seed {scored[place].settings.seed}" for g, place in zip(groups, first, strict=False)]
    chosen = dict(zip(titles, [models[place] for place in first], strict=True))
    draw_traversals(chosen, data, out / _TOGETHER, seed=seed)
    return out / _TOGETHER


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    run_command(command, _PROGRAM, arguments)


if __name__ == "__main__":
    main()
