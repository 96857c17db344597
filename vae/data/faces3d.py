"""`faces3d`: 3D Faces, renders of the Basel face model (Paysan et al., 2009) in grey of 64 px, read from a .mat file.

The renders are those of Chen et al. (NeurIPS 2018): an array 50×21×11×11×64×64 of bytes. The face model's licence does
not allow to pass them on, so there is no address to download them from. Where they are a torch file,

    faces = torch.load("basel_face_renders.pth", weights_only=True).numpy()
    scipy.io.savemat("basel_face_renders.mat", {"faces": faces})

make the .mat file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganwalk.files.data_place import DataPlace
from vae.data.mat import unpacked_bytes
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.stored import StoredImages, data_folder, halved, keep, kept

FACTOR_NAMES = ("face", "azimuth", "elevation", "lighting")
FACTOR_SIZES = (50, 21, 11, 11)
FILE = PublicFile("basel_face_renders.mat", "https://faces.dmi.unibas.ch/bfm")


def load(resolution: int, place: DataPlace, sizes: tuple[int, ...] = FACTOR_SIZES) -> StoredImages:
    """The data set; `sizes` are those of the grid. Raises GanwalkError: its file is not there, or is another."""
    key, shape = f"faces3d-{resolution}", (int(np.prod(sizes)), resolution, resolution, 1)
    source = path_of(FILE, place)
    array = kept(key, shape, source=source)
    if array is None:
        path = obtained(FILE, place)
        array = keep(key, shape, lambda: _blocks(path, sizes, resolution), source=source, progress=place.progress)
    return StoredImages("faces3d", resolution, 1, FACTOR_NAMES, sizes, array)


def _blocks(path: Path, sizes: tuple[int, ...], resolution: int) -> Iterator[np.ndarray]:
    """One face at a time, from any of the orders of axes that arrays of pictures have."""
    first, last, reversed_ = (*sizes, 64, 64), (64, 64, *sizes), (64, 64, *sizes[::-1])
    orders = {first: (0, 1, 2, 3, 4, 5), last: (2, 3, 4, 5, 0, 1), reversed_: (5, 4, 3, 2, 0, 1)}
    with reading(path, FILE):
        array = unpacked_bytes(path, orders, data_folder())
        for face in array.transpose(orders[array.shape]):
            images = face.reshape(-1, 64, 64, 1)
            yield images if resolution == 64 else halved(images)
