"""Pictures of people's own as an encoder takes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import check_regular


def read_picture(path: Path, size: int, channels: int) -> Tensor:
    """The square in the middle of a picture, (1, channels, size, size) in [-1, 1], upright.

    What is transparent lies on white paper. Large pictures are averaged down, as the generator's images are.

    Args:
        channels: 1 for grey, 3 for colour.
    Raises:
        GanwalkError: the file is missing, or no picture that can be read.
    """
    from PIL import Image, ImageOps

    if not path.exists():
        raise GanwalkError(f"{path} does not exist: check the path")
    check_regular(path)
    try:
        with Image.open(path) as opened:
            image = ImageOps.exif_transpose(opened)
            width, height = image.size
            side = min(width, height)
            left, top = (width - side) // 2, (height - side) // 2
            image = _on_paper(image.crop((left, top, left + side, top + side)))
            image = image.convert("L" if channels == 1 else "RGB")
            how = Image.Resampling.BOX if side > size else Image.Resampling.BILINEAR
            pixels = np.asarray(image.resize((size, size), how), np.float32)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise GanwalkError(f"cannot read {path}: {error.strerror}") from error
        unknown = type(error).__name__ == "UnidentifiedImageError"
        reason = "neither JPEG nor PNG, nor of another known kind" if unknown else one_line(str(error), 200)
        raise GanwalkError(f"{path} is no picture ({reason}): give a JPEG or PNG file") from error
    return torch.from_numpy(pixels.reshape(1, size, size, channels)).permute(0, 3, 1, 2) / 127.5 - 1


def _on_paper(image: Any) -> Any:
    """A picture of 8 bits without transparency."""
    from PIL import Image

    if image.mode.startswith("I"):
        # Greys of 16 bits, which would be cut off at 255.
        return Image.fromarray((np.asarray(image, np.float64) / 257).round().clip(0, 255).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image
