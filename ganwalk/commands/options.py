"""Options that commands share, and what they stand for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import click

from ganwalk.errors import GanwalkError
from ganwalk.options.command_line import PATH, Number, option_group
from ganwalk.options.latents import MAX_AMPLITUDE, MAX_PSI
from ganwalk.options.ranges import SEED_STYLES
from ganwalk.terminal import download_watch

if TYPE_CHECKING:
    from ganwalk.directions import Directions
    from ganwalk.discovery.settings import DiscoverySettings
    from ganwalk.evaluation.settings import EvaluationSettings
    from ganwalk.files.data_place import DataPlace
    from ganwalk.generators.base import Generator
    from ganwalk.interchange.latents import LatentsFile

DEFAULT_OUT = Path("ganwalk-out")
# Ends of a walk in pictures, in standard deviations.
AMPLITUDE = 3.0
# Stands for each direction's own ends.
REACH = "reach"


directions_option = click.option(
    "--directions",
    "directions_path",
    type=PATH,
    help="Directions file [default: the newest discovery in this folder].",
)
generator_option = click.option(
    "-g", "--generator", "name", help="Checkpoint or name [default: the one the directions belong to]."
)
force_option = click.option("--force", is_flag=True, help="Replace what is there already.")
truncation_option = click.option(
    "--truncation", type=Number(-MAX_PSI, MAX_PSI), default=1.0, show_default=True, help="Truncation psi."
)
cutoff_option = click.option(
    "--truncation-cutoff",
    type=click.IntRange(1),
    metavar="N",
    help="Truncate only the styles of the first N layers [default: of all].",
)
found_class_option = click.option(
    "--class", "class_index", type=click.IntRange(0), help="Class of a conditional generator [default: as discovered]."
)
latents_option = click.option(
    "--latents",
    "latents_paths",
    type=PATH,
    multiple=True,
    help="File of latents to show instead of seeds, such as of ganwalk project; may be repeated.",
)
seed_style_option = click.option(
    "--seed-style",
    type=click.Choice(SEED_STYLES),
    default="torch",
    show_default=True,
    help="Whose codes seeds stand for: torch's, or those of NVIDIA's scripts, in which pictures are published.",
)
batch_option = click.option(
    "--batch", type=click.IntRange(1), default=8, show_default=True, help="Images at once (memory)."
)
layers_option = click.option(
    "--layers", "layers_text", metavar="A-B,C,…", help="Shift only these layers [default: as discovered]."
)


# Megabytes of a file from which on its size is told.
_LARGE_FILE = 10
_LENGTH = Number(0, MAX_AMPLITUDE, min_open=True)


class Amplitude(click.ParamType):
    """A positive number of σ, or "reach", which is None: each direction's own."""

    name = "float|reach"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> float | None:
        if value == REACH:
            return None
        return float(_LENGTH.convert(value, parameter, context))


plain_amplitude_option = click.option(
    "--amplitude",
    type=_LENGTH,
    default=AMPLITUDE,
    show_default=True,
    help="Ends, in σ.",
)
amplitude_option = click.option(
    "--amplitude",
    type=Amplitude(),
    default=AMPLITUDE,
    show_default=True,
    help="Ends, in σ; reach walks each direction up to its own (see ganwalk reach), at an even pace.",
)


class External(TypedDict):
    """What was said of a generator that is code: further arguments of `load_generator`."""

    trust: bool
    latent_dim: int | None
    image_range: tuple[float, float] | None


