"""`ganwalk animate`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganwalk.animation.settings import AnimationSettings
from ganwalk.commands.options import (
    AMPLITUDE,
    External,
    batch_option,
    cutoff_option,
    external_options,
    force_option,
    found_class_option,
    given_samples,
    layers_option,
    open_directions,
    open_generator,
    percent,
    plain_amplitude_option,
    seed_style_option,
    with_size,
)
from ganwalk.commands.suggestions import code_again, directions_again, discovery_of
from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH, settings_options
from ganwalk.options.common import common_options
from ganwalk.options.ranges import SEED_STYLES
from ganwalk.options.words import command_words
from ganwalk.progress.bars import progress_bar
from ganwalk.progress.estimates import announce
from ganwalk.terminal import download_watch, set_up_torch, told_how_to_continue

if TYPE_CHECKING:
    from ganwalk.animation.frames import Walk
    from ganwalk.directions import Directions
    from ganwalk.interchange.latents import LatentsFile
    from ganwalk.samples import Samples

# If nobody says: something to go through, or one to walk at.
_SEEDS, _SEED = [1, 2, 3, 4], [1]


@click.command(epilog="Example: ganwalk animate --generator scenes --seeds 1-4 --loop")
@click.option("-d", "--direction", help="Number or name of a direction to walk there and back at every keyframe.")
@click.option(
    "--combine", metavar="EDIT", help="Several at once, such as smile=2,pose=-1 (in σ), to walk and come back from."
)
@click.option(
    "--directions",
    "directions_path",
    type=PATH,
    help="Directions file [default: the newest discovery in this folder, where a direction or no generator is named].",
)
@click.option("-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to].")
@click.option(
    "-o",
    "--out",
    type=PATH,
    help="Video to write, .mp4, .gif or .webp, or a folder for frames as PNG [default: .mp4, named by the options, "
    "beside the directions or here].",
)
@click.option(
    "--seeds",
    "seeds_text",
    help="Keyframes, such as 1-6 or 3,8,20-22 [default: 1-4, or 1 with a direction; none with --latents].",
)
@seed_style_option
@click.option(
    "--latents",
    "latents_paths",
    type=PATH,
    multiple=True,
    help="File of latents, such as of ganwalk project, for keyframes after those of seeds; may be repeated.",
)
@plain_amplitude_option
@settings_options("settings", AnimationSettings())
@cutoff_option
@layers_option
@found_class_option
@batch_option
@click.option("--resume", is_flag=True, help="Continue an animation that was not finished.")
@force_option
@common_options
@external_options
def animate(
    direction: str | None,
    combine: str | None,
    directions_path: Path | None,
    name: str | None,
    out: Path | None,
    seeds_text: str | None,
    seed_style: str,
    latents_paths: tuple[Path, ...],
    amplitude: float,
    settings: AnimationSettings,
    truncation_cutoff: int | None,
    layers_text: str | None,
    class_index: int | None,
    batch: int,
    resume: bool,
    force: bool,
    device: str,
    threads: int | None,
    quiet: bool,
    external: External,
) -> None:
    """Make a video from keyframe to keyframe, with a walk along a direction at each of them if one is named.

    One keyframe with a direction makes a loop of that walk alone. A video of any length takes the memory of a batch of
    images. What is finished of it is kept beside it, in a folder NAME.partial, and --resume continues there.
    """
    set_up_torch(device, threads)
    from ganwalk.animation.frames import Animation
    from ganwalk.animation.run import check_target, partial_folder, write_animation
    from ganwalk.generators.loading import load_generator
    from ganwalk.generators.timing import seconds_per_latent
    from ganwalk.interchange.latents import read_latents
    from ganwalk.options.ranges import parse_seeds

    if direction is not None and combine is not None:
        raise GanwalkError("--direction and --combine say two things to walk: leave one of them out")
    walks = direction is not None or combine is not None
    if amplitude != AMPLITUDE and direction is None:
        raise GanwalkError("--amplitude is how far a direction goes: give --direction, too, or drop it")
    if layers_text and not walks:
        raise GanwalkError("--layers are those that a direction shifts: give --direction, too, or drop it")
    files = [read_latents(path) for path in latents_paths]
    if files and seeds_text is None and seed_style != SEED_STYLES[0]:
        raise GanwalkError("--seed-style is of --seeds: give them, too, or drop it")
    seeds = parse_seeds(seeds_text) if seeds_text is not None else [] if files else _SEED if walks else _SEEDS
    path, directions = None, None
    if walks or directions_path is not None or name is None:
        path, directions = _open(directions_path, walks, quiet)
    walk = None if directions is None or not walks else _walk(directions, direction, combine, amplitude, layers_text)
    if directions is not None:
        generator = open_generator(directions, name, external, device=device, quiet=quiet)
    else:
        assert name is not None
        with download_watch(quiet) as on_bytes:
            generator = load_generator(name, device, on_bytes, **external)
    found_class = directions.class_index if class_index is None and directions is not None else class_index
    keyframes = _keyframes(seeds, seed_style, found_class, files, class_index, generator)
    animation = Animation(generator, keyframes, settings, walk, truncation_cutoff, batch)
    given = {
        **given_samples(seeds_text, files, seed_style),
        "direction": None if walk is None or direction is None else walk.edit[0].index,
        "combine": combine,
        "amplitude": None if amplitude == AMPLITUDE else f"{amplitude:g}",
        "cutoff": truncation_cutoff,
        "layers": layers_text,
        "class": class_index,
    }
    target = out or _default_target(path, given, command_words(settings, AnimationSettings()) or [])
    if check_target(animation, target, resume=resume, force=force):
        click.echo(f"kept {target}: it is finished")
        return
    if not quiet and not resume:
        seconds = animation.images * seconds_per_latent(generator)
        announce("animating", seconds, "fewer --seconds or --fps shorten it", quiet)
    with told_how_to_continue([partial_folder(target)]), progress_bar(100, "animating", quiet) as advance:
        write_animation(animation, target, resume=resume, progress=percent(advance))
    length = animation.frames / settings.fps
    click.echo(f"wrote {with_size(target)}: {animation.frames} frames of {animation.settings.size} px, {length:.1f} s")
    click.echo(f"next: {_next(directions_path, name, generator, walks, directions, external)}")


def _open(path: Path | None, walks: bool, quiet: bool) -> tuple[Path, Directions]:
    try:
        return open_directions(path, quiet)
    except GanwalkError as error:
        if walks or path is not None:
            raise
        # Only the generator is wanted of them.
        raise GanwalkError(f"{error}, or --generator NAME") from error


def _walk(
    directions: Directions, direction: str | None, combine: str | None, amplitude: float, layers_text: str | None
) -> Walk:
    from ganwalk.animation.frames import Walk
    from ganwalk.directions.edits import Move, parse_edit
    from ganwalk.options.ranges import parse_layers

    layers = parse_layers(layers_text) if layers_text else None
    if combine is not None:
        return Walk(directions, parse_edit(combine, directions, layers), there_and_back=False)
    assert direction is not None
    return Walk(directions, [Move(directions.find(direction), amplitude, layers)])


def _keyframes(
    seeds: Sequence[int],
    seed_style: str,
    found_class: int | None,
    files: Sequence[LatentsFile],
    typed_class: int | None,
    generator: Any,
) -> list[Samples]:
    """One sample for each keyframe: those of seeds, and then those of files."""
    from ganwalk.interchange.latents import latent_samples, space_of
    from ganwalk.samples import DrawnSamples

    keyframes: list[Samples] = [DrawnSamples((seed,), class_index=found_class, seed_style=seed_style) for seed in seeds]
    for file in files:
        # Styles have no class, but the seeds beside them may.
        of_styles = bool(seeds) and space_of(file, generator) == "w"
        own_class = None if of_styles else typed_class
        samples = latent_samples([file], generator, class_index=own_class, class_of_codes=found_class)
        keyframes += list(samples)
    return keyframes


def _default_target(path: Path | None, given: dict[str, Any], words: Sequence[str]) -> Path:
    """Named by the options: beside the directions, or here."""
    from ganwalk.rendering.naming import given_words, settings_name, stem_among_others

    # Pictures of another file beside a discovery's are not the discovery's.
    stem = "animation" if path is None else f"{stem_among_others(path)}animation"
    name = f"{settings_name(stem, [*given_words(given), *words])}.mp4"
    return Path(name) if path is None else path.parent / name


def _next(
    directions_path: Path | None,
    name: str | None,
    generator: Any,
    walks: bool,
    directions: Directions | None,
    external: External,
) -> str:
    """A command to go on with."""
    if directions is None:
        return discovery_of(name or generator.identity.reference, external)
    where = directions_again(directions_path)
    again = code_again(generator, name, external)
    return f"ganwalk render{where}{again} --direction all" if walks else f"ganwalk animate{where}{again} --direction 0"
