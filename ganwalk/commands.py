"""The command line: parses, calls one function of a room, prints. Heavy imports happen inside the commands."""

from __future__ import annotations

import contextlib
import functools
import math
import secrets
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk import __version__
from ganwalk.errors import GanwalkError
from ganwalk.terminal import download_watch, late_bar, make_folder, progress_bar, quoted, run_command, set_up_torch

if TYPE_CHECKING:
    from ganwalk.discovery.run import DiscoveryResult
    from ganwalk.evaluation import Evaluation

_DEFAULT_OUT = Path("ganwalk-out")
_PATH = click.Path(path_type=Path)
_SCORING_SEED = 2**40


def main(arguments: list[str] | None = None) -> None:
    """Runs the command group."""
    run_command(group, "ganwalk", arguments)


def _finite(context: click.Context, parameter: click.Parameter, value: float) -> float:
    """Refuses NaN and infinity, which click takes for numbers."""
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a finite number")
    return value


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--device", default="cpu", show_default=True, help="torch device, such as cpu or cuda."),
        click.option("--threads", type=click.IntRange(1), help="CPU threads [default: all cores]."),
        click.option("-q", "--quiet", is_flag=True, help="No progress bar, only the result."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def _external(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for generators that are code, handed to the command as one argument for `load_generator`."""

    @functools.wraps(command)
    def wrapped(*args: Any, trust: bool, latent_dim: int | None, image_range: str | None, **kwargs: Any) -> Any:
        from ganwalk.generators.external import parse_image_range

        limits = None if image_range is None else parse_image_range(image_range)
        external = {"trust": trust, "latent_dim": latent_dim, "image_range": limits}
        return command(*args, external=external, **kwargs)

    options = (
        click.option("--trust", is_flag=True, help="Run the program in a TorchScript file."),
        click.option("--latent-dim", type=click.IntRange(1), help="Latent size of a generator that is code."),
        click.option("--image-range", metavar="LOW,HIGH", help="Black and white of a generator that is code."),
    )
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Example: ganwalk discover --generator scenes --n-directions 10, then ganwalk render --direction all",
)
@click.version_option(__version__, prog_name="ganwalk")
def group() -> None:
    """Find disentangled directions in the latent space of an image generator, by topology."""


@group.command(epilog="Example: ganwalk discover --generator ffhq.pkl --n-directions 20")
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
@click.option("-o", "--out", type=_PATH, default=_DEFAULT_OUT, show_default=True, help="Folder for the results.")
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
@click.option("--truncation", type=float, callback=_finite, default=1.0, show_default=True, help="Truncation psi.")
@click.option("--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator.")
@click.option(
    "--chunk",
    type=click.IntRange(1),
    help="Images synthesised at once (memory) [default: 64, fewer for large networks].",
)
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
@click.option("--resume", is_flag=True, help="Continue the run in --out from its last checkpoint.")
@click.option("--profile", is_flag=True, help="Print where the time of the steps went.")
@_common
@_external
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
    from ganwalk.discovery.outputs import write_outputs
    from ganwalk.discovery.run import run_discovery
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.generators.loading import load_generator
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
            device=device,
            threads=threads,
            checkpoint=out / "checkpoint.pt",
            resume=resume,
            on_step=on_step,
        )
    written = write_outputs(result, generator, out, device)
    _print_result(result, profile)
    click.echo(f"wrote {out}/: {', '.join(path.name for path in reversed(written))}")
    if result.history and result.steps_done < steps:
        click.echo(f"stopped at step {result.steps_done} of {steps}; continue: the same command with --resume")
        sys.exit(130)
    where = "" if out == _DEFAULT_OUT else f" --directions {quoted(out / 'directions.safetensors')}"
    click.echo(f"next: ganwalk render{where}{_code_again(generator, name, external)} --direction 0")


@contextlib.contextmanager
def _discovery_watch(steps: int, quiet: bool) -> Iterator[Callable[[Any], None]]:
    """A callback for every step, with a progress bar."""
    with progress_bar(steps, "discovering", quiet or not sys.stderr.isatty()) as advance:

        def on_step(progress: Any) -> None:
            last = progress.history[-1]
            advance(progress.step, f"loss {last.get('loss', last.get('held')):.3f}")

        yield on_step


@group.command(epilog="Example: ganwalk render --direction 3 --seeds 1-6 --gif")
@click.option("-d", "--direction", help="Number (0 is the strongest) or name of a direction, or all.")
@click.option(
    "--combine",
    metavar="EDIT",
    help="Several at once, such as smile=2,pose=-1 (in σ) or 3=1.5@4-7 (in layers 4 to 7).",
)
@click.option(
    "--directions",
    "directions_path",
    type=_PATH,
    help="Directions file [default: the newest discovery in this folder].",
)
@click.option("-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to].")
@click.option("-o", "--out", type=_PATH, help="PNG to write [default: beside the directions].")
@click.option("--seeds", "seeds_text", default="1-6", show_default=True, help="Samples, such as 1-6 or 3,8,20-22.")
@click.option(
    "--amplitude",
    type=click.FloatRange(0, min_open=True),
    callback=_finite,
    default=3.0,
    show_default=True,
    help="Ends, in σ.",
)
@click.option("--steps", type=click.IntRange(2), default=7, show_default=True, help="Pictures from end to end.")
@click.option("--truncation", type=float, callback=_finite, default=1.0, show_default=True, help="Truncation psi.")
@click.option("--layers", "layers_text", metavar="A-B", help="Shift only these layers [default: as discovered].")
@click.option("--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Images at once (memory).")
@click.option("--gif", is_flag=True, help="Also write an animation as GIF.")
@click.option("--mp4", is_flag=True, help="Also write an animation as MP4.")
@_common
@_external
def render(
    direction: str | None,
    combine: str | None,
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    seeds_text: str,
    amplitude: float,
    steps: int,
    truncation: float,
    layers_text: str | None,
    class_index: int | None,
    batch: int,
    gif: bool,
    mp4: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
) -> None:
    """Draw what a direction does: a grid of samples × amplitudes, and animations.

    `--direction all` draws an overview with one row per direction that is not hidden; `--combine` the way from each
    sample to several directions walked at once, where --amplitude counts for nothing.
    """
    set_up_torch(device, threads)
    from ganwalk.directions import Directions
    from ganwalk.edits import Move
    from ganwalk.generators.loading import load_directions_generator
    from ganwalk.rendering.animation import save_animation
    from ganwalk.rendering.grids import combination_grid, overview_grid, traversal_grid
    from ganwalk.rendering.ranges import parse_edit, parse_layers, parse_seeds
    from ganwalk.sheets import save_picture

    if (direction is None) == (combine is None):
        raise GanwalkError("say what to draw: either --direction 0 (or a name, or all) or --combine smile=2,pose=-1")
    path = directions_path or _newest_directions()
    directions = Directions.load(path)
    seeds = parse_seeds(seeds_text)
    layers = parse_layers(layers_text) if layers_text else None
    index = None if direction in (None, "all") else directions.find(direction)
    if combine is not None:
        edits, stem_name = [parse_edit(combine, directions, layers)], "combined"
    elif index is not None:
        edits, stem_name = [[Move(index, amplitude, layers)]], f"direction-{index}"
    else:
        edits, stem_name = [[Move(k, amplitude, layers)] for k in directions.visible()], "overview"
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions, name, device, on_bytes, **external)
    stem = out or path.parent / f"{stem_name}.png"
    if stem.suffix.lower() != ".png":
        raise GanwalkError(f"{stem} must end in .png: animations are written beside it")
    options: dict[str, Any] = {"truncation_psi": truncation, "class_index": class_index, "batch": batch}
    reach: dict[str, Any] = {"amplitude": amplitude, "layers": layers}
    hidden = quiet or not sys.stderr.isatty()
    written = [stem]
    with progress_bar(100, "rendering", hidden) as advance:
        progress = _percent(advance)
        if combine is not None:
            picture = combination_grid(
                generator, directions, edits[0], seeds=seeds, steps=steps, progress=progress, **options
            )
        elif index is not None:
            picture = traversal_grid(
                generator, directions, index, seeds=seeds, steps=steps, progress=progress, **reach, **options
            )
        else:
            picture = overview_grid(
                generator, directions, seed=seeds[0], steps=steps, progress=progress, **reach, **options
            )
    save_picture(picture, stem)
    for suffix in [".gif"] * gif + [".mp4"] * mp4:
        target = stem.with_suffix(suffix)
        with progress_bar(100, f"rendering {suffix[1:]}", hidden) as advance:
            save_animation(
                target,
                generator,
                directions,
                edits,
                seeds=seeds if len(edits) == 1 else seeds[:1],
                there_and_back=combine is None,
                progress=_percent(advance),
                **options,
            )
        written.append(target)
    click.echo(f"wrote {', '.join(map(str, written))}")
    other = "0" if direction == "all" else "all"
    where = f" --directions {quoted(directions_path)}" if directions_path else ""
    click.echo(f"next: ganwalk render{where}{_code_again(generator, name, external)} --direction {other}")


def _classified(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for a user's attribute classifier, handed to the command as one function generator → reader or None."""

    @functools.wraps(command)
    def wrapped(*args: Any, classifier: Path | None, attributes_text: str | None, **kwargs: Any) -> Any:
        from ganwalk.evaluation.factors import load_classifier, parse_attributes

        if attributes_text is not None and classifier is None:
            raise GanwalkError("--attributes names the outputs of a classifier: give it with --classifier FILE")
        names = None if attributes_text is None else parse_attributes(attributes_text)

        def make_reader(generator: Any) -> Any:
            if classifier is None:
                return None
            trust, class_index = kwargs["external"]["trust"], kwargs["class_index"]
            return load_classifier(classifier, generator, trust=trust, attributes=names, class_index=class_index)

        return command(*args, make_reader=make_reader, **kwargs)

    options = (
        click.option(
            "--classifier", type=_PATH, help="TorchScript file of a network images → attributes (needs --trust)."
        ),
        click.option("--attributes", "attributes_text", metavar="A,B,…", help="Names of the classifier's attributes."),
    )
    for option in reversed(options):
        wrapped = option(wrapped)
    return wrapped


@group.command(epilog="Example: ganwalk evaluate --directions ganwalk-out/directions.safetensors --amplitude 2")
@click.option(
    "--directions",
    "directions_path",
    type=_PATH,
    help="Directions file [default: the newest discovery in this folder].",
)
@click.option("-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to].")
@click.option("-o", "--out", type=_PATH, help="Folder for the results [default: that of the directions].")
@click.option("--samples", type=click.IntRange(4), help="Samples to shift [default: 100, or 32 above 128 px].")
@click.option(
    "--amplitude",
    type=click.FloatRange(0, min_open=True),
    callback=_finite,
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
@click.option("--truncation", type=float, callback=_finite, default=1.0, show_default=True, help="Truncation psi.")
@click.option("--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator.")
@click.option("--chunk", type=click.IntRange(1), help="Images synthesised at once (memory).")
@click.option("--seed", type=click.IntRange(0, 2**62), default=0, show_default=True)
@_common
@_external
@_classified
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
    make_reader: Callable[[Any], Any],
) -> None:
    """Score directions: against known axes and factors where there are any, and without labels.

    Writes evaluation.json, evaluation.csv and evaluation.png.
    """
    set_up_torch(device, threads)
    from ganwalk.directions import Directions
    from ganwalk.evaluation.outputs import write_outputs
    from ganwalk.evaluation.run import evaluate as score
    from ganwalk.generators.loading import load_directions_generator

    path = directions_path or _newest_directions()
    directions = Directions.load(path)
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions, name, device, on_bytes, **external)
    reader = make_reader(generator)
    folder = out or path.parent
    make_folder(folder)
    with progress_bar(100, "evaluating", quiet or not sys.stderr.isatty()) as advance:
        evaluation = score(
            generator,
            directions,
            reader=reader,
            device=device,
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
    click.echo(f"next: ganwalk render{where}{_code_again(generator, name, external)} --direction all")


@group.command(epilog="Example: ganwalk report --seeds 1-3 --out smile.html")
@click.option(
    "--directions",
    "directions_path",
    type=_PATH,
    help="Directions file [default: the newest discovery in this folder].",
)
@click.option("-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to].")
@click.option("-o", "--out", type=_PATH, help="HTML to write [default: report.html beside the directions].")
@click.option("--seeds", "seeds_text", default="1-2", show_default=True, help="Samples, such as 1-2 or 3,8,20-22.")
@click.option(
    "--amplitude",
    type=click.FloatRange(0, min_open=True),
    callback=_finite,
    default=3.0,
    show_default=True,
    help="Ends, in σ.",
)
@click.option("--steps", type=click.IntRange(2, 101), default=13, show_default=True, help="Pictures from end to end.")
@click.option("--truncation", type=float, callback=_finite, default=1.0, show_default=True, help="Truncation psi.")
@click.option("--layers", "layers_text", metavar="A-B", help="Shift only these layers [default: as discovered].")
@click.option("--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator.")
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Images at once (memory).")
@click.option("--hidden", is_flag=True, help="Show the hidden directions, too.")
@click.option(
    "--evaluate/--no-evaluate",
    "scored",
    default=True,
    show_default=True,
    help="Show scores: those of evaluation.json beside the directions, or, if it has none of them, new ones "
    "(slow for large generators).",
)
@_common
@_external
def report(
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    seeds_text: str,
    amplitude: float,
    steps: int,
    truncation: float,
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

    path = directions_path or _newest_directions()
    directions = Directions.load(path)
    settings = ReportSettings(
        seeds=tuple(parse_seeds(seeds_text)),
        amplitude=amplitude,
        steps=steps,
        truncation_psi=truncation,
        class_index=class_index,
        layers=parse_layers(layers_text) if layers_text else None,
        hidden=hidden,
        batch=batch,
    )
    evaluation = load_evaluation(evaluation_beside(path), directions) if scored else None
    with download_watch(quiet) as on_bytes:
        generator = load_directions_generator(directions, name, device, on_bytes, **external)
    without_bar = quiet or not sys.stderr.isatty()
    target = out or path.parent / "report.html"
    check_report(target, generator, directions, settings)
    if scored and evaluation is None:
        with progress_bar(100, "evaluating", without_bar) as advance:
            evaluation = score(
                generator,
                directions,
                device=device,
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
            progress=_percent(advance),
        )
    click.echo(f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)")
    where = f" --directions {quoted(directions_path)}" if directions_path else ""
    click.echo(f"next: ganwalk name 0 NAME{where}")


@group.command(epilog="Example: ganwalk explore --against pca")
@click.option(
    "--directions",
    "source",
    metavar="FILE|METHOD",
    help="Directions file, or a method with a closed form (random, pca, sefa, jacobian), whose directions are found "
    "at once and kept nowhere [default: the newest discovery in this folder].",
)
@click.option("-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to].")
@click.option(
    "--against",
    metavar="FILE|METHOD",
    help="Directions to compare with, likewise.",
)
@click.option(
    "--preview",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Small pictures while a slider moves; auto: if the generator is slow.",
)
@click.option("--batch", type=click.IntRange(1), default=8, show_default=True, help="Images at once (memory).")
@click.option("--port", type=click.IntRange(0, 65535), help="0 takes any free one [default: 7860, or the next free].")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to serve. Others than this machine's own are served with a token only.",
)
@click.option(
    "--token",
    envvar="GANWALK_TOKEN",
    help="What visitors must know, or $GANWALK_TOKEN [default: none here, a new random one for other machines].",
)
@click.option("--open/--no-open", "opened", default=None, help="Open a browser [default: if there is a screen].")
@_common
@_external
def explore(
    source: str | None,
    name: str | None,
    against: str | None,
    preview: str,
    batch: int,
    port: int | None,
    host: str,
    token: str | None,
    opened: bool | None,
    device: str,
    threads: int | None,
    quiet: bool,
    external: dict[str, Any],
) -> None:
    """Walk along directions in a browser: sliders, names, comparisons, exports. Ctrl-C ends it.

    Needs NiceGUI, which the extra [ui] installs. Names, notes, stars and hidden directions are kept in the directions
    file. The page loads nothing from the network.
    """
    try:
        import nicegui  # noqa: F401 (one clear line before anything slow)
    except ImportError:
        raise GanwalkError("the explorer needs NiceGUI: pip install nicegui") from None
    from ganwalk.explore.gate import check_token, is_loopback
    from ganwalk.explore.server import open_socket, page_address, serve, should_open

    local = is_loopback(host)
    if token is not None:
        check_token(token)
    elif not local:
        token = secrets.token_urlsafe(24)
    listener = open_socket(host, port)
    set_up_torch(device, threads)
    from ganwalk.explore.sides import choose_sides
    from ganwalk.explore.studio import Studio

    chosen = source or str(_newest_directions())
    with download_watch(quiet) as on_bytes:
        generator, sides = choose_sides(chosen, against, name, device, on_bytes=on_bytes, **external)
    with late_bar("fitting previews", quiet or not sys.stderr.isatty()) as advance:
        studio = Studio(
            generator,
            sides,
            preview=preview,
            batch=batch,
            on_progress=_percent(advance),
            generator_options=shlex.split(_code_again(generator, name, external)),
        )
    if not quiet and studio.preview is not None:
        shown_preview = f"previews of {studio.preview.resolution} px, R² {studio.preview.fit:.2f}, while a slider moves"
        click.echo(f"an image takes {studio.seconds:.1f} s: {shown_preview}")
    address = page_address(listener, host, token)

    def on_ready() -> None:
        click.echo(f"explore at {address} (Ctrl-C ends)")
        if should_open(opened):
            click.launch(address)

    serve(studio, listener, token=token, local=local, on_ready=on_ready)
    kept = [str(shown.path) for shown in sides if shown.path is not None]
    if not kept:
        click.echo("names and stars are gone: these directions were in no file")
        click.echo(f"next: ganwalk discover --generator {quoted(name or '')} --method {source}")
        return
    click.echo(f"names and stars are in {' and '.join(kept)}")
    where = f" --directions {quoted(kept[0])}" if source else ""
    click.echo(f"next: ganwalk report{where}{_code_again(generator, name, external)}")


@group.command(epilog="Example: ganwalk convert ffhq.pkl ffhq.safetensors")
@click.argument("source", type=_PATH)
@click.argument("target", type=_PATH)
@click.option("--force", is_flag=True, help="Replace the target if it exists.")
def convert(source: Path, target: Path, force: bool) -> None:
    """Rewrite a checkpoint as safetensors: smaller, quick to load, and nothing in it can run."""
    from ganwalk.generators.architectures import build_generator
    from ganwalk.generators.checkpoints import read_checkpoint
    from ganwalk.generators.checkpoints.native import write_native
    from ganwalk.generators.loading import checkpoint_path

    if target.suffix != ".safetensors":
        raise GanwalkError(f"{target} must end in .safetensors, the format that convert writes")
    if target.exists() and not force:
        raise GanwalkError(f"{target} exists: choose another name or use --force")
    with download_watch(quiet=False) as on_bytes:
        path = checkpoint_path(source, on_bytes)
    checkpoint = read_checkpoint(path)
    build_generator(checkpoint.config, checkpoint.tensors, path)
    origin = {"source": path.name, "source_sha256": checkpoint.sha256}
    write_native(checkpoint.config, checkpoint.tensors, target, **origin)
    click.echo(f"wrote {target}")
    click.echo(f"next: ganwalk discover --generator {quoted(target)}")


@group.command(epilog="Example: ganwalk info ffhq.pkl")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
@_external
def info(file: str, as_json: bool, external: dict[str, Any]) -> None:
    """Say what a checkpoint is: format, architecture, sizes, hash."""
    import json

    from ganwalk.generators.loading import describe

    with download_watch(quiet=False) as on_bytes:
        description = describe(file, on_bytes, **external)
    if as_json:
        click.echo(json.dumps(description, indent=1))
        return
    for key, value in description.items():
        if not isinstance(value, (list, dict)):
            click.echo(f"{key:>16}  {value}")
    click.echo(f"next: ganwalk discover --generator {quoted(file)}{' --trust' * external['trust']}")


@group.command(epilog="Example: ganwalk models --json")
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def models(as_json: bool) -> None:
    """List the public checkpoints that can be downloaded by name."""
    import json
    from dataclasses import asdict

    from ganwalk.files import cache_folder
    from ganwalk.generators.catalog import cached_path, read_catalog

    entries = read_catalog().values()
    if as_json:
        rows = [
            {**asdict(entry), "path": str(cached_path(entry)), "cached": cached_path(entry).exists()}
            for entry in entries
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    click.echo(f"{'name':<25} {'architecture':<12} {'px':>4}  {'cached':<6}  licence")
    for entry in entries:
        cached = "yes" if cached_path(entry).exists() else "-"
        click.echo(f"{entry.name:<25} {entry.architecture:<12} {entry.resolution:>4}  {cached:<6}  {entry.licence}")
    click.echo(f"downloads are kept in {cache_folder()} (GANWALK_CACHE chooses another folder)")
    click.echo(f"next: ganwalk discover --generator {next(iter(entries)).name}")


@group.command(epilog="Example: ganwalk compare --generator scenes --methods rtd,pca,random --seeds 5")
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
@click.option("-o", "--out", type=_PATH, default=Path("ganwalk-comparison"), show_default=True, help="Folder.")
@click.option("--space", type=click.Choice(["w", "z"]), help="Latent space [default: w if the generator has one].")
@click.option("--layers", "layers_text", metavar="A-B", help="Shift only these layers' styles [default: all].")
@click.option("--layer", type=click.IntRange(0), help="Compare the features of this layer [default: the image].")
@click.option("--steps", type=click.IntRange(0), default=200, show_default=True, help="Steps of rtd and hessian.")
@click.option("--samples", type=click.IntRange(4), help="Latents of the scores [default: 100, 32 above 128 px].")
@click.option("--reconstructor", is_flag=True, help="Also train a network that tells the directions apart (slow).")
@click.option("--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator.")
@click.option("--resume", is_flag=True, help="Keep the finished runs in --out, and continue the interrupted one.")
@_common
@_external
@_classified
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
    make_reader: Callable[[Any], Any],
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
    from ganwalk.generators.loading import load_generator
    from ganwalk.rendering.ranges import parse_layers

    layers = parse_layers(layers_text) if layers_text else None
    with download_watch(quiet) as on_bytes:
        generator = load_generator(name, device, on_bytes, **external)
    make_folder(out)
    settings = DiscoverySettings(
        n_directions=n_directions, space=space, layers=layers, layer=layer, steps=steps, class_index=class_index
    )
    # The scoring batch shares no latent with the discoveries' own.
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
                reader=make_reader(generator),
                folder=out / "runs",
                resume=resume,
                device=device,
                threads=threads,
                command=shlex.join(["ganwalk", *sys.argv[1:]]),
                on_progress=lambda what, share: advance(int(1000 * share), what),
            )
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
    again = _code_again(generator, name, external)
    click.echo(f"next: ganwalk render --directions {quoted(file)}{again} --direction all")


@group.command(epilog='Example: ganwalk name 3 smile --note "teeth show from 2 σ on" --star')
@click.argument("direction", required=False)
@click.argument("name", required=False)
@click.option("--note", help="A remark, kept with the name; empty takes it away.")
@click.option("--star/--no-star", default=None, help="Mark it as one of the good ones.")
@click.option("--hide/--show", default=None, help="Leave it out of overviews and reports.")
@click.option("--directions", "path", type=_PATH, help="Directions file [default: the newest discovery here].")
def name(
    direction: str | None, name: str | None, note: str | None, star: bool | None, hide: bool | None, path: Path | None
) -> None:
    """Name a direction, or list the names. They are kept in the directions file.

    DIRECTION is a number or a name; NAME is its new one, and an empty one ("") takes it away.
    """
    from dataclasses import replace

    from ganwalk.directions import Directions, save_label

    path = path or _newest_directions()
    directions = Directions.load(path)
    changes: dict[str, Any] = {"name": name, "note": note, "starred": star, "hidden": hide}
    changes = {key: value for key, value in changes.items() if value is not None}
    if direction is None:
        for index, label in enumerate(directions.labels):
            marks = " *" * label.starred + " (hidden)" * label.hidden
            click.echo(f"{index:>4}  {label.name}{marks}{f'  {label.note}' if label.note else ''}".rstrip())
        click.echo(f"next: ganwalk name 0 NAME --directions {quoted(path)}")
        return
    if not changes:
        raise GanwalkError(f"say what to call it: ganwalk name {quoted(direction)} smile, or see ganwalk name --help")
    index = directions.find(direction)
    directions = save_label(path, index, replace(directions.labels[index], **changes), directions.fingerprint())
    click.echo(f"wrote {path}: direction {directions.title(index)}")
    called = directions.labels[index].name or str(index)
    click.echo(f"next: ganwalk render --directions {quoted(path)} --direction {quoted(called)}")


@group.command("import", epilog="Example: ganwalk import ganspace_cache.npz --generator ffhq.pkl")
@click.argument("source", type=_PATH)
@click.option("-g", "--generator", "name", required=True, help="Checkpoint or name that the directions belong to.")
@click.option("-o", "--out", type=_PATH, help="File to write [default: SOURCE with the suffix .safetensors].")
@click.option("--space", type=click.Choice(["w", "z"]), help="Their latent space [default: w if there is one].")
@click.option("--layers", "layers_text", metavar="A-B", help="Layers that they are meant for [default: all].")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
@_external
def import_command(
    source: Path,
    name: str,
    out: Path | None,
    space: str | None,
    layers_text: str | None,
    force: bool,
    external: dict[str, Any],
) -> None:
    """Bring directions of GANSpace (.npz), SeFa (.npy) or a plain matrix (.npy, .pt)."""
    from ganwalk.generators.loading import load_generator
    from ganwalk.interchange import import_directions
    from ganwalk.rendering.ranges import parse_layers

    layers = parse_layers(layers_text) if layers_text else None
    with download_watch(quiet=False) as on_bytes:
        generator = load_generator(name, progress=on_bytes, **external)
    directions = import_directions(source, generator, space=space, layers=layers)
    out = out or source.with_suffix(".safetensors")
    if out.exists() and not force:
        raise GanwalkError(f"{out} exists: choose another name with --out, or use --force")
    directions.save(out)
    click.echo(f"wrote {out}: {len(directions)} directions")
    again = _code_again(generator, name, external)
    click.echo(f"next: ganwalk render --directions {quoted(out)}{again} --direction all")


@group.command(epilog="Example: ganwalk export directions.npz")
@click.argument("target", type=_PATH)
@click.option("--directions", "path", type=_PATH, help="Directions file [default: the newest discovery here].")
@click.option("--format", "kind", type=click.Choice(["ganspace", "sefa", "npy", "pt"]), help="[default: by suffix]")
def export(target: Path, path: Path | None, kind: str | None) -> None:
    """Write directions for GANSpace (.npz), SeFa (.npy), numpy (.npy) or torch (.pt)."""
    from ganwalk.directions import Directions
    from ganwalk.interchange import export_directions

    path = path or _newest_directions()
    directions = Directions.load(path)
    export_directions(directions, target, kind)
    click.echo(f"wrote {target}: {len(directions)} directions of {path}")
    click.echo(f"next: ganwalk render --directions {quoted(path)} --direction all")


def _percent(advance: Callable[[int, str], None]) -> Callable[[int, int], None]:
    """Turns numbers of done and all into steps of a progress bar of 100."""
    return lambda done, total: advance(100 * done // total, "")


def _code_again(generator: Any, name: str | None, external: dict[str, Any]) -> str:
    """The options without which render will not run a generator that is code."""
    if not generator.identity.interface:
        return ""
    return f" --generator {quoted(name or generator.identity.reference)}" + " --trust" * external["trust"]


def _newest_directions() -> Path:
    """The directions file written last in this folder or one below it."""
    found = [*Path().glob("directions.safetensors"), *Path().glob("*/directions.safetensors")]
    if not found:
        raise GanwalkError("no directions here: run ganwalk discover first, or give --directions FILE")
    return max(found, key=lambda path: path.stat().st_mtime)


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
