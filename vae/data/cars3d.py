"""`cars3d`: Cars3D (Reed et al., "Deep Visual Analogy-Making", NIPS 2015), renders of cars in RGB, read from its public
archive.

The archive has a .mat file for each of the 183 cars, whose array `im` holds 128×128×3 bytes for 24 azimuths and 4
elevations. Its other files are not touched. Images are resized to 64 px by means of 2×2 pixels, where
disentanglement_lib resamples.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ganwalk.files.data_place import DataPlace
from ganwalk.files.download import OnBytes
from ganwalk.files.temporaries import temporary_beside
from vae.data.mat import unpacked_bytes
from vae.data.public_files import PublicFile, obtained, path_of, reading
from vae.data.stored import StoredImages, data_folder, halved, keep, kept, scratch

FACTOR_NAMES = ("elevation", "azimuth", "object_type")
FACTOR_SIZES = (4, 24, 183)
FILE = PublicFile(
    "nips2015-analogy-data.tar.gz",
    "http://www.scottreed.info",
    "http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",
)
_CAR = re.compile(r"(?:\./)?data/cars/(car_\d{1,6}_mesh\.mat)")
# Of one car, which has 5 MB of pixels and 2 MB of masks.
_MAX_BYTES = 2**26
_SIDE = 128


def load(resolution: int, place: DataPlace, sizes: tuple[int, int, int] = FACTOR_SIZES) -> StoredImages:
    """The data set; `sizes` are those of the grid. Raises GanwalkError: its file cannot be had, or is another."""
    key, shape = f"cars3d-{resolution}", (int(np.prod(sizes)), resolution, resolution, 3)
    source = path_of(FILE, place)
    array = kept(key, shape, source=source)
    if array is None:
        path = obtained(FILE, place)
        array = keep(key, shape, lambda: _blocks(path, sizes, resolution, place.progress), source=source)
    return StoredImages("cars3d", resolution, 3, FACTOR_NAMES, sizes, array)


def _blocks(path: Path, sizes: tuple[int, int, int], resolution: int, progress: OnBytes | None) -> Iterator[np.ndarray]:
    """One elevation and azimuth at a time. The cars change fastest on the grid, but come one after the other."""
    elevations, azimuths, cars = sizes
    shape = (cars, elevations, azimuths, resolution, resolution, 3)
    with reading(path, FILE), scratch(shape) as images:
        found: dict[str, np.ndarray] = {}
        for name, pictures in _cars(path, (_SIDE, _SIDE, 3, azimuths, elevations)):
            if name in found or len(found) == cars:
                raise ValueError(f"it has more than {cars} cars")
            small = halved(pictures)
            images[len(found)] = (small if resolution == 64 else halved(small)).reshape(shape[1:])
            found[name] = images[len(found)]
            if progress:
                progress(images.nbytes * len(found) // cars, images.nbytes)
        if len(found) < cars:
            raise ValueError(f"it has {len(found)} cars instead of {cars}")
        ordered = [found[name] for name in sorted(found)]
        for elevation in range(elevations):
            for azimuth in range(azimuths):
                yield np.stack([car[elevation, azimuth] for car in ordered])


def _cars(path: Path, shape: tuple[int, ...]) -> Iterator[tuple[str, np.ndarray]]:
    """Names of the cars' files, in the archive's order, and pictures (elevations · azimuths, 128, 128, 3) of each."""
    # Under a name of ours, whatever the archive calls it.
    with tarfile.open(path, "r|gz") as archive, temporary_beside(data_folder() / "car.mat") as (file, _):
        for member in archive:
            match = _CAR.fullmatch(member.name)
            if match is None or not member.isfile():
                continue
            if member.size > _MAX_BYTES:
                raise ValueError(f"{match[1]} has {member.size} bytes")
            stream = archive.extractfile(member)
            assert stream is not None
            file.write_bytes(stream.read())
            pictures = unpacked_bytes(file, [shape], data_folder()).transpose(4, 3, 0, 1, 2)
            yield match[1], np.ascontiguousarray(pictures).reshape(-1, *shape[:3])
