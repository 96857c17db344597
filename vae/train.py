"""`python -m vae.train`: trains a VAE with or without the TopDis term, evaluates it and draws what it learned."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from ganwalk.errors import GanwalkError
from ganwalk.records import scalar_type
from ganwalk.terminal import download_watch, make_folder, progress_bar, quoted, run_command, set_up_torch
from vae.checkpoints import CHECKPOINT_FILE
from vae.data import DATASETS
from vae.objectives import OBJECTIVES, check_options
from vae.settings import (
    CONFIG_FILE,
    PRECISIONS,
    PRESETS,
    TOPDIS,
    TrainingSettings,
    changed,
    from_json,
    load_settings,
    run_name,
)
from vae.topdis import CODES, SAMPLERS, SHIFT_GRADIENTS, TopDisSettings

_PATH = click.Path(path_type=Path)
_RUNS = Path("vae-runs")
_PROGRAM = "python -m vae.train"


def _default(name: str) -> str:
    """The default of a setting as --help shows it."""
    return f"[default: {getattr(TrainingSettings(), name)}]"


def _flag(name: str, kind: type[Any]) -> str:
    """The option's spelling; those of truth values come in pairs."""
    dashed = name.replace("_", "-")
    return f"--{dashed}/--no-{dashed}" if kind is bool else f"--{dashed}"


def _objective_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """One option for each setting of the objectives; those that share a name share the option."""
    owners: dict[str, list[tuple[str, dataclasses.Field[Any], Any]]] = {}
    for objective, entry in OBJECTIVES.items():
        hints = typing.get_type_hints(entry.settings)
        for field in dataclasses.fields(entry.settings):
            owners.setdefault(field.name, []).append((objective, field, scalar_type(hints[field.name])))
    for name, found in reversed(owners.items()):
        _, first, kind = found[0]
        defaults = ", ".join(f"{objective}: {'off' if f.default is None else f.default}" for objective, f, _ in found)
        choices = first.metadata.get("choices")
        option = click.option(
            _flag(name, kind),
            name,
            type=click.Choice(choices) if choices else kind,
            default=None,
            help=f"{first.metadata['help']} [{defaults}]",
        )
        command = option(command)
    return command


