"""`ganwalk render`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ganwalk.commands.options import (
    AMPLITUDE,
    REACH,
    External,
    amplitude_option,
    batch_option,
    cutoff_option,
    directions_option,
    external_options,
    force_option,
    found_class_option,
    generator_option,
    given_samples,
    latents_option,
    layers_option,
    open_directions,
    open_generator,
    percent,
    say_unreadable,
    seed_style_option,
    truncation_option,
    with_size,
)
from ganwalk.commands.suggestions import code_again, directions_again
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH
from ganwalk.options.common import common_options
from ganwalk.options.ranges import SEED_STYLES
from ganwalk.progress.bars import progress_bar
from ganwalk.progress.estimates import announce
from ganwalk.terminal import quoted, set_up_torch

if TYPE_CHECKING:
    from PIL import Image

    from ganwalk.directions import Directions
    from ganwalk.directions.edits import Move
    from ganwalk.generators.base import Generator
    from ganwalk.layers import Layers
    from ganwalk.samples import Samples

_STEPS = 7


@click.command(epilog="Example: ganwalk render --direction 3 --seeds 1-6 --gif")
@click.option("-d", "--direction", help="Number (0 is the strongest) or name of a direction, or all.")
@click.option(
    "--combine",
    metavar="EDIT",
    help="Several at once, such as smile=2,pose=-1 (in σ) or 3=1.5@4-7 (in layers 4 to 7).",
)
@directions_option
@generator_option
@click.option("-o", "--out", type=PATH, help="PNG to write [default: beside the directions, named by the options].")
@click.option(
    "--seeds",
    "seeds_text",
    help="Samples, such as 1-6 or 3,8,20-22 [default: 1-6, or 1-3 above 512 px; the first one for all directions].",
)
@seed_style_option
@latents_option
@amplitude_option
@click.option("--steps", type=click.IntRange(2), default=_STEPS, show_default=True, help="Pictures from end to end.")
@truncation_option
@cutoff_option
@layers_option
@found_class_option
@click.option("--saliency", is_flag=True, help="Add a column of heat maps: where each row changes.")
@batch_option
@click.option("--gif", is_flag=True, help="Also write an animation as GIF.")
@click.option("--mp4", is_flag=True, help="Also write an animation as MP4.")
@force_option
@common_options
@external_options
def render(
    direction: str | None,
    combine: str | None,
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    seeds_text: str | None,
    seed_style: str,
    latents_paths: tuple[Path, ...],
    amplitude: float | None,
    steps: int,
    truncation: float,
    truncation_cutoff: int | None,
    layers_text: str | None,
    class_index: int | None,
    saliency: bool,
    batch: int,
    gif: bool,
    mp4: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Draw what a direction does: a grid of samples × amplitudes, and animations.

    `--direction all` draws an overview with one row per direction that is not hidden; more than 25 are on several
    sheets, overview-1.png and so on. `--combine` draws the way from each sample to several directions walked at once:
    it says itself how far, and --layers is for those of its parts that name none. `--amplitude reach` walks each
    direction as far as `ganwalk reach` found that pictures stay what the generator makes, so that equal steps change
    them alike.
    """
    _check_what(direction, combine)
    if latents_paths and (seeds_text is not None or seed_style != SEED_STYLES[0]):
        raise GanwalkError("--latents are shown instead of seeds: leave out --seeds and --seed-style")
    if amplitude is None:
        _check_reach(layers_text, animated=gif or mp4)
    set_up_torch(device, threads)
    from ganwalk.generators.timing import seconds_per_latent
    from ganwalk.interchange.latents import latent_samples, read_latents
    from ganwalk.options.ranges import parse_layers, parse_seeds
    from ganwalk.pictures.sheets import save_picture
    from ganwalk.rendering.grids import default_seeds
    from ganwalk.rendering.loops import FRAMES, save_loop
    from ganwalk.rendering.naming import given_words, mark_of, settings_name, stem_among_others
    from ganwalk.samples import DrawnSamples

    latents = [read_latents(one) for one in latents_paths]
    path, directions = open_directions(directions_path, quiet)
    if amplitude is None and directions.reach is None:
        raise GanwalkError(f"the reach of {path} was not measured: run ganwalk reach --directions {quoted(path)}")
    seeds = None if seeds_text is None else tuple(parse_seeds(seeds_text))
    layers = parse_layers(layers_text) if layers_text else None
    drawing = _drawing_of(directions, direction, combine, amplitude, layers)
    generator = open_generator(directions, name, external, device=device, quiet=quiet)
    samples: Samples
    drawn_class = directions.class_index if class_index is None else class_index
    if latents:
        samples = latent_samples(
            latents, generator, truncation, truncation_cutoff, class_index, class_of_codes=directions.class_index
        )
        shown: Any = samples.fingerprint
    else:
        shown = seeds or default_seeds(generator)
        samples = DrawnSamples(shown, truncation, truncation_cutoff, drawn_class, seed_style)
    given = {
        **given_samples(seeds_text, latents, seed_style),
        "amplitude": None if amplitude == AMPLITUDE or combine is not None else _typed(amplitude),
        "steps": None if steps == _STEPS else steps,
        "truncation": None if truncation == 1.0 else f"{truncation:g}",
        "cutoff": truncation_cutoff,
        "layers": layers_text,
        "class": None if drawn_class == directions.class_index else drawn_class,
    }
    words = given_words(given) + ["saliency"] * saliency
    picture = out or path.parent / f"{settings_name(stem_among_others(path) + drawing.name, words)}.png"
    if picture.suffix.lower() != ".png":
        raise GanwalkError(f"{picture} must end in .png: animations are written beside it")
    sheets = _sheets_of(picture, directions, drawing)
    animations = [picture.with_suffix(suffix) for suffix in [".gif"] * gif + [".mp4"] * mp4]
    drawn = f"{drawing.name} with heat maps" if saliency else drawing.name
    facts = {**given, "drawn": drawn, "seeds": shown}
    if amplitude is None and directions.reach is not None:
        facts["reach"] = directions.reach.pace.tolist()
    mark = mark_of(directions, facts)
    _check_targets(sheets, animations, mark, force)
    edits = drawing.edits
    if len(edits) > 1:
        first, count = samples.labels[0], len(samples)
        if count > 1 and (seeds or latents) and not quiet:
            click.echo(f"note: only {first} is drawn, of {count} samples: the grid of a single direction shows all")
        samples = samples.select([0])
    if not quiet:
        images = len(edits) * len(samples) * (steps + FRAMES * (gif + mp4))
        remedy = f"fewer --steps{' or --seeds' * (len(edits) == 1)} shorten it" + ", or no animation" * (gif or mp4)
        announce("rendering", images * seconds_per_latent(generator), remedy, quiet)
    with progress_bar(100, "rendering", quiet) as advance:
        making: dict[str, Any] = {"steps": steps, "saliency": saliency, "batch": batch, "progress": percent(advance)}
        pictures = _pictures(generator, directions, drawing, samples, amplitude, layers, making)
        for one, sheet in zip(pictures, sheets, strict=True):
            save_picture(one, sheet, mark)
    for target in animations:
        with progress_bar(100, f"rendering {target.suffix[1:]}", quiet) as advance:
            save_loop(
                target,
                generator,
                directions,
                edits,
                samples,
                there_and_back=not drawing.combined,
                batch=batch,
                progress=percent(advance),
            )
    if len(sheets) > 1:
        click.echo(f"{len(edits)} directions are too many for one picture: they are on {len(sheets)} sheets")
    say_unreadable(directions, quiet)
    click.echo(f"wrote {', '.join(map(with_size, [*sheets, *animations]))}")
    other = "0" if direction == "all" or len(directions) == 1 else "all"
    again = f"{directions_again(directions_path)}{code_again(generator, name, external)}"
    click.echo(f"next: ganwalk render{again} --direction {other}")


