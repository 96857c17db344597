"""Small files of the same structure as the public ones, and the pictures that are in them."""

import gzip
import io
import tarfile
import zipfile

import numpy as np

from vae.data.base import grid_positions
from vae.data.smallnorb import FILES as smallnorb_files

DSPRITES = (2, 2, 2, 3, 2)
SHAPES3D = (2, 2, 2, 2, 2, 3)
MPI3D = (2, 1, 2, 1, 1, 3, 3)
FACES3D = (2, 3, 2, 2)
CARS3D = (2, 3, 4)
SMALLNORB = (2, 4, 2, 3, 2)


def pictures(n, channels, seed=0, high=256):
    """Random pictures (n, 64, 64, channels) uint8."""
    return np.random.default_rng(seed).integers(high, size=(n, 64, 64, channels), dtype=np.uint8)


def means(images):
    """Means of 2×2 pixels, as floats."""
    n, height, width, channels = images.shape
    return images.astype(float).reshape(n, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))


def dsprites(path, metadata=None, **changes):
    """A dSprites file; `changes` replace its arrays. Returns its pictures, 0 or 1."""
    n = int(np.prod(DSPRITES))
    images = pictures(n, 1, high=2)
    positions = grid_positions(np.arange(n), DSPRITES)
    arrays = {
        "imgs": images[..., 0],
        "latents_values": positions.astype(float),
        "latents_classes": np.concatenate([np.zeros((n, 1), np.int64), positions], axis=1),
        "metadata": np.array({"title": "sprites"} if metadata is None else metadata, object),
    }
    np.savez_compressed(path, **{**arrays, **changes})
    return images


def shapes3d(path, change=lambda file: None, **options):
    """A 3D Shapes file, after `change` has been at it. Returns its pictures."""
    import h5py

    n = int(np.prod(SHAPES3D))
    images = pictures(n, 3)
    with h5py.File(path, "w") as file:
        options = {"chunks": (20, 16, 16, 1), "compression": "gzip", **options}
        file.create_dataset("images", data=images, **options)
        file.create_dataset("labels", data=grid_positions(np.arange(n), SHAPES3D) / 7 - 0.5)
        change(file)
    return images


def mpi3d(path, compressed=False):
    """An MPI3D file. Returns its pictures."""
    images = pictures(int(np.prod(MPI3D)), 3)
    (np.savez_compressed if compressed else np.savez)(path, images=images)
    return images


def faces3d(path, axes=(0, 1, 2, 3, 4, 5), compressed=False, **others):
    """A 3D Faces file whose array has its axes in this order, behind the variables `others`. Returns its pictures."""
    import scipy.io

    images = pictures(int(np.prod(FACES3D)), 1)
    array = images.reshape(*FACES3D, 64, 64).transpose(axes)
    scipy.io.savemat(path, {**others, "faces": array}, do_compression=compressed)
    return images


def cars3d(path, members=None, compressed=True):
    """An archive of Cars3D with other files beside the cars; `members` replace bytes by name. Returns its pictures."""
    import scipy.io

    elevations, azimuths, cars = CARS3D
    images = pictures(int(np.prod(CARS3D)), 3)
    # Doubled, since they are halved when they are read.
    large = images.repeat(2, axis=1).repeat(2, axis=2).reshape(*CARS3D, 128, 128, 3)
    files = {"data/sprites/list.txt": b"hero", "data/shapes48.mat": b"", "data/cars/list.txt": b"car_001_mesh"}
    # Not in order, as archives are.
    for car in reversed(range(cars)):
        out = io.BytesIO()
        arrays = {
            "mask": np.zeros((128, 128, azimuths, elevations), np.uint8),
            "im": large[:, :, car].transpose(2, 3, 4, 1, 0),
        }
        scipy.io.savemat(out, arrays, do_compression=compressed)
        files[f"data/cars/car_{car:03d}_mesh.mat"] = out.getvalue()
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, data in {**files, **(members or {})}.items():
            if data is None:
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return images


def smallnorb(path, packed=True, **changes):
    """The files of SmallNORB, of which the first is at this path; `changes` replace parts. Returns its pictures."""
    n = int(np.prod(SMALLNORB))
    # Areas of 3×3 of one value, so that they keep it when pictures are resized.
    small = pictures(n, 1)[:, ::2, ::2]
    large = small.repeat(3, axis=1).repeat(3, axis=2)[..., 0]
    positions = grid_positions(np.arange(n), SMALLNORB)
    for k in range(2):
        # Half of the instances each, not in order.
        rows = np.flatnonzero((positions[:, 1] < 2) == bool(k))
        rows = np.random.default_rng(k).permutation(rows)
        info = np.stack([positions[rows, 1], positions[rows, 2], 2 * positions[rows, 3], positions[rows, 4]], axis=1)
        arrays = {
            "dat": np.stack([large[rows], 255 - large[rows]], axis=1),
            "cat": positions[rows, 0].astype(np.int32),
            "info": info.astype(np.int32),
            **changes,
        }
        for part, array in arrays.items():
            magic = {np.dtype(np.uint8): 0x1E3D4C55, np.dtype(np.int32): 0x1E3D4C54}[array.dtype]
            sizes = [*array.shape, 1, 1][: max(3, array.ndim)]
            data = np.array([magic, array.ndim, *sizes], "<i4").tobytes() + array.tobytes()
            name = smallnorb_files[k, part].name
            target = path.parent / (name if packed else name.removesuffix(".gz"))
            target.write_bytes(gzip.compress(data, 1) if packed else data)
    return small.repeat(2, axis=1).repeat(2, axis=2)


def npy_header(text):
    """The beginning of an .npy file with this dictionary in it."""
    data = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data


def npz(path, member, data, compression=zipfile.ZIP_STORED):
    """An .npz file with one member of these bytes."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(member, data)


def jpeg(colours, size=(178, 218)):
    """A photograph with `colours` (left, right) in its halves, as the bytes of a JPEG."""
    from PIL import Image

    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[:, : size[0] // 2], image[:, size[0] // 2 :] = colours
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=95)
    return out.getvalue()
