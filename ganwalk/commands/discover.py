"""`ganwalk discover`."""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    DEFAULT_OUT,
    External,
    classifier_options,
    external_options,
    force_option,
    with_what_there_is,
)
from ganwalk.commands.suggestions import code_again, directions_again
from ganwalk.discovery.settings import ON_STUDENT, OPTIMISED, SUPERVISED, DiscoverySettings
from ganwalk.errors import GanwalkError
from ganwalk.options import options_of
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options
from ganwalk.options.fields import shown_name
from ganwalk.progress.bars import say
from ganwalk.progress.estimates import announce
from ganwalk.terminal import download_watch, set_up_torch, told_how_to_continue

if TYPE_CHECKING:
    from ganwalk.discovery.results import DiscoveryResult


@click.command(epilog="Example: ganwalk discover --generator ffhq.pkl --n-directions 20")
@click.option(
    "-g",
    "--generator",
    "name",
    required=True,
    help="Checkpoint file, a name (scenes, blobs, or one of ganwalk models), or package.module:callable.",
)
@click.option("-o", "--out", type=PATH, default=DEFAULT_OUT, show_default=True, help="Folder for the results.")
@settings_options("settings", DiscoverySettings(), config=True)
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@force_option
@click.option("--profile", is_flag=True, help="Print where the time of the steps went.")
@common_options
@external_options
@classifier_options
def discover(
    name: str,
    out: Path,
    settings: DiscoverySettings,
    resume: bool,
    force: bool,
    profile: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
    make_reader: Callable[[Any, int | None], Any],
) -> None:
    """Find directions along which batches of images keep their shape, or those of a baseline.

    Writes directions.safetensors, metrics.json, loss.png, barcodes.png and preview.png into --out; on large networks
    first ones within a minute or two, while the search goes on. What was synthesised stays in images.safetensors, so
    that another run on the same generator takes seconds. --start, --steps, --batch, --per-step, --lr, --search,
    --images, --polish and --budget serve rtd, and in part other methods that go step by step: the rest has a closed
    form. torchrun shares the work among processes.
    """
    import torch

    from ganwalk.compute import parallel

    device = parallel.own_device(device)
    set_up_torch(device, threads)
    from ganwalk.directions import DIRECTIONS_FILE
    from ganwalk.discovery.checkpointing import CHECKPOINT_FILE, remove_checkpoints
    from ganwalk.discovery.methods import method_of
    from ganwalk.discovery.run import run_discovery
    from ganwalk.discovery.watching import watched
    from ganwalk.evaluation.factors import factor_reader
    from ganwalk.files import owned_folder
    from ganwalk.generators.loading import load_generator
    from ganwalk.rendering.discovery import sheet_of, sheet_seconds, write_outputs

    # A name that is none costs no download.
    method_of(settings.method)
    checkpoint = out / CHECKPOINT_FILE
    # What --resume would continue: until this run begins, the file may be another's.
    unfinished = [checkpoint] if resume else []
    ended = f"another process of this run has ended: start it again with --resume, it continues from {out}"
    with (
        parallel.process_group(torch.device(device)),
        parallel.ended_with_others(ended),
        told_how_to_continue(unfinished if parallel.rank() == 0 else []),
        owned_folder(out) if parallel.rank() == 0 else contextlib.nullcontext(),
    ):
        leader = parallel.rank() == 0
        quiet = quiet or not leader
        if leader and not (force or resume):
            _check_unfinished(out)
        with download_watch(quiet) as on_bytes:
            generator = load_generator(name, device, on_bytes, **external)
        settings = with_what_there_is(settings, generator, quiet)
        resolved = settings.resolve(generator)
        if not quiet:
            _tell_unused(settings)
        reader = None
        if settings.method in SUPERVISED:
            reader = make_reader(generator, settings.class_index) or factor_reader(generator)
        if leader and not resume:
            remove_checkpoints(out)
        unfinished[:] = [checkpoint]
        # What draws the pictures of early results draws those of the last.
        sheet = functools.cache(functools.partial(sheet_of, generator))

        def write_early(result: DiscoveryResult) -> None:
            write_outputs(result, generator, out, sheet())
            if not quiet:
                say(f"first directions are in {out}/, to look at while the search goes on: {out / 'preview.png'}")

        with watched(
            generator,
            resolved,
            shown=not quiet,
            pictures=sheet_seconds(generator),
            on_estimate=None if resume else lambda seconds: _announce(seconds, resolved),
        ) as on_phase:
            result = run_discovery(
                generator,
                settings,
                threads=threads,
                checkpoint=checkpoint,
                resume=resume,
                on_phase=on_phase,
                on_early=write_early if leader else None,
                reader=reader,
            )
            on_phase("pictures", 0.0, "")
            if not leader:
                return
            written = write_outputs(result, generator, out, sheet())
    _print_result(result, profile)
    click.echo(f"wrote {out}/: {', '.join(path.name for path in reversed(written))}")
    if written[0].name != DIRECTIONS_FILE and written[0].suffix == ".safetensors":
        click.echo(f"note: names of directions that are gone are kept in {written[0]}")
    if result.ended:
        why = "the budget is spent" if result.ended == "budget" else "stopped"
        click.echo(f"{why} {_where(result)}; continue: the same command with --resume")
        if result.ended == "interrupt":
            sys.exit(130)
    where = directions_again(None if out == DEFAULT_OUT else out / DIRECTIONS_FILE)
    click.echo(f"next: ganwalk render{where}{code_again(generator, name, external)} --direction 0")


