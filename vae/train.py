"""`python -m vae.train`: trains a VAE with or without the TopDis term, evaluates it and draws what it learned."""

from __future__ import annotations

import contextlib
import os
import time
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ganwalk.errors import GanwalkError
from ganwalk.files import owned_folder
from ganwalk.files.data_place import DataPlace
from ganwalk.ledger import Placement, SharesMissing
from ganwalk.ledger.command_line import ledger_options
from ganwalk.options import Option, TextForm, options_of
from ganwalk.options.command_line import PATH, click_option, field_options
from ganwalk.options.common import common_options, data_options
from ganwalk.options.ranges import format_seeds, parse_seeds
from ganwalk.options.words import shown_default
from ganwalk.progress.bars import progress_bar, say
from ganwalk.progress.estimates import announcement
from ganwalk.resuming.agreement import check_same
from ganwalk.terminal import download_watch, quoted, retyped, run_command, set_up_torch, told_how_to_continue
from vae.objectives import OBJECTIVES, check_options
from vae.presets import PRESETS, presets_help, unknowns_help
from vae.runs.grid import TRAINED, Making, but_for_seeds, members, parse_arms, run_grid
from vae.settings import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    TOPDIS,
    TopDisSettings,
    TrainingSettings,
    changed,
    from_json,
    load_settings,
    run_name,
    to_json,
)

_RUNS = Path("vae-runs")
_PROGRAM = "python -m vae.train"
_SEEDS = TextForm("11-18", parse_seeds, format_seeds)
_ARMS = TextForm("plain,topdis", parse_arms, ",".join)
# What a run's configuration does not hold.
_NOT_SAVED = ("data_root", "download", "device", "metrics", "look_every", "tensorboard", "threads")
# Seconds of steps that tell how long all of them take.
_TRIED = 5.0
# Of the progress of a run: how much is done when the steps are, and where each part begins that follows them.
_PARTS = 1000
_TRAINED = int(_PARTS * TRAINED)
_AFTER = {"drawing": _TRAINED, "encoding": 870, "reconstructing": 880, "scoring": 890}


