"""`mpi3d-…`: MPI3D (Gondal et al., NeurIPS 2019), a robot arm that holds an object, read from its public .npz files.

Three sets of 1,036,800 images (toy, realistic, real) and one of 460,800 (complex), RGB of 64 px. Where the file holds
them uncompressed they are used in place, after their checksum was compared once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganwalk.files.data_place import DataPlace
from ganwalk.files.download import OnBytes
from vae.data.file_rows import FileRows
from vae.data.npz import array_blocks, rows_in_place
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.stored import StoredImages, check_once, halved, keep, kept

FACTOR_NAMES = (
    "object_color",
    "object_shape",
    "object_size",
    "camera_height",
    "background_color",
    "horizontal_axis",
    "vertical_axis",
)
FACTOR_SIZES = (6, 6, 2, 3, 3, 40, 40)
COMPLEX_FACTOR_SIZES = (4, 4, 2, 3, 3, 40, 40)
PAGE = "https://github.com/rr-learning/disentanglement_dataset"
_BASE = "https://huggingface.co/datasets/waleedgondal/mpi3d/resolve/main/"
FILES = {
    "mpi3d-toy": PublicFile("mpi3d_toy.npz", PAGE, _BASE + "mpi3d_toy.npz"),
    "mpi3d-realistic": PublicFile("mpi3d_realistic.npz", PAGE, _BASE + "mpi3d_realistic.npz"),
    "mpi3d-real": PublicFile("mpi3d_real.npz", PAGE, _BASE + "mpi3d_real.npz"),
    # Its publisher's address is a web page that asks to confirm the download.
    "mpi3d-complex": PublicFile("real3d_complicated_shapes_ordered.npz", PAGE),
}


def load(name: str, resolution: int, place: DataPlace, sizes: tuple[int, ...] | None = None) -> StoredImages:
    """The data set of this name; `sizes` are those of its grid. Raises GanwalkError: its file cannot be had, or is
    another."""
    file = FILES[name]
    sizes = sizes or (COMPLEX_FACTOR_SIZES if name == "mpi3d-complex" else FACTOR_SIZES)
    array = _array(name, file, int(np.prod(sizes)), resolution, place)
    return StoredImages(name, resolution, 3, FACTOR_NAMES, sizes, array)


def _array(name: str, file: PublicFile, n: int, resolution: int, place: DataPlace) -> FileRows:
    key, shape, source = f"{name}-{resolution}", (n, resolution, resolution, 3), path_of(file, place)
    array = kept(key, shape, source=source)
    if array is not None:
        return array
    path = obtained(file, place)
    if resolution == 64:
        with reading(path, file):
            array = rows_in_place(path, "images", shape)
        if array is not None:
            check_once(name, path, lambda: _check(path, file, n, place.progress))
            return array
    return keep(key, shape, lambda: _blocks(path, file, n, resolution), source=source, progress=place.progress)


def _check(path: Path, file: PublicFile, n: int, progress: OnBytes | None) -> None:
    """GanwalkError if the checksum of the images, which nobody asks for where they lie, is not theirs."""
    done = 0
    with reading(path, file):
        for images in array_blocks(path, "images", (n, 64, 64, 3)):
            done += len(images)
            if progress:
                progress(images.nbytes // len(images) * done, images.nbytes // len(images) * n)


def _blocks(path: Path, file: PublicFile, n: int, resolution: int) -> Iterator[np.ndarray]:
    with reading(path, file):
        for images in array_blocks(path, "images", (n, 64, 64, 3)):
            yield images if resolution == 64 else halved(images)