def external_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for generators that are code, handed to the command as one argument for `load_generator`."""

    @functools.wraps(command)
    def wrapped(*args: Any, trust: bool, latent_dim: int | None, image_range: str | None, **kwargs: Any) -> Any:
        from ganwalk.generators.calls import parse_image_range

        limits = None if image_range is None else parse_image_range(image_range)
        external: External = {"trust": trust, "latent_dim": latent_dim, "image_range": limits}
        return command(*args, external=external, **kwargs)

    return option_group(
        click.option("--trust", is_flag=True, help="Run the program in a TorchScript file."),
        click.option("--latent-dim", type=click.IntRange(1), help="Latent size of a generator that is code."),
        click.option(
            "--image-range",
            metavar="LOW,HIGH",
            help="Values of black and white in the images of a generator that is code, such as -1,1 or 0,255.",
        ),
    )(wrapped)


def classifier_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Options for a user's attribute classifier, handed on as one function (generator, class) → reader or None."""

    @functools.wraps(command)
    def wrapped(*args: Any, classifier: Path | None, attributes_text: str | None, **kwargs: Any) -> Any:
        from ganwalk.evaluation.factors import check_classifier, parse_attributes

        if attributes_text is not None and classifier is None:
            raise GanwalkError("--attributes names the outputs of a classifier: give it with --classifier FILE")
        names = None if attributes_text is None else parse_attributes(attributes_text)
        if classifier is not None:
            check_classifier(classifier, trust=kwargs["external"]["trust"])

        # Other processes are sent it by pickle.
        make_reader = functools.partial(_make_reader, classifier, kwargs["external"]["trust"], names)
        return command(*args, make_reader=make_reader, **kwargs)

    return option_group(
        click.option(
            "--classifier", type=PATH, help="TorchScript file of a network images → attributes (needs --trust)."
        ),
        click.option("--attributes", "attributes_text", metavar="A,B,…", help="Names of the classifier's attributes."),
    )(wrapped)


def _make_reader(
    classifier: Path | None, trust: bool, attributes: list[str] | None, generator: Any, class_index: int | None
) -> Any:
    from ganwalk.evaluation.factors import load_classifier

    if classifier is None:
        return None
    return load_classifier(classifier, generator, trust=trust, attributes=attributes, class_index=class_index)


def check_data_root(settings: EvaluationSettings, data: DataPlace) -> None:
    """Refuses the place of a data set that nothing asks for."""
    if data.root is not None and not settings.representation:
        raise GanwalkError("--data-root has no effect without --representation: leave it out")


def open_directions(path: Path | None, quiet: bool = False) -> tuple[Path, Directions]:
    """A directions file and what is in it; where none is given, the newest one here, and a line that says which."""
    from ganwalk.directions import Directions
    from ganwalk.directions.files import newest_directions

    if path is not None:
        return path, Directions.load(path)
    opened = newest_directions()
    if not quiet:
        click.echo(f"using {opened.description}")
    return opened.path, opened.directions


def open_generator(
    directions: Directions, name: str | None, external: External, *, device: str = "cpu", quiet: bool = False
) -> Any:
    """The generator that directions belong to, or the one named, after a look whether it is theirs."""
    from ganwalk.generators.loading import load_directions_generator

    with download_watch(quiet) as on_bytes:
        return load_directions_generator(directions.generator, name, device, on_bytes, **external)


def given_samples(seeds_text: str | None, latents: Sequence[LatentsFile], seed_style: str) -> dict[str, str | None]:
    """What was said of the samples to show, for the names of pictures; None stands for what was not."""
    return {
        "seeds": seeds_text,
        "latents": ",".join(one.path.stem for one in latents) or None,
        "seed-style": None if seed_style == SEED_STYLES[0] else seed_style,
    }


def with_size(path: Path) -> str:
    """A file's name, and what it takes if that is more than people send without a thought."""
    size = path.stat().st_size / 1e6 if path.is_file() else 0.0
    return f"{path} ({size:.0f} MB)" if size >= _LARGE_FILE else str(path)


def say_unreadable(directions: Directions, quiet: bool) -> None:
    """Says which characters of names pictures lack."""
    from ganwalk.pictures.fonts import unreadable

    lacking = unreadable([label.name for label in directions.labels])
    if lacking and not quiet:
        click.echo(f"note: no font here has {lacking}, which is ? in pictures: install one, such as Noto Sans CJK")


def percent(advance: Callable[[int, str], None]) -> Callable[[int, int], None]:
    """Turns numbers of done and all into steps of a progress bar of 100."""
    return lambda done, total: advance(100 * done // total, "")


def with_what_there_is(settings: DiscoverySettings, generator: Generator, quiet: bool) -> DiscoverySettings:
    """Settings with fewer directions where the generator has fewer and nobody has typed a number; says so."""
    if click.get_current_context().params["settings_n_directions"] is not None:
        return settings
    fitting = settings.fitting(generator)
    if fitting != settings and not quiet:
        click.echo(f"note: latents of {fitting.n_directions} dimensions: as many directions")
    return fitting