def _objective_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each setting of the objectives; those that share a name share the option."""
    owners: dict[str, dict[str, Option]] = {}
    for objective, entry in OBJECTIVES.items():
        for name, about in options_of(entry.settings).items():
            owners.setdefault(name, {})[objective] = about
    for name, found in reversed(owners.items()):
        defaults = ", ".join(
            f"{objective}: {shown_default(about, getattr(OBJECTIVES[objective].settings(), name))}"
            for objective, about in found.items()
        )
        objective, about = next(iter(found.items()))
        annotation = typing.get_type_hints(OBJECTIVES[objective].settings)[name]
        command = click_option(name, name, about, annotation, f"{about.help} [{defaults}]")(command)
    return command


def _listed(name: str, form: TextForm, help: str) -> Callable[..., Any]:
    """An option whose text stands for several values; None if it is not typed."""
    return click_option(name, name, Option(help, text=form), str, help)


@click.command(
    name=_PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: python -m vae.train --dataset scenes --objective factor --gamma 10 --steps 20000 --seed 1\n\n"
    + unknowns_help(),
)
@field_options(TrainingSettings)
@data_options
@click.option("--topdis/--no-topdis", default=None, help="Train with or without the TopDis term [default: with].")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    metavar="NAME",
    help=presets_help(),
)
@click.option("--config", type=PATH, help="JSON of settings, such as a run's config.json; options go over it.")
@_objective_options
@field_options(TopDisSettings, prefix=TOPDIS, spelled="topdis-")
@click.option("-o", "--out", type=PATH, help=f"Folder of the run [default: one in {_RUNS}/ named by the settings].")
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--force", "--overwrite", "overwrite", is_flag=True, help="Start anew in a folder that holds a run.")
@click.option(
    "--metrics",
    type=click.Choice(["full", "quick", "none"]),
    default="full",
    show_default=True,
    help="Scores at the end.",
)
@click.option(
    "--look-every",
    type=click.IntRange(0),
    help="Steps between pictures and quick scores, up to the next row of metrics.csv; 0 for never [default: a fifth].",
)
@_listed("seeds", _SEEDS, "Train a model for each of these seeds, in lockstep, into folders in --out.")
@_listed("arms", _ARMS, "Train each of them without the TopDis term, with it, or both.")
@click.option(
    "--together", type=click.IntRange(1), help="Models of --seeds and --arms in lockstep in one job [default: all]."
)
@ledger_options("vae.runs.run")
@click.option("--tensorboard", is_flag=True, help="Also write event files for TensorBoard.")
@common_options
def command(
    data: DataPlace,
    preset: str | None,
    config: Path | None,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    metrics: str,
    look_every: int | None,
    seeds: Sequence[int] | None,
    arms: tuple[str, ...] | None,
    together: int | None,
    where: Placement,
    tensorboard: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Train a VAE on images with known factors, score it by every standard metric, and draw what it learned.

    Without options: β-VAE with TopDis on rendered sprites, sized for a CPU. Writes config.json, metrics.csv,
    model.safetensors, scores.json and pictures into the folder of the run. With several processes (torchrun), each
    takes batches of its own and gradients are averaged.
    """
    several = bool(seeds or arms)
    if not several and (together is not None or where != Placement()):
        raise GanwalkError("--together, --jobs, --shard and --cluster are for several models: add --seeds or --arms")
    if several and (tensorboard or int(os.environ.get("WORLD_SIZE", "1")) > 1):
        raise GanwalkError("--seeds and --arms go without --tensorboard and without torchrun: leave one of them out")
    if not several and resume and (out is None or config is not None or preset is not None):
        raise GanwalkError("--resume continues the run in --out FOLDER with its own settings: give that folder alone")
    if resume and overwrite:
        raise GanwalkError("--resume continues a run and --force removes it: leave one of them out")
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    own = resume and out is not None and not several
    saved = load_settings(out / CONFIG_FILE, written=True) if own and out is not None else None
    settings = changed(saved or _base(config, preset), given)
    if saved is not None and out is not None:
        check_same(out, to_json(saved), to_json(settings), "resume without other options, or choose another --out")
    check_options(settings.objective, settings.options)
    making = Making(
        root=out or _RUNS,
        data=data,
        together=together,
        metrics=None if metrics == "none" else metrics,
        look_every=look_every,
        device=device,
    )
    if several:
        trainings = members(settings, seeds or (), arms or (), _base(None, preset).topdis)
        _check_arms(trainings, given)
        _train_several(trainings, making, where, resume, overwrite, threads, quiet)
    else:
        folder = out or _RUNS / run_name(settings)
        _train_one(settings, folder, making, resume, overwrite, tensorboard, threads, quiet)


def _check_arms(trainings: Sequence[TrainingSettings], given: Mapping[str, Any]) -> None:
    """Refuses --arms that contradict what else was typed of the term."""
    having = [one.topdis is not None for one in trainings]
    if given.get("topdis") is False and any(having):
        raise GanwalkError("--no-topdis trains no arm topdis: leave one of them out")
    if not any(having) and (given.get("topdis") or any(name.startswith(TOPDIS) for name in given)):
        raise GanwalkError("--arms plain trains without the TopDis term: leave its options out, or add the arm topdis")