def _topdis_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options of the TopDis term, one for each field of its settings."""
    hints = typing.get_type_hints(TopDisSettings)
    choices = {"sampler": SAMPLERS, "codes": CODES, "shift_gradient": SHIFT_GRADIENTS}
    for field in reversed(dataclasses.fields(TopDisSettings)):
        kind = scalar_type(hints[field.name])
        option = click.option(
            _flag(TOPDIS + field.name, kind),
            type=click.Choice(choices[field.name]) if field.name in choices else kind,
            default=None,
            help=f"{field.metadata['help']} [default: {'all' if field.default is None else field.default}]",
        )
        command = option(command)
    return command


@click.command(
    name=_PROGRAM,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: python -m vae.train --dataset scenes --objective factor --gamma 10 --steps 20000 --seed 1",
)
@click.option("-d", "--dataset", type=click.Choice(list(DATASETS)), help=f"What to learn from. {_default('dataset')}")
@click.option("--data-root", type=_PATH, help="Folder or file of a public data set [default: in the cache].")
@click.option("--download/--no-download", default=True, show_default=True, help="Download a public data set.")
@click.option("--resolution", type=int, help=f"Pixels. {_default('resolution')}")
@click.option(
    "--correlated", metavar="A,B", multiple=True, help="Draw two factors together, such as scale,pos_x; repeatable."
)
@click.option("--correlation-width", type=float, help=f"Width of the ridge. {_default('correlation_width')}")
@click.option("--objective", type=click.Choice(list(OBJECTIVES)), help=f"Loss. {_default('objective')}")
@click.option("--topdis/--no-topdis", default=None, help="Train with or without the TopDis term [default: with].")
@click.option(
    "--preset",
    type=click.Choice(list(PRESETS)),
    help="cpu: 32 px, 5000 steps, TopDis' γ 1; paper: 64 px, a million, γ 5 [default: cpu].",
)
@click.option("--config", type=_PATH, help="JSON of settings, such as a run's config.json; options go over it.")
@click.option("--steps", type=click.IntRange(1), help=f"Optimisation steps. {_default('steps')}")
@click.option("--batch", type=click.IntRange(1), help=f"Images per step. {_default('batch')}")
@click.option("--lr", type=float, help=f"Learning rate. {_default('lr')}")
@click.option("--z-dim", type=click.IntRange(1), help=f"Size of the latent code. {_default('z_dim')}")
@click.option("--hidden", type=click.IntRange(1), help="Width of the hidden layer [default: 128, or 256 in colour].")
@click.option("--precision", type=click.Choice(PRECISIONS), help=f"Of the convolutions. {_default('precision')}")
@click.option("--seed", type=click.IntRange(0, 2**62), help=f"Seed. {_default('seed')}")
@_objective_options
@_topdis_options
@click.option("-o", "--out", type=_PATH, help=f"Folder of the run [default: one in {_RUNS}/ named by the settings].")
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--overwrite", is_flag=True, help="Start anew in a folder that holds a run.")
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
@click.option("--tensorboard", is_flag=True, help="Also write event files for TensorBoard.")
@click.option("--device", default="cpu", show_default=True, help="torch device, such as cpu or cuda.")
@click.option("--threads", type=click.IntRange(1), help="CPU threads [default: all cores].")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, only the result.")
def command(
    data_root: Path | None,
    download: bool,
    preset: str | None,
    config: Path | None,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    metrics: str,
    look_every: int | None,
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
    if resume and (out is None or config is not None or preset is not None):
        raise GanwalkError("--resume continues the run in --out FOLDER with its own settings: give that folder alone")
    if resume and overwrite:
        raise GanwalkError("--resume continues a run and --overwrite removes it: leave one of them out")
    given = {name: value for name, value in options.items() if value is not None and value != ()}
    if "correlated" in given:
        given["correlated"] = tuple(_pair(text) for text in given["correlated"])
    saved = load_settings(out / CONFIG_FILE) if resume and out is not None else None
    settings = changed(saved or _base(config, preset), given)
    if saved is not None and settings != saved:
        raise GanwalkError(f"{out} was trained with other options: resume without them, or choose another --out")
    check_options(settings.objective, settings.options)
    import torch

    from ganwalk import parallel
    from vae.outputs import score_table
    from vae.run import DataSource, claim_folder, run_training

    device = parallel.own_device(device)
    set_up_torch(device, threads)
    folder = out or _RUNS / run_name(settings)
    with _told_how_to_continue(folder), parallel.process_group(torch.device(device)):
        leader = parallel.rank() == 0
        if leader:
            make_folder(folder)
            if not resume:
                claim_folder(folder, settings, overwrite=overwrite)
        silent = quiet or not leader or not sys.stderr.isatty()
        with download_watch(silent) as on_bytes, progress_bar(settings.steps, "training", silent) as advance:
            result = run_training(
                settings,
                folder,
                source=DataSource(data_root, download, on_bytes),
                device=device,
                threads=threads,
                resume=resume,
                metrics=None if metrics == "none" else metrics,  # type: ignore[arg-type]
                look_every=look_every,
                tensorboard=tensorboard,
                on_step=advance,
                on_progress=lambda what: None if silent else click.echo(f"\n{what} ...", nl=False, err=True),
            )
    if leader:
        for line in score_table([result.scores]):
            click.echo(line)
        click.echo(f"wrote {folder}/: {', '.join(path.name for path in result.written)}")
        where = "" if data_root is None else f" --data-root {quoted(data_root)}"
        click.echo(f"next: python -m vae.evaluate {quoted(folder)}{where}")


@contextlib.contextmanager
def _told_how_to_continue(folder: Path) -> Iterator[None]:
    """Ctrl-C names the command that continues from the last checkpoint."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / CHECKPOINT_FILE).exists():
            click.echo(f"to continue: {_PROGRAM} --resume --out {quoted(folder)}", err=True)
        raise


def _base(config: Path | None, preset: str | None) -> TrainingSettings:
    """What options go over: a configuration, or the defaults as a preset changes them."""
    if config is not None and preset is not None:
        raise GanwalkError("--config and --preset both say what to start from: leave one of them out")
    return load_settings(config) if config is not None else from_json(PRESETS[preset or "cpu"], "the preset")


def _pair(text: str) -> tuple[str, str]:
    """Two factor names from A,B."""
    names = [name.strip() for name in text.split(",")]
    if len(names) != 2 or not all(names):
        raise GanwalkError(
            f"--correlated takes two factor names with a comma between, such as scale,pos_x, not {text!r}"
        )
    return names[0], names[1]


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    run_command(command, _PROGRAM, arguments)


if __name__ == "__main__":
    main()