@dataclass(frozen=True)
class _Drawing:
    """What is drawn.

    Attributes:
        edits: one for each row of an overview, and a single one of any other picture.
        name: what files are called after.
        index: the direction that the picture is about; None of an overview and of several at once.
        combined: whether several are walked at once.
    """

    edits: list[list[Move]]
    name: str
    index: int | None = None
    combined: bool = False


def _check_what(direction: str | None, combine: str | None) -> None:
    """Refuses what says nothing to draw, or two things, or how far twice."""
    how_far = click.get_current_context().get_parameter_source("amplitude")
    if combine is not None and how_far is ParameterSource.COMMANDLINE:
        raise GanwalkError("--combine says how far each direction is walked, such as smile=2: leave out --amplitude")
    if direction is not None and combine is not None:
        raise GanwalkError("--direction and --combine say two things to draw: leave one of them out")
    if direction is None and combine is None:
        raise GanwalkError("say what to draw: either --direction 0 (or a name, or all) or --combine smile=2,pose=-1")


def _drawing_of(
    directions: Directions,
    direction: str | None,
    combine: str | None,
    amplitude: float | None,
    layers: Layers | None,
) -> _Drawing:
    """What the options name; an overview of a single direction is the picture of that one."""
    from ganwalk.directions.edits import Move, parse_edit

    if combine is not None:
        if layers is not None and all(move.layers for move in parse_edit(combine, directions)):
            raise GanwalkError("every part of --combine names its layers, such as smile=2@4-7: leave out --layers")
        return _Drawing([parse_edit(combine, directions, layers)], f"combined-{combine}", combined=True)
    assert direction is not None
    visible = directions.visible()
    if direction != "all" or len(visible) == 1:
        index = visible[0] if direction == "all" else directions.find(direction)
        return _Drawing([[Move(index, amplitude or 1.0, layers)]], f"direction-{index}", index)
    return _Drawing([[Move(k, amplitude or 1.0, layers)] for k in visible], "overview")


