"""`ganwalk discover`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.commands.options import (
    DEFAULT_OUT,
    PATH,
    code_again,
    common_options,
    external_options,
)
from ganwalk.discovery.settings import DiscoverySettings
from ganwalk.options.command_line import settings_options
from ganwalk.terminal import download_watch, make_folder, progress_bar, quoted, set_up_torch

if TYPE_CHECKING:
    from ganwalk.discovery.run import DiscoveryResult


@click.command(epilog="Example: ganwalk discover --generator ffhq.pkl --n-directions 20")
@click.option(
    "-g",
    "--generator",
    "name",
    required=True,
    help="Checkpoint file, a name (scenes, blobs, or one of ganwalk models), or package.module:callable.",
)
@click.option("-o", "--out", type=PATH, default=DEFAULT_OUT, show_default=True, help="Folder for the results.")
@settings_options("settings", DiscoverySettings())
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--profile", is_flag=True, help="Print where the time of the steps went.")
@common_options
@external_options
def discover(
    name: str,
    out: Path,
    settings: DiscoverySettings,
    resume: bool,
    profile: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
) -> None:
    """Find directions along which batches of images keep their shape, or those of a baseline.

    Writes directions.safetensors, metrics.json, loss.png, barcodes.png and preview.png into --out. The options of the
    optimisation (--start, --steps, --per-step, --lr, --resume) serve rtd and hessian: other methods have a closed form.
    """
    set_up_torch(device, threads)
    from ganwalk.directions import DIRECTIONS_FILE
    from ganwalk.discovery.run import run_discovery
    from ganwalk.generators.loading import load_generator
    from ganwalk.rendering.discovery import write_outputs

    with download_watch(quiet) as on_bytes:
        generator = load_generator(name, device, on_bytes, **external)
    make_folder(out)
    with _discovery_watch(settings.steps, quiet) as on_step:
        result = run_discovery(
            generator,
            settings,
            threads=threads,
            checkpoint=out / "checkpoint.pt",
            resume=resume,
            on_step=on_step,
        )
    written = write_outputs(result, generator, out)
    _print_result(result, profile)
    click.echo(f"wrote {out}/: {', '.join(path.name for path in reversed(written))}")
    if result.history and result.steps_done < settings.steps:
        click.echo(f"stopped at step {result.steps_done} of {settings.steps}; continue: the same command with --resume")
        sys.exit(130)
    where = "" if out == DEFAULT_OUT else f" --directions {quoted(out / DIRECTIONS_FILE)}"
    click.echo(f"next: ganwalk render{where}{code_again(generator, name, external)} --direction 0")


@contextlib.contextmanager
def _discovery_watch(steps: int, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A callback for every step, with a progress bar."""
    with progress_bar(steps, "discovering", quiet or not sys.stderr.isatty()) as advance:

        def on_step(progress: Any) -> None:
            last = progress.history[-1]
            advance(progress.step, f"loss {last.get('loss', last.get('held')):.3f}")

        yield on_step


def _print_result(result: DiscoveryResult, profile: bool) -> None:
    click.echo(f"{'basis':<8} {'mean RTD':>9} {'mean image change':>18}")
    for basis in result.bases:
        scores = basis.scores
        click.echo(f"{basis.name:<8} {scores.mean_rtd:>9.4f} {scores.mean_displacement:>18.4f}")
    if profile:
        timing = result.timing
        parts = {"synthesis": timing.synthesis, "topology": timing.topology, "backward": timing.backward}
        total = sum(parts.values()) or 1.0
        shares = ", ".join(f"{name} {100 * seconds / total:.1f} %" for name, seconds in parts.items())
        click.echo(f"time of the steps: {shares} of {total:.1f} s (held-batch scores: {timing.evaluation:.1f} s)")
