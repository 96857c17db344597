"""What a projection leaves: its latents, and a picture of what they show."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from ganwalk.errors import GanwalkError, one_line
from ganwalk.files import check_regular, write_bytes
from ganwalk.pictures.photos import Photo
from ganwalk.pictures.sheets import Sheet, save_picture
from ganwalk.projection.names import picture_beside
from ganwalk.projection.run import Projection
from ganwalk.rendering.images import to_bytes

# Of a file's entry: what was projected, and how.
_RUN = "run"
_MAX_RUN = 2**16


def write_projection(path: Path, projection: Projection, photo: Photo, run: str, generator: str) -> None:
    """Writes the latents of one picture, and beside them original, reconstruction and difference.

    The .npz holds `w` (1, num_layers, w_dim) float32, as NVIDIA's projector.py writes it, of projections in z also `z`
    (1, z_dim), and `run`, by which `--resume` knows it.

    Args:
        photo: what was projected.
        run: fingerprint of the projection.
        generator: its name, for the caption.
    """
    arrays = {"w": projection.styles.numpy()}
    if projection.codes is not None:
        arrays["z"] = projection.codes.numpy()
    # Without any encoding of its own, or pickle, numpy keeps bytes as numbers.
    arrays[_RUN] = np.frombuffer(run.encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    # The latents last: where they are, their picture is.
    save_picture(_picture(projection, photo, path.stem, generator), picture_beside(path))
    write_bytes(path, buffer.getvalue())


def read_run(path: Path) -> str:
    """The fingerprint in a file of `write_projection`; GanwalkError if it is none."""
    check_regular(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(f"{_RUN}.npy").file_size > _MAX_RUN:
                raise ValueError("too long")
        with np.load(path, allow_pickle=False) as arrays:
            return bytes(arrays[_RUN].astype(np.uint8)).decode()
    except Exception as error:
        # zipfile and numpy raise whatever a damaged file leads them to.
        raise GanwalkError(f"{path} is no file of ganwalk project: choose another --out, or --force") from error


def _picture(projection: Projection, photo: Photo, name: str, generator: str) -> Image.Image:
    made = to_bytes(projection.images)[0]
    # White is no difference, as on paper.
    apart = np.abs(made.astype(np.int16) - photo.pixels.astype(np.int16)).astype(np.uint8)
    sheet = Sheet(made.shape[:2], ["original", "reconstruction", "difference"], [one_line(name, 24)])
    sheet.paste(0, np.stack([photo.pixels, made, 255 - apart]))
    space = projection.settings.space
    caption = f"{generator} · {space} · {projection.steps} steps · RMS error {100 * float(projection.error[0]):.1f} %"
    return sheet.finish(caption)
