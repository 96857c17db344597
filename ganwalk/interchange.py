"""Directions in others' formats: GANSpace's .npz, SeFa's .npy and factor.pt, plain .npy and .pt.

SeFa's authors save no directions; people save its boundaries as a matrix of rows (n, d). The SeFa of
rosinality/stylegan2-pytorch saves factor.pt, whose `eigvec` (d, d) has one direction per column.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganwalk import __version__
from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.files import write_bytes
from ganwalk.generators.base import Generator, space_dim

FORMATS = ("ganspace", "sefa", "npy", "pt")
_SUFFIXES = {".npz": "ganspace", ".npy": "npy", ".pt": "pt", ".pth": "pt"}
_MAX_VALUES = 2**28


def import_directions(
    path: Path | str,
    generator: Generator,
    *,
    space: str | None = None,
    layers: tuple[int, int] | None = None,
    scales: Tensor | None = None,
    seed: int = 0,
) -> Directions:
    """Directions from a file of another tool, for `generator` (a module from `load_generator`).

    GANSpace's files bring their standard deviations; for the others they are measured on random latents. Rows are
    scaled to unit length; they need not be orthogonal.

    Args:
        path: .npz with `lat_comp` (GANSpace), .npy or .pt with a matrix (n, d) (SeFa's boundaries, or any other), or
            a .pt with `eigvec`.
        space: "w" or "z"; by default w for style-based generators.
        layers: layers that the directions are meant for; None is all.
        scales: (n,) length of one standard deviation along each direction; None takes the file's, or measures them.
        seed: seed of the latents that scales are measured on.
    Raises:
        GanwalkError: the file cannot be read, or does not fit the generator.
    """
    from ganwalk.discovery.subspace import latent_scales, resolve_space

    path = Path(path)
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise GanwalkError(f"{path} is of an unknown kind: directions are read from .npz, .npy, .pt and .pth")
    try:
        vectors, stored = _read_ganspace(path) if kind == "ganspace" else (_read_matrix(path, kind), None)
    except FileNotFoundError:
        raise GanwalkError(f"{path} does not exist: check the path") from None
    except GanwalkError:
        raise
    except Exception as error:
        # The readers of numpy and torch raise whatever a damaged header leads them to.
        raise GanwalkError(f"{path} is damaged, or no file of directions") from error
    scales = stored if scales is None else scales
    if vectors.ndim < 2 or vectors.numel() == 0:
        raise GanwalkError(f"{path} holds no matrix of directions (n, d): its shape is {tuple(vectors.shape)}")
    vectors = vectors.flatten(1)
    lengths = vectors.norm(dim=1, keepdim=True)
    if not torch.isfinite(vectors).all() or (lengths == 0).any():
        raise GanwalkError(f"{path} holds a direction that is zero or not finite")
    vectors = vectors / lengths
    space = resolve_space(generator, space)
    total = space_dim(generator, space)
    if vectors.shape[1] != total:
        raise GanwalkError(f"{path} has directions of {vectors.shape[1]} dimensions, but {space} has {total}")
    if scales is None:
        scales = latent_scales(generator, space, vectors, seed=seed)
    directions = Directions(
        vectors=vectors,
        scales=scales,
        space=space,
        generator=generator.identity,
        layers=layers,
        method=f"imported from {kind}",
        settings={"file": path.name},
        seed=seed,
        version=__version__,
    )
    directions.check(generator)
    return directions


def export_directions(directions: Directions, path: Path | str, kind: str | None = None) -> None:
    """Writes directions for another tool; the kind follows the suffix unless it is given.

    "ganspace" writes an .npz with GANSpace's arrays: components and standard deviations are the directions' own, means
    are zero, since directions have none. "sefa" and "npy" write a matrix (n, d) of unit rows, "pt" a tensor of them.

    Raises:
        GanwalkError: the kind is unknown, or the file cannot be written.
    """
    import numpy as np

    path = Path(path)
    kind = kind or _SUFFIXES.get(path.suffix.lower())
    suffix = {"ganspace": ".npz", "sefa": ".npy", "npy": ".npy", "pt": ".pt"}.get(kind or "")
    if suffix is None:
        raise GanwalkError(f"cannot tell a format from {path}: end it in .npz, .npy or .pt")
    if path.suffix.lower() not in (suffix, ".pth" if kind == "pt" else suffix):
        raise GanwalkError(f"{path} must end in {suffix} for the format {kind}")
    vectors, scales = directions.vectors.cpu().numpy(), directions.scales.cpu().numpy()
    buffer = io.BytesIO()
    if kind == "ganspace":
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
        np.savez_compressed(buffer, **arrays)
    elif kind == "pt":
        torch.save(directions.vectors.cpu().clone(), buffer)
    else:
        np.save(buffer, vectors)
    write_bytes(path, buffer.getvalue())


def _read_ganspace(path: Path) -> tuple[Tensor, Tensor | None]:
    """`lat_comp` (k, 1, d) and `lat_stdev` (k,) of GANSpace's cache."""
    import numpy as np

    with zipfile.ZipFile(path) as archive:
        # A compressed member announces its size: nothing larger than directions can be is unpacked.
        wanted = {i.filename: i.file_size for i in archive.infolist() if i.filename[:4] == "lat_"}
    if any(size > 4 * _MAX_VALUES for size in wanted.values()):
        raise GanwalkError(f"{path} is damaged: it announces {max(wanted.values())} bytes of directions")
    with np.load(path, allow_pickle=False) as arrays:
        if "lat_comp" not in arrays:
            raise GanwalkError(f"{path} holds no lat_comp: it is not a file of GANSpace")
        vectors = _as_tensor(arrays["lat_comp"])
        scales = _as_tensor(arrays["lat_stdev"]) if "lat_stdev" in arrays else None
    # Comparisons with NaN are false.
    if scales is not None and (scales.shape != vectors.shape[:1] or not ((scales >= 0) & scales.isfinite()).all()):
        raise GanwalkError(f"{path} is damaged: lat_stdev does not fit lat_comp")
    return vectors, scales


def _read_matrix(path: Path, kind: str) -> Tensor:
    import numpy as np

    if kind == "npy":
        # Mapped, so that a header which announces more than the file holds is refused before anything is allocated.
        return _as_tensor(np.array(np.load(path, mmap_mode="r", allow_pickle=False)))
    value: Any = torch.load(path, map_location="cpu", weights_only=True)
    columns = isinstance(value, dict) and "eigvec" in value
    if columns:
        value = value["eigvec"]
    elif isinstance(value, dict):
        tensors = [entry for entry in value.values() if isinstance(entry, Tensor) and entry.ndim >= 2]
        if len(tensors) != 1:
            raise GanwalkError(f"{path} holds {len(tensors)} matrices: save the directions alone")
        value = tensors[0]
    if not isinstance(value, Tensor):
        raise GanwalkError(f"{path} holds no tensor")
    # A tensor of stride 0 has any size in a small file; a sparse or a meta one has no values to read.
    if value.layout is not torch.strided or value.is_meta or value.numel() > _MAX_VALUES:
        raise GanwalkError(f"{path} holds no plain matrix: save the directions as a dense tensor")
    if value.is_complex() or value.dtype == torch.bool:
        raise GanwalkError(f"{path}: directions must be numbers, not {value.dtype}")
    return (value.T if columns and value.ndim == 2 else value).float()


def _as_tensor(array: Any) -> Tensor:
    if array.dtype.kind not in "fiu":
        raise GanwalkError(f"directions must be numbers, not {array.dtype}")
    return torch.from_numpy(array.astype("float32"))
