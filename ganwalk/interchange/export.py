"""Directions for other tools: matrices of all of them, or a file for each."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganwalk.directions import CHANNELS, WPLUS, Directions
from ganwalk.directions.labels import numbered_name
from ganwalk.errors import GanwalkError
from ganwalk.files import write_bytes
from ganwalk.layers import layer_mask


@dataclass(frozen=True)
class Format:
    """A format to write.

    Attributes:
        suffixes: that a file of it may have, the first one by default.
        each: it holds one direction: several make a folder of files.
        one_vector: for all layers, so that directions in W+ do not fit.
    """

    suffixes: tuple[str, ...]
    each: bool = False
    one_vector: bool = False


FORMATS: Mapping[str, Format] = {
    "ganspace": Format((".npz",), one_vector=True),
    "sefa": Format((".npy",), one_vector=True),
    "npy": Format((".npy",)),
    "pt": Format((".pt", ".pth")),
    "interfacegan": Format((".npy",), each=True, one_vector=True),
    "wplus": Format((".npy",), each=True),
    "e4e": Format((".pt",), each=True),
}
_BY_SUFFIX = {".npz": "ganspace", ".npy": "npy", ".pt": "pt", ".pth": "pt"}


def export_format(path: Path, kind: str | None) -> str:
    """The format of a file to write: as given, or by its suffix; GanwalkError if there is none."""
    found = kind or _BY_SUFFIX.get(path.suffix.lower(), "")
    if found not in FORMATS:
        raise GanwalkError(f"cannot tell a format from {path}: end it in .npz, .npy or .pt, or name one with --format")
    return found


def export_paths(directions: Directions, path: Path | str, kind: str | None = None) -> list[Path]:
    """The files that `export_directions` writes: one, or one in a folder for each direction, named after it.

    Raises:
        GanwalkError: the format is unknown, or the path or the directions do not fit it.
    """
    path = Path(path)
    name = export_format(path, kind)
    chosen = FORMATS[name]
    if directions.space == CHANNELS and name not in ("npy", "pt"):
        raise GanwalkError(
            f"directions in s have a value for each channel, which {name} has no place for: use npy or pt"
        )
    if chosen.one_vector and directions.space == WPLUS:
        raise GanwalkError(f"directions in w+ have a vector for each layer, {name} has one: use npy, pt, wplus or e4e")
    if name == "wplus" and directions.space == "z":
        raise GanwalkError("directions in z have no layers: use npy, pt, interfacegan or e4e")
    fits = path.suffix.lower() in chosen.suffixes
    if not chosen.each or (fits and len(directions) == 1):
        if not fits:
            raise GanwalkError(f"{path} must end in {chosen.suffixes[0]} for the format {name}")
        return [path]
    if fits:
        raise GanwalkError(f"a file of {name} holds one direction, and here are {len(directions)}: name a folder")
    taken: set[str] = set()
    paths = []
    for index, label in enumerate(directions.labels):
        stem = re.sub(r"[^\w-]+", "_", label.name).strip("_") or f"direction_{index}"
        stem = numbered_name(stem, taken, between="_")
        taken.add(stem.casefold())
        paths.append(path / f"{stem}{chosen.suffixes[0]}")
    return paths


def needs_layers(directions: Directions, kind: str) -> bool:
    """Whether `export_directions` has to know how many layers the generator has: to spread vectors over them."""
    limited = directions.layers is not None or len(directions.own_layers) > 0
    return directions.space == "w" and (kind == "wplus" or (kind == "e4e" and limited))


def export_directions(
    directions: Directions, path: Path | str, kind: str | None = None, *, num_layers: int | None = None
) -> None:
    """Writes directions for another tool; the kind follows the suffix unless it is given.

    - "ganspace": an .npz with GANSpace's arrays; components and standard deviations are the directions' own, means are
      zero, since directions have none.
    - "sefa" and "npy": a matrix (n, d) of unit rows; "pt": a tensor of them. In W+ they are
      (n, num_layers, d), in s (n, S).
    - "interfacegan": an .npy (1, d), as a boundary of InterFaceGAN, for each direction.
    - "wplus": an .npy (num_layers, d), as edits of StyleGAN encoders, for each.
    - "e4e": a .pt (1, d), or (num_layers, d) where layers differ, as the editings of e4e and PTI, for each.

    Args:
        path: file, or folder for a file of each direction (`export_paths`).
        num_layers: of the generator, where `needs_layers`.
    Raises:
        GanwalkError: the kind is unknown, the directions do not fit it, or a file cannot be written.
    """
    path = Path(path)
    paths = export_paths(directions, path, kind)
    kind = export_format(path, kind)
    if needs_layers(directions, kind) and num_layers is None:
        raise GanwalkError(f"{kind} has a row for each layer: say how many layers the generator has")
    if FORMATS[kind].each:
        contents = [_one(directions, index, kind, num_layers) for index in range(len(directions))]
    else:
        contents = [_all(directions, kind)]
    for target, content in zip(paths, contents, strict=True):
        write_bytes(target, content)


def _one(directions: Directions, index: int, kind: str, num_layers: int | None) -> bytes:
    """A file with one direction: (1, d), or (layers, d)."""
    vector = directions.vectors[index].cpu()
    if needs_layers(directions, kind):
        assert num_layers is not None
        layers = directions.layers_of(index)
        rows = vector.expand(num_layers, -1)
        rows = rows if layers is None else layer_mask(layers, num_layers, vector) * rows
    else:
        rows = vector if vector.ndim == 2 else vector[None]
    return _tensor(rows) if FORMATS[kind].suffixes == (".pt",) else _array(rows)


def _all(directions: Directions, kind: str) -> bytes:
    """A file with all directions."""
    import numpy as np

    if kind == "pt":
        return _tensor(directions.vectors)
    if kind != "ganspace":
        return _array(directions.vectors)
    vectors, scales = directions.vectors.cpu().numpy(), directions.scales.cpu().numpy()
    n, d = vectors.shape
    variances = np.square(scales)
    arrays = {
        "act_comp": vectors[:, None, :],
        "act_mean": np.zeros((1, d), np.float32),
        "act_stdev": scales,
        "lat_comp": vectors[:, None, :],
        "lat_mean": np.zeros((1, d), np.float32),
        "lat_stdev": scales,
        "var_ratio": (variances / variances.sum()).astype(np.float32),
        "random_stdevs": np.full(n, np.sqrt(variances.mean()), np.float32),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _array(values: Tensor) -> bytes:
    import numpy as np

    buffer = io.BytesIO()
    np.save(buffer, values.cpu().contiguous().numpy())
    return buffer.getvalue()


def _tensor(values: Tensor) -> bytes:
    buffer = io.BytesIO()
    torch.save(values.cpu().clone(memory_format=torch.contiguous_format), buffer)
    return buffer.getvalue()
