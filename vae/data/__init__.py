"""Data sets, one file each, behind one interface (`base.ImageData`).

load_dataset("sprites", resolution=32) -> ImageData
    images(indices), factors(indices), draw(n, rng), len(): see vae.data.base
    correlated=[("scale", "pos_x")]: the same images, with pairs of factors drawn together
    root, download, progress: where the file of a public data set lies, or how it is had
DATASETS: names and one-line descriptions
RESOLUTIONS: 32 and 64 px

Rendered here: sprites, scenes. Read from their public files, which are converted once into the cache folder: dsprites,
shapes3d (needs h5py: the extra `data`), mpi3d-toy, mpi3d-realistic, mpi3d-real, mpi3d-complex, cars3d, smallnorb,
faces3d, celeba.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganwalk.errors import GanwalkError

if TYPE_CHECKING:
    from ganwalk.files.download import OnBytes
    from vae.data.base import ImageData

DATASETS: Mapping[str, str] = {
    "sprites": "the grid of dSprites, drawn here: shape, scale, orientation, position",
    "scenes": "the grid of 3D Shapes, rendered here: hues, scale, shape, azimuth",
    "dsprites": "dSprites: 737,280 white shapes, 26 MB to download",
    "shapes3d": "3D Shapes: 480,000 solids in a room, 268 MB to download",
    "mpi3d-toy": "MPI3D, simple renders: 1,036,800 images of a robot arm, up to 12.7 GB to download",
    "mpi3d-realistic": "MPI3D, realistic renders: 1,036,800 images, up to 12.7 GB to download",
    "mpi3d-real": "MPI3D, photographs: 1,036,800 images, up to 12.7 GB to download",
    "mpi3d-complex": "MPI3D, photographs of everyday objects: 460,800 images, to be fetched by hand",
    "cars3d": "Cars3D: 17,568 renders of 183 cars, some 300 MB to download",
    "smallnorb": "SmallNORB: 48,600 photographs of 50 toys, some 300 MB to download",
    "faces3d": "3D Faces: 127,050 renders of the Basel face model, to be fetched by hand",
    "celeba": "CelebA: 202,599 photographs without known factors, to be fetched by hand",
}
RESOLUTIONS = (32, 64)


def load_dataset(
    name: str,
    *,
    resolution: int = 64,
    root: Path | str | None = None,
    correlated: Sequence[tuple[str, str]] = (),
    correlation_width: float = 0.2,
    download: bool = True,
    progress: OnBytes | None = None,
) -> ImageData:
    """A data set.

    Args:
        name: one of `DATASETS`.
        resolution: 32 or 64 px; images of 32 px are means of 2×2 pixels.
        root: the folder that holds the public file, or the file itself; by default `datasets` in the cache folder.
        correlated, correlation_width: see vae.data.correlated.
        download: whether the public file may be downloaded if it is not there.
        progress: called with bytes done and bytes in all, while a file is downloaded and then while it is converted.
    Raises:
        GanwalkError: there is no such data set, resolution or factor, or its file cannot be had or is another.
    """
    if resolution not in RESOLUTIONS:
        raise GanwalkError(f"data sets come at 32 or 64 px, not {resolution}")
    data = _load(name, resolution, root, download, progress)
    if not correlated:
        return data
    from vae.data.correlated import Correlated

    return Correlated(data, correlated, correlation_width)


def _load(name: str, resolution: int, root: Path | str | None, download: bool, progress: OnBytes | None) -> ImageData:
    if name not in DATASETS:
        raise GanwalkError(f"unknown data set {name}: choose one of {', '.join(DATASETS)}")
    if name == "sprites":
        from vae.data.sprites import Sprites

        return Sprites(resolution)
    if name == "scenes":
        from vae.data.scenes import Scenes

        return Scenes(resolution)
    from ganwalk.files.data_place import DataPlace

    place = DataPlace(Path(root).expanduser().absolute() if root else None, download, progress)
    if name.startswith("mpi3d-"):
        from vae.data import mpi3d

        return mpi3d.load(name, resolution, place)
    import importlib

    return importlib.import_module(f"vae.data.{name}").load(resolution, place)
