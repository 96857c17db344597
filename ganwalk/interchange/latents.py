"""Latents that people have, in the files of this and other tools, as samples to be shown.

- A projection of `ganwalk project`, or NVIDIA's projected_w.npz: `w` (n, layers, w_dim); also `z` (n, z_dim).
- What e4e and PTI save: tensors alone in a .pt, (n, layers, w_dim) or (n, w_dim), or a dict that has one
  for each picture, (1, layers, w_dim) or (1, w_dim).
- SeFa's latent_codes/*.npy and other arrays alone: styles of layers, or vectors, whose space the generator tells.

Nothing in a file is executed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError, one_line
from ganwalk.generators.base import Generator
from ganwalk.interchange.contents import Array, one_line_errors, read_contents
from ganwalk.samples import StoredSamples, is_finite

# What the fields and files of tools call them.
_NAMES = {
    "z": "z",
    "w": "w",
    "ws": "w",
    "wp": "w",
    "w_plus": "w",
    "wplus": "w",
    "projected_w": "w",
    "latent": "w",
    "latents": "",
    "latent_codes": "",
    "codes": "",
}
_MOST = 10_000
# Styles of each of 18 layers of some thousands, of which several copies are made.
MAX_VALUES = 2**25
_SAVE = "save one array, (n, layers, w_dim) or (n, w_dim), as .npz under the name w, or (n, z_dim) under the name z"
_FEWER = "save those to be shown"
# Latents from which moments of w are taken, to tell its vectors from codes.
_DRAWN = 2000


@dataclass(frozen=True)
class LatentsFile:
    """Latents from a file, before a generator says what fits.

    Attributes:
        path: of the file.
        values: (n, d), or (n, layers, w_dim).
        space: "z" or "w"; empty where the file does not say.
    """

    path: Path
    values: Tensor = field(compare=False, repr=False)
    space: str

    def labels(self, count: int) -> tuple[str, ...]:
        """The file's name, with numbers where it holds several samples."""
        name = one_line(self.path.stem, 40)
        return (name,) if count == 1 else tuple(f"{name} {k}" for k in range(count))


def read_latents(path: Path, *, max_values: int = MAX_VALUES) -> LatentsFile:
    """The latents in a file, told by its content.

    Args:
        max_values: of the array; nothing larger is read.
    Raises:
        GanwalkError: it cannot be read, is too large, or holds no latents that can be told.
    """
    with one_line_errors(path, missing="check --latents", holds="latents"):
        contents = read_contents(path)
        arrays = {name: entry for name, entry in contents.entries.items() if isinstance(entry, Array)}
        of_torch = contents.kind == "pt"
        names = list(arrays) if of_torch and _by_picture(arrays) else [_chosen(arrays)]
        shape = arrays[names[0]].shape
        if len(names) * math.prod(shape) > max_values:
            raise GanwalkError(f"holds an array of shape {shape}, which is too large: {_FEWER}")
        # torch's users save styles; whose name says nothing may hold either.
        space = _space_of(names[0]) or ("w" if of_torch or len(shape) == 3 else "")
        values = [arrays[name].read() for name in names]
        return LatentsFile(path, _checked(values[0] if len(values) == 1 else torch.cat(values), space), space)


def latent_samples(
    files: Sequence[LatentsFile],
    generator: Generator,
    truncation_psi: float = 1.0,
    truncation_cutoff: int | None = None,
    class_index: int | None = None,
    *,
    class_of_codes: int | None = None,
) -> StoredSamples:
    """The latents of files as samples of a generator, in their order.

    Args:
        truncation_psi, truncation_cutoff, class_index: of codes; styles refuse them.
        class_of_codes: of codes, where nobody asked for a class; styles do without.
    Raises:
        GanwalkError: latents do not fit the generator, or are of two spaces.
    """
    if not files:
        raise GanwalkError("at least one sample is needed: give --latents FILE")
    spaces = [space_of(file, generator) for file in files]
    if len(set(spaces)) > 1:
        first, other = files[0].path, files[spaces.index("w" if spaces[0] == "z" else "z")].path
        raise GanwalkError(f"{first} holds latents in {spaces[0]}, {other} others: show them one after the other")
    parts = [_fitting(file, space, generator) for file, space in zip(files, spaces, strict=True)]
    if len({part.ndim for part in parts}) > 1:
        parts = [part if part.ndim == 3 else part.unsqueeze(1).expand(-1, generator.num_layers, -1) for part in parts]
    labels = tuple(label for file, part in zip(files, parts, strict=True) for label in file.labels(len(part)))
    if class_index is None and spaces[0] == "z":
        class_index = class_of_codes
    samples = StoredSamples(torch.cat(parts), spaces[0], labels, truncation_psi, truncation_cutoff, class_index)
    samples.check(generator)
    return samples