def _tell_unused(settings: DiscoverySettings) -> None:
    """Names options that were typed and mean nothing to the method."""
    typed = click.get_current_context().params
    about = options_of(DiscoverySettings)
    names = [name for name in settings.unused() if typed[f"settings_{name}"] is not None]
    flags = [f"--{shown_name(name, about[name])}" for name in names]
    if typed["classifier"] is not None and settings.method not in SUPERVISED:
        flags.append("--classifier")
    unused = ", ".join(flags)
    if unused and settings.method not in OPTIMISED:
        click.echo(f"note: {settings.method} has a closed form: {unused} {'does' if len(flags) == 1 else 'do'} nothing")
    elif unused:
        click.echo(f"note: {settings.method} has no use for {unused}")


def _check_unfinished(out: Path) -> None:
    """Refuses to run where directions are that somebody may want to keep."""
    from ganwalk.directions import DIRECTIONS_FILE, Directions
    from ganwalk.directions.words import describe
    from ganwalk.discovery.checkpointing import CHECKPOINT_FILE

    if (out / DIRECTIONS_FILE).exists():
        try:
            held = describe(Directions.load(out / DIRECTIONS_FILE))
        except GanwalkError:
            held = f"a {DIRECTIONS_FILE} that cannot be read"
        ways = ", continue their run with --resume" if (out / CHECKPOINT_FILE).exists() else ""
        raise GanwalkError(f"{out} holds {held}: choose another folder with --out{ways}, or replace them with --force")
    if (out / CHECKPOINT_FILE).exists():
        raise GanwalkError(
            f"{out} holds a run that was not finished: continue it with --resume, start anew with --force, "
            "or choose another folder with --out"
        )


def _where(result: DiscoveryResult) -> str:
    """Where the steps ended."""
    if result.polish is not None:
        return f"at step {result.polish.steps} of {result.settings.polish} of the polish"
    return f"at step {result.steps_done} of {result.settings.steps}"


def _announce(seconds: float, settings: DiscoverySettings) -> None:
    """Says first what will take long, where nobody has said how long it may take."""
    if settings.budget is None:
        announce("this discovery", seconds, _remedy(settings, seconds), quiet=False)


def _remedy(settings: DiscoverySettings, seconds: float) -> str:
    """What makes a run of so many seconds shorter; `settings` are resolved."""
    budget = f"--budget {max(1, min(10, round(seconds / 120)))}m"
    if settings.method in SUPERVISED:
        shorter = ["fewer --images", "a smaller --scored"]
    elif settings.method not in OPTIMISED:
        shorter = ["a smaller --scored"]
    elif settings.search == "direct":
        shorter = ["--search student" if settings.method in ON_STUDENT else "fewer --steps", budget]
    else:
        shorter = ["--effort quick", budget]
    if settings.layer:
        shorter.append(f"an earlier --layer than {settings.layer}")
    *first, last = shorter
    return f"{', '.join(first)} or {last} shortens it" if first else f"{last} shortens it"


def _print_result(result: DiscoveryResult, profile: bool) -> None:
    for notice in result.notices:
        click.echo(f"note: {notice}")
    if result.student is not None:
        student = result.student
        click.echo(
            f"student of {student.images} images: explains {100 * student.r2:.0f} % of images held back "
            f"(layer {result.settings.layer}, coordinates with {100 * student.captured:.0f} % of its variance)"
            + "; the budget allowed no more images"
            * student.cut
        )
    if result.polish is not None:
        polish = result.polish
        outcome = "kept" if polish.kept else "not kept: no better"
        change = f"held RTD {polish.before:.4f} to {polish.after:.4f}"
        click.echo(f"polish of {polish.steps} steps on the generator: {change}, {outcome}")
    width = max(8, *(len(basis.name) for basis in result.bases))
    click.echo(f"{'basis':<{width}} {'mean RTD':>9} {'mean image change':>18}")
    for basis in result.bases:
        scores = basis.scores
        click.echo(f"{basis.name:<{width}} {scores.mean_rtd:>9.4f} {scores.mean_displacement:>18.4f}")
    if profile:
        timing = result.timing
        parts = {"synthesis": timing.synthesis, "topology": timing.topology, "backward": timing.backward}
        total = sum(parts.values()) or 1.0
        shares = ", ".join(f"{name} {100 * seconds / total:.1f} %" for name, seconds in parts.items())
        click.echo(f"time of the steps: {shares} of {total:.1f} s (held-batch scores: {timing.evaluation:.1f} s)")
