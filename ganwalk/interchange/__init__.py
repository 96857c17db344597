"""Directions in others' formats, in and out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import CHANNELS, WPLUS, Directions
from ganwalk.directions.arithmetic import merge
from ganwalk.directions.labels import MAX_NAME, Label
from ganwalk.errors import GanwalkError
from ganwalk.generators.base import Generator, check_layers
from ganwalk.generators.channels import channel_mask, channelled, space_dim
from ganwalk.interchange.contents import one_line_errors, read_contents
from ganwalk.interchange.export import export_directions
from ganwalk.interchange.matrices import Matrix, find_matrix
from ganwalk.interchange.readings import numbered, read_rows
from ganwalk.layers import Layers, in_words, layer_mask

__all__ = ["export_directions", "import_directions", "import_folder"]

_SUFFIXES = {".npy", ".npz", ".pt", ".pth", ".pkl", ".safetensors"}
# Words at the end of a file's name that say what it is, not what it does.
_NO_NAMES = {"boundary", "direction", "w", "z"}


def import_directions(
    path: Path | str,
    generator: Generator,
    *,
    space: str | None = None,
    layers: Layers | None = None,
    scales: Tensor | None = None,
    seed: int = 0,
    reading: str | None = None,
) -> Directions:
    """Directions from a file of another tool, for `generator` (a module from `load_generator`).

    Nothing in the file is executed. Files of principal components bring their standard deviations; for the others they
    are measured on random latents. Vectors are scaled to unit length; they need not be orthogonal. How the file was
    read is in the settings of the directions, under "reading".

    Args:
        path: .npz, .npy, .pt, .pkl or .safetensors with a matrix of a known name (see `ganwalk.interchange.matrices`),
            or with one alone: (n, d), or the rows (layers, d) of an edit in W+, which stays one where its rows differ.
        space: "w", "z" or "s"; by default the file's, or s where the width says so, or w for style-based generators.
        layers: layers that the directions are meant for; None takes the file's, or all.
        scales: (n,) length of one standard deviation along each direction; None takes the file's, or measures them.
        seed: seed of the latents that scales are measured on.
        reading: "rows" takes every row for a direction, "wplus" rows for layers; None decides by shape and values.
    Raises:
        GanwalkError: the file cannot be read, or does not fit the generator.
    """
    from ganwalk.discovery.subspace import latent_scales, resolve_space

    path = Path(path)
    with one_line_errors(path, missing="check the path"):
        matrix = find_matrix(read_contents(path), _widths(generator), any_name=reading == "rows")
        space = resolve_space(generator, space or matrix.space or _told(matrix, generator))
        found = read_rows(matrix, space, space_dim(generator, space), generator.num_layers, reading)
        vectors, limits = found.vectors, layers or found.layers
        if vectors.ndim == 3:
            check_layers(generator, limits, space)
            vectors = vectors if limits is None else vectors * layer_mask(limits, generator.num_layers, vectors)
        channels = channelled(generator).style_channels if space == CHANNELS else ()
        if channels and limits is not None:
            check_layers(generator, limits, space)
            vectors = vectors * channel_mask(channels, limits, vectors)
        lengths = vectors.flatten(1).norm(dim=1).view(-1, *[1] * (vectors.ndim - 1))
        if (lengths == 0).any():
            remedy = f"leave out {numbered('row', (lengths == 0).flatten())}"
            where = f" in {in_words(layers)}: choose other --layers, or" if layers is not None else ":"
            raise GanwalkError(f"holds a direction that is zero{where} {remedy}")
    vectors = vectors / lengths
    if scales is None and matrix.scales is not None and len(matrix.scales) == len(vectors):
        scales = matrix.scales
    if scales is None:
        scales = latent_scales(generator, space, vectors, seed=seed)
    layerwise = vectors.ndim == 3
    directions = Directions(
        vectors=vectors,
        scales=scales,
        space=WPLUS if layerwise else space,
        generator=generator.identity,
        layers=None if layerwise or channels or (layers is None and found.own_layers) else limits,
        method=f"imported from {matrix.origin}",
        settings={"file": path.name, "reading": found.what},
        seed=seed,
        version=__version__,
        labels=(_label(matrix.name),) if matrix.single else (),
        own_layers=found.own_layers if layers is None else (),
        channels=channels,
    )
    directions.check(generator)
    return directions


def import_folder(
    folder: Path | str,
    generator: Generator,
    *,
    space: str | None = None,
    layers: Layers | None = None,
    seed: int = 0,
    reading: str | None = None,
) -> tuple[Directions, list[str]]:
    """The directions of all files in a folder, named after their files; otherwise as `import_directions`.

    Files in w and in W+ go together as W+.

    Returns:
        The directions, in the order of the files' names, and a line for each file that could not be read.
    Raises:
        GanwalkError: there is no file of directions, or some are in z and others in w.
    """
    folder = Path(folder)
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES and path.is_file())
    except OSError as error:
        raise GanwalkError(f"cannot read {folder}: {error.strerror or error}") from error
    parts, refusals = [], []
    for path in paths:
        try:
            found = import_directions(path, generator, space=space, layers=layers, seed=seed, reading=reading)
        except GanwalkError as error:
            refusals.append(str(error))
            continue
        own = zip(found.labels, _names_of_rows(path.stem, len(found)), strict=True)
        parts.append(replace(found, labels=tuple(label if label.name else _label(name) for label, name in own)))
    if not parts:
        raise GanwalkError(refusals[0] if refusals else f"{folder} holds no file of directions: give one with some")
    count = f"{len(parts)} file{'s' * (len(parts) > 1)}"
    merged = replace(
        merge(parts),
        method="imported from files",
        settings={"file": folder.name, "reading": count},
        oblique=False,
    )
    return merged, refusals


def _told(matrix: Matrix, generator: Generator) -> str | None:
    """s, if the matrix is as wide as the generator's channel styles and as nothing else; otherwise None."""
    spaces = _widths(generator).get(matrix.values.shape[-1]) if matrix.values.ndim else None
    return CHANNELS if spaces == {CHANNELS} else None


def _widths(generator: Generator) -> dict[int, set[str]]:
    """The spaces that directions of each width may be in."""
    widths = {"z": generator.z_dim, "w": generator.w_dim, WPLUS: generator.num_layers * generator.w_dim}
    if hasattr(generator, "channel_styles"):
        widths[CHANNELS] = space_dim(generator, CHANNELS)
    return {width: {space for space in widths if widths[space] == width} for width in widths.values()}


def _called(stem: str) -> str:
    """What a file's name says of the direction in it: "stylegan_smile_boundary" is of a "stylegan smile"."""
    words = [word for word in stem.replace(",", " ").split("_") if word]
    while len(words) > 1 and words[-1].lower() in _NO_NAMES:
        words.pop()
    return " ".join(words).strip()[:MAX_NAME].strip()


def _names_of_rows(stem: str, count: int) -> list[str]:
    """Names of the directions in a file, with numbers where it holds several: a long stem leaves room for these."""
    called = _called(stem)
    numbers = [""] if count == 1 else [f" {k}" for k in range(count)]
    return [called[: MAX_NAME - len(number)].strip() + number for number in numbers]


def _label(name: str) -> Label:
    """A direction's name from a file, if it can be one here."""
    try:
        return Label(name)
    except GanwalkError:
        return Label()
