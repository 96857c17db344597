"""`celeba`: CelebA (Liu et al., 2015), a folder of photographs of faces or its zip; RGB, without known factors.

The aligned photographs, 178×218, are cropped to the 148×148 in their middle and resized to 64 px.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath

import numpy as np

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files.data_place import DataPlace
from vae.data.public_files import PublicFile, obtained, reading
from vae.data.stored import StoredImages, data_folder, halved, keep, kept

FILE = PublicFile("img_align_celeba.zip", "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html")
CROP = 148
_SUFFIXES = (".jpg", ".jpeg", ".png")
_MAX_SIDE = 4096
_MAX_BYTES = 2**26
_ROWS = 1024


def load(resolution: int, place: DataPlace) -> StoredImages:
    """The data set, in the order of the photographs' names; GanwalkError if they are not there or cannot be read."""
    path = _find(place)
    with reading(path, FILE):
        names, digest = _zipped_names(path) if path.is_file() else _names(path)
    if not names:
        raise GanwalkError(f"{path} has no photographs: get {FILE.name} from {FILE.page} and put it there")
    # Any photographs may be in a folder, so what is kept is named after them.
    key, shape = f"celeba-{digest}-{resolution}", (len(names), resolution, resolution, 3)
    array = kept(key, shape)
    if array is None:
        array = keep(key, shape, lambda: _blocks(path, names, resolution), progress=place.progress)
    return StoredImages("celeba", resolution, 3, (), (), array)


def _find(place: DataPlace) -> Path:
    """The zip, or the folder with photographs."""
    root = place.root or data_folder()
    for folder in (root / "img_align_celeba", root):
        if folder.is_dir() and any(_is_photograph(path) for path in folder.iterdir()):
            return folder
    return obtained(FILE, place)


def _names(folder: Path) -> tuple[list[str], str]:
    paths = sorted(path for path in folder.iterdir() if _is_photograph(path))
    facts = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return [path.name for path in paths], _digest([str(folder.resolve()), *facts])


def _is_photograph(path: PurePath) -> bool:
    """By its name; macOS lays `._x.jpg`, which is none, beside x.jpg."""
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith("._")


def _zipped_names(path: Path) -> tuple[list[str], str]:
    with zipfile.ZipFile(path) as archive:
        infos = [info for info in archive.infolist() if _is_photograph(PurePosixPath(info.filename))]
    infos = sorted((i for i in infos if not i.filename.startswith("__MACOSX/")), key=lambda info: info.filename)
    return [info.filename for info in infos], _digest([(info.filename, info.CRC) for info in infos])


def _digest(facts: Sequence[object]) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def _blocks(path: Path, names: list[str], resolution: int) -> Iterator[np.ndarray]:
    for start in range(0, len(names), _ROWS):
        images = np.stack(list(_photographs(path, names[start : start + _ROWS])))
        yield images if resolution == 64 else halved(images)


def _photographs(path: Path, names: list[str]) -> Iterator[np.ndarray]:
    with reading(path, FILE), contextlib.ExitStack() as stack:
        archive = stack.enter_context(zipfile.ZipFile(path)) if path.is_file() else None
        for name in names:
            with archive.open(name) if archive else (path / name).open("rb") as file:
                yield _photograph(path / name, file.read(_MAX_BYTES))


def _photograph(path: Path, data: bytes) -> np.ndarray:
    """The middle of a photograph, (64, 64, 3) uint8."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            width, height = image.size
            if min(width, height) < CROP or max(width, height) > _MAX_SIDE:
                raise ValueError(f"it has {width}×{height} pixels")
            left, top = (width - CROP) // 2, (height - CROP) // 2
            cropped = image.convert("RGB").crop((left, top, left + CROP, top + CROP))
            return np.asarray(cropped.resize((64, 64), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = "neither JPEG nor PNG" if isinstance(error, UnidentifiedImageError) else one_line(str(error), 200)
        raise GanwalkError(f"{path} is no photograph of CelebA ({reason}): remove it, or get it again") from error
