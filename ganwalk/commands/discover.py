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
    class_option,
    code_again,
    common_options,
    external_options,
    truncation_option,
)
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
@click.option("-n", "--n-directions", type=click.IntRange(1), default=20, show_default=True, help="How many to find.")
@click.option(
    "-m",
    "--method",
    default="rtd",
    show_default=True,
    help="rtd (ours), or a baseline: random, pca, sefa, jacobian, hessian.",
)
@click.option("-o", "--out", type=PATH, default=DEFAULT_OUT, show_default=True, help="Folder for the results.")
@click.option("--space", type=click.Choice(["w", "z"]), help="Latent space [default: w if the generator has one].")
@click.option(
    "--subspace-dim",
    type=click.IntRange(1),
    help="Principal components inside which the basis is rotated [default: n-directions].",
)
@click.option("--layers", "layers_text", metavar="A-B", help="Shift only these layers' styles [default: all].")
@click.option("--layer", type=click.IntRange(0), help="Compare the features of this layer [default: the image].")
@click.option(
    "--amplitude",
    type=click.FloatRange(0, min_open=True),
    default=2.0,
    show_default=True,
    help="Length of a shift in standard deviations along the direction.",
)
@click.option(
    "--equalize/--no-equalize",
    default=True,
    show_default=True,
    help="Scale shifts towards an equal change of the image, up to four times.",
)
@click.option(
    "--start",
    type=click.Choice(["jacobian", "random"]),
    default="jacobian",
    show_default=True,
    help="Basis from which the optimisation starts.",
)
@click.option("--steps", type=click.IntRange(0), default=200, show_default=True, help="Optimisation steps.")
@click.option("--batch", type=click.IntRange(3), default=64, show_default=True, help="Images per batch.")
@click.option(
    "--per-step",
    type=click.IntRange(1),
    default=4,
    show_default=True,
    help="Directions measured in each step.",
)
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=0.05, show_default=True, help="Learning rate.")
@truncation_option
@class_option
@click.option(
    "--chunk",
    type=click.IntRange(1),
    help="Images synthesised at once (memory) [default: 64, fewer for large networks].",
)
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--profile", is_flag=True, help="Print where the time of the steps went.")
@common_options
@external_options
def discover(
    name: str,
    n_directions: int,
    method: str,
    out: Path,
    space: str | None,
    subspace_dim: int | None,
    layers_text: str | None,
    layer: int | None,
    amplitude: float,
    equalize: bool,
    start: str,
    steps: int,
    batch: int,
    per_step: int,
    lr: float,
    truncation: float,
    class_index: int | None,
    chunk: int | None,
    seed: int,
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
    from ganwalk.discovery.run import run_discovery
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.generators.loading import load_generator
    from ganwalk.rendering.discovery import write_outputs
    from ganwalk.rendering.ranges import parse_layers

    settings = DiscoverySettings(
        n_directions=n_directions,
        method=method,
        space=space,
        subspace_dim=subspace_dim,
        layers=parse_layers(layers_text) if layers_text else None,
        layer=layer,
        amplitude=amplitude,
        equalize=equalize,
        start=start,
        steps=steps,
        batch=batch,
        directions_per_step=per_step,
        lr=lr,
        truncation_psi=truncation,
        class_index=class_index,
        chunk=chunk,
        seed=seed,
    )
    with download_watch(quiet) as on_bytes:
        generator = load_generator(name, device, on_bytes, **external)
    make_folder(out)
    with _discovery_watch(steps, quiet) as on_step:
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
    if result.history and result.steps_done < steps:
        click.echo(f"stopped at step {result.steps_done} of {steps}; continue: the same command with --resume")
        sys.exit(130)
    where = "" if out == DEFAULT_OUT else f" --directions {quoted(out / 'directions.safetensors')}"
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