def _train_one(
    settings: TrainingSettings,
    folder: Path,
    making: Making,
    resume: bool,
    overwrite: bool,
    tensorboard: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Trains one model, in this process or in all of torchrun's, and prints its scores."""
    import torch

    from ganwalk.compute import parallel
    from vae.runs.folder import holds_full_scores
    from vae.runs.run import Plan, claim_folder, load_data, run_together, summary_writer
    from vae.scores.tables import score_table
    from vae.training.loop import check_first_step

    if resume and making.metrics == "quick" and holds_full_scores(folder):
        raise GanwalkError(f"{folder} holds full scores, which quick ones would replace: resume with --metrics none")
    device = parallel.own_device(making.device)
    set_up_torch(device, threads)
    again = f"{_PROGRAM} --resume --out {quoted(folder)}{retyped(*_NOT_SAVED)}"
    with (
        told_how_to_continue([folder / CHECKPOINT_FILE], again),
        parallel.process_group(torch.device(device)),
        owned_folder(folder) if parallel.rank() == 0 else contextlib.nullcontext(),
    ):
        leader = parallel.rank() == 0
        silent = quiet or not leader
        with download_watch(silent) as on_bytes, progress_bar(_PARTS, "training", silent) as advance:
            # First what may be refused, so that a refusal leaves nothing.
            data = load_data(settings, making.data.watched(on_bytes))
            if tensorboard:
                summary_writer()
            if not resume:
                check_first_step(settings, data, device=device, threads=threads)
                if leader:
                    claim_folder(folder, settings, overwrite=overwrite)
            (result,) = run_together(
                [Plan(settings, folder, resume)],
                data,
                device=device,
                threads=threads,
                metrics=making.metrics,  # type: ignore[arg-type]
                look_every=making.look_every,
                tensorboard=tensorboard,
                on_share=_announced(
                    lambda share, note: advance(int(_TRAINED * share), f"training, {note}".rstrip(", ")), silent
                ),
                on_progress=lambda what: advance(_AFTER.get(what, _TRAINED), what),
            )
    if leader:
        for line in score_table([result.scores]):
            click.echo(line)
        click.echo(f"wrote {folder}/: {', '.join(path.name for path in result.written)}")
        click.echo(f"next: python -m vae.evaluate {quoted(folder)}{retyped('data_root')}")


def _train_several(
    trainings: Sequence[TrainingSettings],
    making: Making,
    where: Placement,
    resume: bool,
    overwrite: bool,
    threads: int | None,
    quiet: bool,
) -> None:
    """Trains the models of a grid and prints the means of their scores, a column for each arm."""
    set_up_torch(making.device, threads)
    from vae.runs.run import load_data
    from vae.scores.comparison import spread_of
    from vae.scores.tables import score_table
    from vae.training.loop import check_first_step

    with download_watch(quiet) as on_bytes:
        # First what may be refused, and what is downloaded once for all jobs.
        data = load_data(trainings[0], making.data.watched(on_bytes))
        for one in [] if resume else but_for_seeds(trainings):
            check_first_step(one, data, device=making.device, threads=threads)
    arms = ["plain" if one.topdis is None else "topdis" for one in trainings]
    titles = list(dict.fromkeys(arms))
    folders = [making.root / run_name(one) for one in trainings]
    with told_how_to_continue(folders), progress_bar(_PARTS, "training", quiet) as advance:
        try:
            scores = run_grid(
                trainings,
                making,
                where,
                resume=resume,
                overwrite=overwrite,
                threads=threads,
                on_progress=lambda what, share: advance(int(_PARTS * share), what),
            )
        except SharesMissing as missing:
            click.echo(str(missing))
            return
    columns = [[found for found, arm in zip(scores, arms, strict=True) if arm == title] for title in titles]
    means, deviations = zip(*map(spread_of, columns), strict=True)
    for line in score_table(means, titles, deviations):
        click.echo(line)
    click.echo(f"wrote {len(trainings)} runs into {making.root}/")
    click.echo(f"next: python -m vae.evaluate {' '.join(map(quoted, folders))}{retyped('data_root')}")


def _announced(
    on_share: Callable[[float, str], None], quiet: bool, clock: Callable[[], float] = time.monotonic
) -> Callable[[float, str], None]:
    """`on_share` that also says, once some steps tell it, how long the rest of them takes if that is long."""
    began: tuple[float, float] | None = None
    said = quiet

    def told(share: float, note: str) -> None:
        nonlocal began, said
        on_share(share, note)
        if said:
            return
        # The first step is slower than others: what it needs is compiled in it.
        first, start = began = began or (share, clock())
        if (spent := clock() - start) >= _TRIED and share > first:
            said = True
            seconds = spent * (1 - share) / (share - first)
            if text := announcement("the training", seconds, "fewer --steps shorten it"):
                say(text)

    return told


def _base(config: Path | None, preset: str | None) -> TrainingSettings:
    """What options go over: a configuration, or the defaults as a preset changes them."""
    if config is not None and preset is not None:
        raise GanwalkError("--config and --preset both say what to start from: leave one of them out")
    if config is not None:
        return load_settings(config)
    chosen = PRESETS[preset or "cpu"]
    return from_json({**chosen.values, "unknown": list(chosen.unknown)}, "the preset")


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    run_command(command, _PROGRAM, arguments)


if __name__ == "__main__":
    main()
