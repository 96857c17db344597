"""Directions in others' formats, in and out."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.base import Generator, space_dim
from ganwalk.generators.checkpoints.pickle_reader import PickleError
from ganwalk.interchange.contents import read_contents
from ganwalk.interchange.export import export_directions
from ganwalk.interchange.matrices import find_matrix
from ganwalk.interchange.readings import read_rows
from ganwalk.labels import Label
from ganwalk.layers import Layers

__all__ = ["export_directions", "import_directions"]


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
            or with one alone: (n, d), or the rows (layers, d) of an edit in W+.
        space: "w" or "z"; by default the file's, or w for style-based generators.
        layers: layers that the directions are meant for; None takes the file's, or all.
        scales: (n,) length of one standard deviation along each direction; None takes the file's, or measures them.
        seed: seed of the latents that scales are measured on.
        reading: "rows" takes every row for a direction, "wplus" rows for layers; None decides by shape and values.
    Raises:
        GanwalkError: the file cannot be read, or does not fit the generator.
    """
    from ganwalk.discovery.subspace import latent_scales, resolve_space

    path = Path(path)
    try:
        matrix = find_matrix(read_contents(path), any_name=reading == "rows")
        space = resolve_space(generator, space or matrix.space)
        found = read_rows(matrix, space, space_dim(generator, space), generator.num_layers, reading)
        lengths = found.vectors.norm(dim=1, keepdim=True)
        if (lengths == 0).any():
            raise GanwalkError("holds a direction that is zero")
    except FileNotFoundError:
        raise GanwalkError(f"{path} does not exist: check the path") from None
    except IsADirectoryError:
        raise GanwalkError(f"{path} is a folder: give the file in it") from None
    except OSError as error:
        raise GanwalkError(f"cannot read {path}: {error.strerror or error}") from error
    except PickleError as error:
        raise GanwalkError(f"{path} is damaged: {one_line(str(error))}") from error
    except GanwalkError as error:
        raise GanwalkError(f"{path} {one_line(str(error))}") from error
    vectors = found.vectors / lengths
    if scales is None and matrix.scales is not None and len(matrix.scales) == len(vectors):
        scales = matrix.scales
    if scales is None:
        scales = latent_scales(generator, space, vectors, seed=seed)
    directions = Directions(
        vectors=vectors,
        scales=scales,
        space=space,
        generator=generator.identity,
        layers=found.layers if layers is None else layers,
        method=f"imported from {matrix.origin}",
        settings={"file": path.name, "reading": found.what},
        seed=seed,
        version=__version__,
        labels=(_label(matrix.name),) if matrix.single else (),
    )
    directions.check(generator)
    return directions


def _label(name: str) -> Label:
    """A direction's name from a file, if it can be one here."""
    try:
        return Label(name)
    except GanwalkError:
        return Label()
