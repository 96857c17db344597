"""Directions for other tools: GANSpace's .npz, SeFa's and numpy's .npy, torch's .pt."""

from __future__ import annotations

import io
from pathlib import Path

import torch

from ganwalk.directions import Directions
from ganwalk.errors import GanwalkError
from ganwalk.files import write_bytes

_SUFFIXES = {".npz": "ganspace", ".npy": "npy", ".pt": "pt", ".pth": "pt"}


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
