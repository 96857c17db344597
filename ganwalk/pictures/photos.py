"""Pictures that people give: upright, on white paper, cropped to the proportions and size of a network."""

from __future__ import annotations

import io
import math
import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import check_regular, open_regular
from ganwalk.files.temporaries import PREFIX
from ganwalk.options import TextForm

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

# What is opened beside JPEGs: the formats of photographs. Others of Pillow's, such as PostScript, run programs.
_FORMATS = ("PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "JPEG2000", "PPM")
_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".jp2", ".ppm", ".pgm", ".pnm")
)
# What a telephone writes, and Pillow does not read.
_HEIC = (b"ftypheic", b"ftypheix", b"ftypmif1", b"ftyphevc")
# A few bytes can hold a picture of one colour, of any size. Pictures are in memory twice while they are turned or
# cropped; of what is left, no network sees more than this.
_MAX_PIXELS, _ENOUGH = 2**26, 2**24
# Of those whose decoders have the whole picture in memory once more, at least.
_MAX_WHOLE, _WHOLE = 2**25, ("WEBP", "AVIF", "JPEG2000", "TIFF")
# Of a JPEG, which is decoded at a half, a quarter or an eighth of its size where that is larger: those of telephones
# have 200 megapixels. Bytes of its coefficients, which lie in memory if they come in several scans.
_MAX_JPEG_PIXELS, _MAX_COEFFICIENTS = 2**28, 2**29
# Pixels of all scans of a progressive JPEG, each of which is as much work as the picture.
_MAX_SCANNED = 3 * 2**29
_JPEG, _SCAN = b"\xff\xd8\xff", b"\xff\xda"
_MAX_BYTES = 2**29
_SHRINKABLE = frozenset(("L", "LA", "La", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr"))
_GIVE = "give a JPEG or PNG file"
# Greys of 16 bits for one of 8.
_WIDE = 257.0


@dataclass(frozen=True)
class Crop:
    """A part of a picture that stands upright, in its pixels: left, top and larger side."""

    x: int
    y: int
    size: int


def parse_crop(text: str) -> Crop:
    """The part "x,y,size"; GanwalkError if the text is none."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text)
    if match is None or int(match[3]) == 0:
        raise GanwalkError(
            f"--crop {one_line(text, 40)!r} is not a part such as 120,40,800: left, top, larger side in pixels"
        )
    return Crop(int(match[1]), int(match[2]), int(match[3]))


CROP = TextForm("X,Y,SIZE", parse_crop, lambda crop: f"{crop.x},{crop.y},{crop.size}")


@dataclass(frozen=True)
class Photo:
    """A picture in the size of a network.

    Attributes:
        pixels: (h, w, 3) uint8.
        notes: what somebody should know of how it was read, such as that it is the first of several frames.
    """

    pixels: np.ndarray
    notes: tuple[str, ...] = ()

    def image(self, channels: int = 3) -> Tensor:
        """The picture (1, channels, h, w) in [-1, 1]: grey, by its luma, for one channel."""
        import numpy as np
        import torch
        from PIL import Image

        pixels = self.pixels if channels > 1 else np.asarray(Image.fromarray(self.pixels).convert("L"))[..., None]
        return torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1


def find_photos(paths: Iterable[Path]) -> list[Path]:
    """Files as they are given, and the pictures of each folder, by name, in its place.

    Raises:
        GanwalkError: a path does not exist, or a folder holds no picture.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise GanwalkError(f"{path} does not exist: check the path")
            check_regular(path)
            found.append(path)
            continue
        inside = sorted(entry for entry in path.iterdir() if _is_picture(entry))
        if not inside:
            raise GanwalkError(f"{path} holds no picture: {_GIVE}, or a folder of such")
        found += inside
    return list(dict.fromkeys(found))


def _is_picture(path: Path) -> bool:
    """By its name; one that is still being written is none."""
    return path.suffix.lower() in _SUFFIXES and not path.name.startswith(PREFIX) and path.is_file()


def read_photo(
    path: Path,
    size: int | tuple[int, int],
    crop: Crop | None = None,
    *,
    averaged: bool = False,
    proportions: tuple[int, int] | None = None,
) -> Photo:
    """A picture of a height and width, or as a square of `size` pixels.

    It is turned as its EXIF says, its colours go to sRGB, and what is transparent lies on white paper.

    Args:
        crop: the part to take; None takes the largest in the middle.
        averaged: average pixels where the picture is made smaller, as a network saw that was trained on averages;
            otherwise a Lanczos filter keeps it sharper.
        proportions: height and width in whose proportions the part is taken; None takes those of `size`.
    Raises:
        GanwalkError: the file is missing, no picture, damaged or too large, or the crop does not lie in it.
    """
    import numpy as np
    from PIL import Image

    height, width = (size, size) if isinstance(size, int) else size
    if not path.exists():
        raise GanwalkError(f"{path} does not exist: check the path")
    check_regular(path)
    try:
        part, notes = _part(path, crop, proportions or (height, width))
    except (GanwalkError, MemoryError):
        raise
    except Exception as error:
        # Pillow raises whatever a damaged file leads it to.
        raise _refusal(path, error) from error
    if part.width < width / 2:
        notes = (*notes, f"only {part.width} pixels wide: enlarged to {width}")
    if averaged:
        how = Image.Resampling.BOX if part.width > width else Image.Resampling.BILINEAR
    else:
        how = Image.Resampling.LANCZOS
    if part.size != (width, height):
        part = part.resize((width, height), how)
    return Photo(np.asarray(part), notes)


def _part(path: Path, crop: Crop | None, proportions: tuple[int, int]) -> tuple[Any, tuple[str, ...]]:
    """The part that is wanted, in colour with 8 bits, and notes."""
    from PIL import Image, ImageOps

    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]
    with warnings.catch_warnings():
        # Twice Pillow's limit is refused; what lies below that is read, if slowly.
        warnings.simplefilter("ignore")
        with open_regular(path) as file, _opened(file, formats) as opened:
            _check_size(path, file, opened)
            # To count them takes as long as there are many.
            notes = ("the first of its frames",) if getattr(opened, "is_animated", False) else ()
            width, height = opened.size
            factor = _draft(opened)
            if factor > 1:
                notes = (*notes, f"{width}×{height} pixels, read at 1/{factor} of its size")
            drafted = opened.size
            # In place: a copy would take the memory of a large picture once more.
            ImageOps.exif_transpose(opened, in_place=True)
            measures = (width, height) if opened.size == drafted else (height, width)
            box = _box(path, measures, crop, proportions)
            part = _enough(path, opened.crop(_shrunk(box, factor)))
            return _on_paper(_in_srgb(_of_8_bits(part), opened.info.get("icc_profile"))), notes


def _opened(file: BinaryIO, formats: list[str]) -> Any:
    """The picture in a file, not yet decoded.

    A JPEG is opened as such: Pillow by itself refuses those of 200 megapixels, and looks for further pictures, which a
    telephone's MPO holds beside the photo.
    """
    from PIL import Image, JpegImagePlugin

    head = file.read(len(_JPEG))
    file.seek(0)
    return JpegImagePlugin.JpegImageFile(file) if head == _JPEG else Image.open(file, formats=formats)


def _check_size(path: Path, file: BinaryIO, opened: Any) -> None:
    """Raises GanwalkError if to decode a picture would take very much memory or time."""
    pixels = opened.width * opened.height
    if opened.format != "JPEG":
        most = min(_MAX_PIXELS, _MAX_WHOLE) if opened.format in _WHOLE else _MAX_PIXELS
        if pixels > most:
            raise _too_large(path, most)
        return
    if pixels > _MAX_JPEG_PIXELS:
        raise _too_large(path, _MAX_JPEG_PIXELS, "make it smaller first")
    if os.fstat(file.fileno()).st_size > _MAX_BYTES:
        raise GanwalkError(f"{path} is larger than {_MAX_BYTES >> 20} MB: make it smaller first")
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    # Thumbnails among them.
    scans = data.count(_SCAN)
    too_large = not _in_one_scan(opened, data[:place]) and _bytes_of_coefficients(opened) > _MAX_COEFFICIENTS
    if too_large or scans * pixels > _MAX_SCANNED:
        raise GanwalkError(f"{path} has {scans} scans, too many for its size: save it as a plain JPEG")


def _in_one_scan(opened: Any, head: bytes) -> bool:
    """Whether the first scan of a JPEG, whose header ends the bytes before it, is of all colours and the only one."""
    layers, length = opened.layers, 6 + 2 * opened.layers
    header = _SCAN + length.to_bytes(2, "big") + bytes([layers])
    return "progressive" not in opened.info and head[-2 - length :].startswith(header)


def _bytes_of_coefficients(opened: Any) -> float:
    """Two for each; colours may be sampled less densely."""
    across, down = ([layer[axis] for layer in opened.layer] for axis in (1, 2))
    per_pixel = sum(a * d for a, d in zip(across, down, strict=True)) / (max(across) * max(down))
    return 2 * per_pixel * opened.width * opened.height


def _draft(opened: Any) -> int:
    """Has a JPEG of too many pixels decoded at a part of its size; the denominator of that part."""
    factor = 1
    while opened.width * opened.height > _MAX_PIXELS * factor**2:
        factor *= 2
    if factor > 1:
        opened.draft(None, (opened.width // factor, opened.height // factor))
    return factor


def _shrunk(box: tuple[int, int, int, int], factor: int) -> tuple[int, int, int, int]:
    """The corners of a part in a picture that is smaller by a factor; it has a pixel at least."""
    x, y, right, bottom = (corner // factor for corner in box)
    return x, y, max(right, x + 1), max(bottom, y + 1)


def _enough(path: Path, part: Any) -> Any:
    """A part of a picture, smaller by a whole factor if it has more pixels than any network sees."""
    pixels = part.width * part.height
    if pixels <= _ENOUGH:
        return part
    if part.mode not in _SHRINKABLE:
        raise _too_large(path, _ENOUGH)
    return part.reduce(math.ceil(math.sqrt(pixels / _ENOUGH)))


def _too_large(path: Path, pixels: int, remedy: str = "make it smaller, or save it as a JPEG") -> GanwalkError:
    return GanwalkError(f"{path} is larger than {pixels / 1e6:.3g} megapixels: {remedy}")


def _box(
    path: Path, measures: tuple[int, int], crop: Crop | None, proportions: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The corners of the part that is wanted, in the proportions of a height and width."""
    width, height = measures
    if crop is None:
        share = min(length / wanted for length, wanted in zip((height, width), proportions, strict=True))
        part_height, part_width = (max(1, int(wanted * share)) for wanted in proportions)
        x, y = (width - part_width) // 2, (height - part_height) // 2
        return x, y, x + part_width, y + part_height
    part_height, part_width = (max(1, round(crop.size * wanted / max(proportions))) for wanted in proportions)
    right, bottom = crop.x + part_width, crop.y + part_height
    if right > width or bottom > height:
        wanted = CROP.format(crop)
        raise GanwalkError(f"--crop {wanted} does not lie in {path}, which is {width}×{height} pixels: choose less")
    return crop.x, crop.y, right, bottom


def _of_8_bits(image: Any) -> Any:
    """A picture whose wide greys, which a conversion would cut off at 255, are of 8 bits."""
    import numpy as np
    from PIL import Image

    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image, np.float64)
    if image.mode != "F":
        values = values / _WIDE
    elif np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1:
        values = values * 255
    return Image.fromarray(np.nan_to_num(values).round().clip(0, 255).astype(np.uint8))


def _in_srgb(image: Any, profile: bytes | None) -> Any:
    """A picture in sRGB, if it has a profile of its colours that can be used; what is transparent stays so."""
    if not profile:
        return image
    image = _converted(image)
    try:
        from PIL import ImageCms

        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if image.mode == "LA":
            grey, alpha = image.split()
            coloured = _in_srgb(grey, profile).convert("RGB")
            coloured.putalpha(alpha)
            return coloured
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        return ImageCms.profileToProfile(image, given, ImageCms.createProfile("sRGB"), outputMode=mode)
    except Exception:
        # A damaged profile is no reason to refuse a picture: it is shown as programs without profiles show it.
        return image


def _converted(image: Any) -> Any:
    """A picture of a mode whose values a profile speaks of, with all that is transparent in its alpha."""
    if image.mode == "PA" or "transparency" in image.info:
        return image.convert("LA" if image.mode == "L" else "RGBA")
    return image.convert("RGB") if image.mode == "P" else image


def _on_paper(image: Any) -> Any:
    """A picture in RGB; what is transparent lies on white."""
    from PIL import Image

    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        # The premultiplied kinds have one way only to the others.
        image = image.convert("LA" if image.mode == "La" else "RGBA").convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def _refusal(path: Path, error: Exception) -> GanwalkError:
    from PIL import Image, UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        with path.open("rb") as file:
            head = file.read(32)
        if any(kind in head for kind in _HEIC):
            return GanwalkError(f"{path} is a HEIC picture, which is not read: save it as JPEG")
        return GanwalkError(f"{path} is no picture of a known kind: {_GIVE}")
    if isinstance(error, Image.DecompressionBombError):
        return _too_large(path, _MAX_PIXELS)
    if isinstance(error, OSError) and error.strerror:
        return GanwalkError(f"cannot read {path}: {error.strerror}")
    return GanwalkError(f"{path} is damaged ({one_line(str(error), 120)}): {_GIVE}")