def class_of_samples(directions: Directions, latents: Sequence[Path], generator: Generator) -> int | None:
    """The class of samples as discovered, of drawn ones and of codes in files: styles have none any more."""
    if directions.class_index is None:
        return None
    in_styles = any(space_of(read_latents(path), generator) == "w" for path in latents)
    return None if in_styles else directions.class_index


def space_of(file: LatentsFile, generator: Generator) -> str:
    """The space, "z" or "w", of a file's latents, told by the generator where the file does not say."""
    return file.space or _told(file, generator)


def _by_picture(arrays: dict[str, Array]) -> bool:
    """Whether these are the styles of several pictures, whose names say nothing of latents: one sample in each."""
    shapes = {array.shape for array in arrays.values()}
    alike = len(arrays) > 1 and len(shapes) == 1 and not any(_last(name) in _NAMES for name in arrays)
    return alike and all(len(shape) in (2, 3) and shape[0] == 1 for shape in shapes)


def _chosen(arrays: dict[str, Array]) -> str:
    """The name of the array that holds the latents."""
    if not arrays:
        raise GanwalkError(f"holds no latents: {_SAVE}")
    if len(arrays) == 1:
        return next(iter(arrays))
    known = [name for name in arrays if _last(name) in _NAMES]
    for space in ("z", "w", ""):
        # A projection in z holds the styles of its code beside it: the code says more.
        named = [name for name in known if _space_of(name) == space]
        if len(named) == 1:
            return named[0]
    names = one_line(", ".join(list(arrays)[:6]), 120)
    raise GanwalkError(f"holds {len(arrays)} arrays ({names}) and does not say which are latents: {_SAVE}")


def _last(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _space_of(name: str) -> str:
    """The space that a name speaks of; empty if it does not say."""
    return _NAMES.get(_last(name), "")


def _checked(values: Tensor, space: str) -> Tensor:
    """Latents with an axis of samples."""
    if values.ndim == 1:
        values = values[None]
    if values.ndim == 4 and values.shape[0] == 1:
        # A list of one tensor, or a batch of batches.
        values = values[0]
    if values.ndim not in ((2,) if space == "z" else (2, 3)) or values.numel() == 0:
        raise GanwalkError(f"holds an array of shape {tuple(values.shape)}, which are no latents: {_SAVE}")
    if len(values) > _MOST:
        raise GanwalkError(f"holds {len(values)} latents, more than {_MOST}: {_FEWER}")
    if not is_finite(values):
        raise GanwalkError("holds values that are not finite: no generator made these")
    return values


def _fitting(file: LatentsFile, space: str, generator: Generator) -> Tensor:
    """The latents of a file, once they are known to fit."""
    values = file.values
    shown = "×".join(map(str, values.shape[1:]))
    if space == "z":
        if values.shape[1] != generator.z_dim:
            raise GanwalkError(
                f"{file.path} holds codes z of {shown} values, but this generator takes {generator.z_dim}: "
                "was it another one?"
            )
        return values
    layers, dim = generator.num_layers, generator.w_dim
    if not generator.style_based:
        raise GanwalkError(f"{file.path} holds styles w, but this generator has none: give its latent codes z")
    if values.ndim == 2 and values.shape == (layers, dim) and layers > 1:
        # The styles of one picture, saved without an axis of samples.
        return values[None]
    if values.shape[1:] not in ((dim,), (layers, dim)):
        raise GanwalkError(
            f"{file.path} holds styles of {shown} values, but this generator takes {layers}×{dim} or {dim}: "
            "was it another one, or of another size?"
        )
    return values


def _told(file: LatentsFile, generator: Generator) -> str:
    """The space of vectors whose file does not say it: by their length, or where both have it, by their values."""
    dim = file.values.shape[-1]
    if not generator.style_based:
        return "z"
    if generator.z_dim != generator.w_dim:
        return "z" if dim == generator.z_dim else "w"
    from ganwalk.discovery.subspace import latent_subspace

    if dim != generator.w_dim:
        return "w"
    # Which of two Gaussians of independent entries the values are likelier of: codes', or styles'.
    covariance = latent_subspace(generator, "w", 1, samples=_DRAWN).covariance
    variances = covariance.diagonal().clamp_min(1e-12)
    values = file.values.double()
    centred = values - generator.w_avg.cpu().double()
    of_w = (centred.square() / variances + variances.log()).mean()
    return "w" if of_w < values.square().mean() else "z"