def _sheets_of(picture: Path, directions: Directions, drawing: _Drawing) -> list[Path]:
    """The files of a picture: more than one of an overview of many directions."""
    from ganwalk.rendering.grids import overview_parts

    count = len(overview_parts(directions)) if len(drawing.edits) > 1 else 1
    return [picture] if count == 1 else [picture.with_name(f"{picture.stem}-{k}.png") for k in range(1, count + 1)]


def _check_targets(sheets: Sequence[Path], animations: Sequence[Path], mark: str, force: bool) -> None:
    """Refuses to replace what is not the same; animations, which carry no mark, belong to the picture beside them."""
    from ganwalk.files import check_free
    from ganwalk.rendering.naming import check_replaceable

    for sheet in sheets:
        check_replaceable(sheet, mark, force)
    if not sheets[0].exists():
        for target in animations:
            check_free(target, force)


def _pictures(
    generator: Generator,
    directions: Directions,
    drawing: _Drawing,
    samples: Samples,
    amplitude: float | None,
    layers: Layers | None,
    making: dict[str, Any],
) -> Iterable[Image.Image]:
    """The picture of each sheet; `making` are the options that all kinds of grids take."""
    from ganwalk.rendering.grids import combination_grid, overview_sheets, traversal_grid

    if drawing.combined:
        return [combination_grid(generator, directions, drawing.edits[0], samples, **making)]
    reach: dict[str, Any] = {"amplitude": amplitude, "layers": layers}
    if drawing.index is not None:
        return [traversal_grid(generator, directions, drawing.index, samples, **making, **reach)]
    return overview_sheets(generator, directions, samples, **making, **reach)


def _check_reach(layers_text: str | None, *, animated: bool) -> None:
    """Refuses what has no ends at the reach of single directions, as they were measured."""
    if layers_text is not None:
        raise GanwalkError("the reach was measured in the directions' own layers: leave --layers out")
    if animated:
        raise GanwalkError("animations go as far both ways: give --amplitude a number with --gif and --mp4")


def _typed(amplitude: float | None) -> str:
    """The amplitude as the option takes it."""
    return REACH if amplitude is None else f"{amplitude:g}"
