"""Public data sets, read from small files of the same structure."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ganwalk.errors import GanwalkError
from ganwalk.files.data_place import DataPlace
from tests.vae.data import small_files
from tests.weights_server import WeightsServer, cut_after
from vae.data import DATASETS, cars3d, celeba, dsprites, faces3d, load_dataset, mpi3d, shapes3d, smallnorb, stored
from vae.data.base import grid_indices
from vae.settings import TrainingSettings
from vae.training.loop import train


@pytest.fixture(autouse=True)
def folder(own_cache):
    """The empty folder in which data sets are looked for."""
    own_cache.mkdir(parents=True)
    return own_cache


def load_dsprites(resolution=64, **place):
    return dsprites.load(resolution, DataPlace(download=False, **place), small_files.DSPRITES)


def load_shapes3d(resolution=64, **place):
    return shapes3d.load(resolution, DataPlace(download=False, **place), small_files.SHAPES3D)


def load_mpi3d(resolution=64, **place):
    return mpi3d.load("mpi3d-toy", resolution, DataPlace(download=False, **place), small_files.MPI3D)


def load_faces3d(resolution=64, **place):
    return faces3d.load(resolution, DataPlace(download=False, **place), small_files.FACES3D)


def load_cars3d(resolution=64, **place):
    return cars3d.load(resolution, DataPlace(download=False, **place), small_files.CARS3D)


def load_smallnorb(resolution=64, **place):
    return smallnorb.load(resolution, DataPlace(download=False, **place), small_files.SMALLNORB)


KINDS = {
    "dsprites": (dsprites.FILE, small_files.dsprites, load_dsprites, 255),
    "shapes3d": (shapes3d.FILE, small_files.shapes3d, load_shapes3d, 1),
    "mpi3d": (mpi3d.FILES["mpi3d-toy"], small_files.mpi3d, load_mpi3d, 1),
    "faces3d": (faces3d.FILE, small_files.faces3d, load_faces3d, 1),
    "cars3d": (cars3d.FILE, small_files.cars3d, load_cars3d, 1),
    "smallnorb": (smallnorb.FILE, small_files.smallnorb, load_smallnorb, 1),
}


@pytest.mark.parametrize("kind", KINDS)
def test_images_and_factors(kind, folder):
    file, write, load, unit = KINDS[kind]
    expected = write(folder / file.name) * unit
    large, small = load(64), load(32)
    n = len(expected)
    everything = np.arange(n)
    assert len(large) == n and np.array_equal(large.images(everything), expected)
    assert large.images(everything).dtype == small.images(everything).dtype == np.uint8
    assert np.abs(small.images(everything) - small_files.means(expected)).max() <= 0.5
    factors = large.factors(everything)
    assert factors.shape == (n, len(large.factor_names)) and (factors < large.factor_sizes).all()
    assert np.array_equal(grid_indices(factors, large.factor_sizes), everything)
    drawn = large.draw(50, np.random.default_rng(0))
    assert np.array_equal(drawn, large.draw(50, np.random.default_rng(0))) and 0 <= drawn.min() <= drawn.max() < n
    assert np.array_equal(large.images(drawn), expected[drawn])


@pytest.mark.parametrize("kind", KINDS)
def test_conversion_happens_once_and_again_if_the_file_is_replaced(kind, folder):
    file, write, load, unit = KINDS[kind]
    path = folder / file.name
    expected = write(path)
    done = []
    load(32, progress=lambda *progress: done.append(progress))
    total = done[-1][1]
    assert done[-1][0] == total and [d for d, _ in done] == sorted(d for d, _ in done)
    load(32, progress=lambda *_: pytest.fail("converted twice"))
    os.utime(path, (2e9, 2e9))
    again = []
    load(32, progress=lambda *progress: again.append(progress))
    assert again == done
    os.remove(path)
    data = load(32)
    assert np.abs(data.images(np.arange(5)) - small_files.means(expected[:5] * unit)).max() <= 0.5


def _two_roots(write, name, tmp_path):
    """The same data set in two folders with other pictures and equal times; returns its pictures in the second."""
    roots = [tmp_path / "first", tmp_path / "second"]
    for root in roots:
        root.mkdir()
    write(roots[0] / name)
    with pytest.MonkeyPatch.context() as patch:
        draw = small_files.pictures
        patch.setattr(small_files, "pictures", lambda *args, **options: draw(*args, **options)[::-1])
        expected = write(roots[1] / name)
    for root in roots:
        os.utime(root / name, (1e9, 1e9))
    return *roots, expected


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resolution", [32, 64])
def test_two_roots_are_two_data_sets(kind, resolution, tmp_path):
    file, write, load, unit = KINDS[kind]
    first, second, expected = _two_roots(write, file.name, tmp_path)
    everything = np.arange(len(expected))
    before = load(resolution, root=first).images(everything)
    found = load(resolution, root=second).images(everything)
    small = expected if resolution == 64 else small_files.means(expected * unit)
    assert np.abs(found - small * (unit if resolution == 64 else 1)).max() <= 0.5
    assert np.array_equal(load(resolution, root=first).images(everything), before)
    os.remove(second / file.name)
    with pytest.raises(GanwalkError, match=r"second/.* is not there: get"):
        load(resolution, root=second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_link_that_leads_elsewhere_is_another_file(kind, tmp_path):
    file, write, load, unit = KINDS[kind]
    first, second, expected = _two_roots(write, file.name, tmp_path)
    link = tmp_path / "current"
    link.symlink_to(first)
    load(32, root=link)
    link.unlink()
    link.symlink_to(second)
    found = load(32, root=link).images(np.arange(len(expected)))
    assert np.abs(found - small_files.means(expected * unit)).max() <= 0.5


def test_a_file_of_equal_size_and_time_in_the_same_place_is_another_one(tmp_path):
    first, second, expected = _two_roots(small_files.mpi3d, "mpi3d_toy.npz", tmp_path)
    load_mpi3d(32, root=first)
    os.replace(second / "mpi3d_toy.npz", first / "mpi3d_toy.npz")
    found = load_mpi3d(32, root=first).images(np.arange(36))
    assert np.abs(found - small_files.means(expected)).max() <= 0.5


def test_the_whole_data_sets_are_as_large_as_published():
    sizes = {dsprites: 737_280, shapes3d: 480_000, faces3d: 127_050}
    for module, n in sizes.items():
        assert np.prod(module.FACTOR_SIZES) == n and len(module.FACTOR_NAMES) == len(module.FACTOR_SIZES)
    assert np.prod(mpi3d.FACTOR_SIZES) == 1_036_800 and np.prod(mpi3d.COMPLEX_FACTOR_SIZES) == 460_800


@pytest.mark.parametrize("name", [name for name in DATASETS if name not in ("sprites", "scenes")])
def test_missing_files_are_explained(name, tmp_path):
    with pytest.raises(GanwalkError, match=r"is not there: get .* from https?://.* and put it there") as caught:
        load_dataset(name, root=tmp_path, download=False)
    assert str(tmp_path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["mpi3d-complex", "faces3d", "celeba"])
def test_what_has_no_address_is_not_downloaded(name):
    with pytest.raises(GanwalkError, match="is not there: get"):
        load_dataset(name)


def test_root_is_a_folder_or_the_file(tmp_path):
    expected = small_files.mpi3d(tmp_path / "other name.npz")
    assert np.array_equal(load_mpi3d(root=tmp_path / "other name.npz").images(np.arange(36)), expected)
    with pytest.raises(GanwalkError, match=r"absent\.npz is not there"):
        load_mpi3d(root=tmp_path / "absent.npz")


def test_uncompressed_arrays_are_used_in_place(folder):
    small_files.mpi3d(folder / "mpi3d_toy.npz")
    load_mpi3d()
    assert [path.name for path in folder.iterdir()] == ["mpi3d_toy.npz"]


def test_compressed_arrays_are_converted(folder):
    expected = small_files.mpi3d(folder / "mpi3d_toy.npz", compressed=True)
    assert np.array_equal(load_mpi3d().images(np.arange(36)), expected)
    assert (folder / "mpi3d-toy-64-v1.npy").exists()


def test_a_download_that_is_cut(folder, tmp_path, monkeypatch):
    expected = small_files.dsprites(tmp_path / "dsprites.npz")
    with WeightsServer((tmp_path / "dsprites.npz").read_bytes()) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        server.script = [cut_after(2**14)]
        url = server.url.replace("net.safetensors", dsprites.FILE.name)
        monkeypatch.setattr(dsprites, "FILE", replace(dsprites.FILE, url=url))
        data = dsprites.load(64, DataPlace(root=tmp_path / "root"), small_files.DSPRITES)
        server.shutdown()
    assert server.ranges == [None, f"bytes={2**14}-"]
    assert (tmp_path / "root" / dsprites.FILE.name).exists()
    assert np.array_equal(data.images(np.arange(48)), expected * 255)


def test_what_is_kept_serves_where_nothing_can_be_written(monkeypatch):
    made = np.arange(6, dtype=np.uint8).reshape(2, 3)
    stored.keep("small", (2, 3), lambda: [made])

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(stored, "locked", refuse)
    monkeypatch.setattr(stored.Path, "mkdir", refuse)
    found = stored.keep("small", (2, 3), lambda: pytest.fail("made again"))
    assert np.array_equal(found[np.arange(2)], made)


def test_a_killed_conversion_leaves_no_half_file(folder):
    small_files.dsprites(folder / dsprites.FILE.name)
    code = (
        "import os; from vae.data import dsprites; from ganwalk.files.data_place import DataPlace; "
        "from tests.vae.data.small_files import DSPRITES; "
        "dsprites.load(64, DataPlace(progress=lambda *_: os.kill(os.getpid(), 9)), DSPRITES)"
    )
    killed = subprocess.run([sys.executable, "-c", code], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (folder / "dsprites-v1.npy").exists() and (folder / "dsprites-v1.npy.part").exists()
    assert len(load_dsprites()) == 48
    assert (folder / "dsprites-v1.npy").exists() and not (folder / "dsprites-v1.npy.part").exists()


def test_a_failed_conversion_leaves_nothing(folder):
    small_files.dsprites(folder / dsprites.FILE.name)

    def fail(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_dsprites(progress=fail)
    assert sorted(path.name for path in folder.iterdir()) == [dsprites.FILE.name]


def test_a_damaged_cache_is_made_again(folder):
    expected = small_files.dsprites(folder / dsprites.FILE.name)
    load_dsprites()
    for damage in (b"", b"\x93NUMPY", (folder / "dsprites-v1.npy").read_bytes()[:-1]):
        (folder / "dsprites-v1.npy").write_bytes(damage)
        assert np.array_equal(load_dsprites().images(np.arange(48)), expected * 255)


def test_a_full_disk(folder, monkeypatch):
    small_files.dsprites(folder / dsprites.FILE.name)
    monkeypatch.setattr(stored.shutil, "disk_usage", lambda _: SimpleNamespace(free=100))
    with pytest.raises(GanwalkError, match=r"0\.0 GiB are needed: free some space"):
        load_dsprites()


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch, folder):
    small_files.dsprites(tmp_path / dsprites.FILE.name)
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / dsprites.FILE.name))
    with pytest.raises(GanwalkError, match="choose another folder with GANWALK_CACHE"):
        load_dsprites(root=tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_cut_while_it_is_used(kind, folder):
    """Where it was mapped, this was the end of the process."""
    file, write, load, _ = KINDS[kind]
    everything = np.arange(len(write(folder / file.name)))
    data = load(64)
    data.images(everything)
    (used,) = list(folder.glob("*.npy")) or [folder / file.name]
    os.truncate(used, 200)
    with pytest.raises(GanwalkError, match=r"has become shorter while it was in use: start again") as caught:
        data.images(everything)
    assert str(used) in str(caught.value) and "\n" not in str(caught.value)


def test_a_training_whose_file_is_cut(folder, tmp_path):
    small_files.mpi3d(folder / "mpi3d_toy.npz")
    settings = TrainingSettings(dataset="mpi3d-toy", resolution=64, steps=4, batch=8, hidden=8, topdis=None)

    def cut(state):
        if state.step == 2:
            os.truncate(folder / "mpi3d_toy.npz", 1000)

    with pytest.raises(GanwalkError, match=r"mpi3d_toy\.npz has become shorter while it was in use"):
        train(settings, load_mpi3d(), tmp_path, threads=1, on_step=cut)


@pytest.mark.parametrize("compressed", [False, True])
def test_faces_that_are_cut_while_they_are_converted(folder, compressed):
    """Their array is in memory's order, not the grid's, so it is copied before it is used."""
    path = folder / faces3d.FILE.name
    expected = small_files.faces3d(path, compressed=compressed)
    blocks = faces3d._blocks(path, small_files.FACES3D, 64)
    first = next(blocks)
    os.truncate(path, 200)
    assert np.array_equal(np.concatenate([first, *blocks]), expected)


def test_room_for_a_conversion_is_taken_before_it_begins(folder, monkeypatch):
    """On a disk that is full a page of a sparse mapped file would end the process."""
    with stored.scratch((3, 2**19)) as array:
        assert not array.any()
        array[2] = 7
        assert (array[2] == 7).all() and not array[:2].any()
    assert list(folder.iterdir()) == []


# Hostile and wrong files


class _Bomb:
    """Leaves a trace if it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_metadata_is_never_unpickled(folder, tmp_path):
    small_files.dsprites(folder / dsprites.FILE.name, metadata=_Bomb(tmp_path / "trace"))
    load_dsprites()
    assert not (tmp_path / "trace").exists()


def test_images_are_never_unpickled(folder, tmp_path):
    header = small_files.npy_header(f"{{'descr': '|O', 'fortran_order': False, 'shape': {(36, 64, 64, 3)}}}")
    small_files.npz(folder / "mpi3d_toy.npz", "images.npy", header + pickle.dumps(_Bomb(tmp_path / "trace")))
    with pytest.raises(GanwalkError, match="delete it, and get it again"):
        load_mpi3d()
    assert not (tmp_path / "trace").exists()


def _header(shape=(36, 64, 64, 3), descr="|u1", fortran=False):
    return small_files.npy_header(f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}}}")


PIXELS = bytes(36 * 64 * 64 * 3)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (_header((10**12, 64, 64, 3)) + PIXELS, "images has shape"),
        (_header(descr="<f8") + PIXELS, "type float64, not"),
        (_header(fortran=True) + PIXELS, r"images has shape .* in Fortran order and type uint8, not .* in C order"),
        (_header() + PIXELS[:-1], "ends too early|not as long as its shape"),
        (_header()[:6] + b"\x02" + _header()[7:] + PIXELS, "header of images"),
        (small_files.npy_header("[" * 3000) + PIXELS, "header of images"),
        (small_files.npy_header("__import__('os').abort()") + PIXELS, "header of images"),
        (b"", "header of images"),
    ],
)
def test_wrong_arrays(folder, data, reason, compression):
    small_files.npz(folder / "mpi3d_toy.npz", "images.npy", data, compression)
    with pytest.raises(GanwalkError, match=rf"is not the mpi3d_toy.npz of .*({reason}).*: delete it, and get it"):
        load_mpi3d()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("data", [b"", b"<html>sign in</html>", b"PK\x03\x04" + bytes(100), bytes(5000)])
def test_files_of_another_kind(kind, folder, data):
    file, _, load, _ = KINDS[kind]
    (folder / file.name).write_bytes(data)
    with pytest.raises(GanwalkError, match="delete it, and get it again") as caught:
        load()
    assert "\n" not in str(caught.value) and file.page in str(caught.value)
    assert not list(folder.glob("*.npy")) and not list(folder.glob("*.part"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"imgs": np.full((48, 64, 64), 2, np.uint8)}, "not binary"),
        ({"imgs": np.zeros((47, 64, 64), np.uint8)}, "imgs has shape"),
        ({"latents_classes": np.zeros((48, 6), np.int64)}, "another order"),
    ],
)
def test_wrong_dsprites(folder, change, reason):
    small_files.dsprites(folder / dsprites.FILE.name, **change)
    with pytest.raises(GanwalkError, match=reason):
        load_dsprites()


def test_damage_inside_a_compressed_array_is_noticed(folder):
    path = folder / "mpi3d_toy.npz"
    small_files.mpi3d(path)
    whole = path.read_bytes()
    data = bytearray(whole)
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    for resolution in (32, 64, 64):
        with pytest.raises(GanwalkError, match="Bad CRC-32"):
            load_mpi3d(resolution)
    path.write_bytes(whole)
    assert len(load_mpi3d(64)) == 36


def test_images_that_are_used_in_place_are_checked_once(folder, tmp_path):
    small_files.mpi3d(folder / "mpi3d_toy.npz")
    done = []
    load_mpi3d(progress=lambda *progress: done.append(progress))
    assert done == [(36 * 64 * 64 * 3,) * 2]
    load_mpi3d(progress=lambda *_: pytest.fail("checked twice"))
    small_files.mpi3d(tmp_path / "mpi3d_toy.npz")
    load_mpi3d(root=tmp_path, progress=lambda *progress: done.append(progress))
    assert len(done) == 2


def test_images_are_used_in_place_where_nothing_can_be_kept(tmp_path, monkeypatch):
    expected = small_files.mpi3d(tmp_path / "mpi3d_toy.npz")
    monkeypatch.setenv("GANWALK_CACHE", str(tmp_path / "mpi3d_toy.npz"))
    assert np.array_equal(load_mpi3d(root=tmp_path).images(np.arange(36)), expected)


def _external(file):
    import h5py

    del file["images"]
    file["images"] = h5py.ExternalLink("elsewhere.h5", "images")


def _raw(file):
    del file["images"]
    file.create_dataset("images", (96, 64, 64, 3), "u1", external=[("/etc/hostname", 0, 96 * 64 * 64 * 3)])


def _group(file):
    del file["images"]
    file.create_group("images")


def _large_pieces(file):
    del file["images"]
    file.create_dataset("images", (96, 64, 64, 3), "u1", chunks=(2**16, 64, 64, 3), maxshape=(None, 64, 64, 3))


def _sparse(file):
    del file["images"]
    file.create_dataset("images", (10**9, 64, 64, 3), "u1", chunks=(1, 64, 64, 3))


def _shuffled(file):
    file["labels"][:] = file["labels"][:][::-1]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (_external, "no array images"),
        (_raw, "images lies in another file"),
        (_group, "no array images"),
        (_large_pieces, "in pieces of"),
        (_sparse, r"images has shape \(1000000000"),
    ],
)
def test_wrong_shapes3d(folder, change, reason):
    small_files.shapes3d(folder / shapes3d.FILE.name, change)
    with pytest.raises(GanwalkError, match=reason):
        load_shapes3d()


def test_shapes3d_in_another_order(folder):
    small_files.shapes3d(folder / shapes3d.FILE.name, _shuffled)
    with pytest.raises(GanwalkError, match="another order"):
        load_shapes3d()


def test_shapes3d_without_h5py(folder, monkeypatch):
    small_files.shapes3d(folder / shapes3d.FILE.name)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(GanwalkError, match=r"pip install 'ganwalk\[data\]'"):
        load_shapes3d()


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("axes", [(0, 1, 2, 3, 4, 5), (4, 5, 0, 1, 2, 3), (4, 5, 3, 2, 1, 0)])
def test_faces3d_in_any_order_of_axes(folder, axes, compressed):
    others = {"name": "faces", "numbers": np.arange(12.0).reshape(3, 4), "bytes": np.zeros((5, 7), np.uint8)}
    expected = small_files.faces3d(folder / faces3d.FILE.name, axes, compressed, **others)
    assert np.array_equal(load_faces3d().images(np.arange(24)), expected)
    assert sorted(path.suffix for path in folder.iterdir()) == [".mat", ".npy"]


@pytest.mark.parametrize("compressed", [False, True])
def test_damaged_faces3d(folder, compressed):
    """Whatever is changed in its headers, or cut off, ends in one line or in a data set."""
    path = folder / faces3d.FILE.name
    small_files.faces3d(path, compressed=compressed)
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        data = bytearray(whole[: rng.integers(len(whole)) if rng.random() < 0.2 else None])
        for position in rng.integers(124, 220, size=2):
            if position < len(data):
                data[position] = rng.choice([0, 1, 2, 15, 255, rng.integers(256)])
        path.write_bytes(data)
        try:
            assert len(load_faces3d()) == 24
        except GanwalkError as error:
            refused += 1
            assert "\n" not in str(error)
        for kept in folder.glob("*.npy"):
            kept.unlink()
    assert refused > 50


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "save it with -v7"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM", "no array of bytes of size 2×3×2×2×64×64 or"),
        (b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + bytes([14, 0, 0, 0, 255, 255, 255, 255]), "too early"),
    ],
)
def test_wrong_faces3d(folder, data, reason):
    (folder / faces3d.FILE.name).write_bytes(data)
    with pytest.raises(GanwalkError, match=reason):
        load_faces3d()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"data/cars/car_003_mesh.mat": None}, "it has 3 cars instead of 4"),
        ({"data/cars/car_002_mesh.mat": b""}, "it is no MATLAB file"),
        ({"data/cars/car_001_mesh.mat": b"<html>".ljust(2000)}, "it is no MATLAB file"),
        ({"data/cars/car_001_mesh.mat": bytes(2**26 + 1)}, r"car_001_mesh\.mat has 67108865 bytes"),
    ],
)
def test_wrong_cars3d(folder, members, reason):
    small_files.cars3d(folder / cars3d.FILE.name, members)
    with pytest.raises(GanwalkError, match=rf"is not the nips2015-analogy-data\.tar\.gz of .*({reason})"):
        load_cars3d()
    assert [path.name for path in folder.iterdir()] == [cars3d.FILE.name]


def test_an_archive_of_too_many_cars(folder):
    small_files.cars3d(folder / cars3d.FILE.name)
    with pytest.raises(GanwalkError, match="it has more than 3 cars"):
        cars3d.load(64, DataPlace(download=False), (2, 3, 3))


def test_an_archive_of_cars_that_ends_too_early(folder):
    path = folder / cars3d.FILE.name
    small_files.cars3d(path, compressed=False)
    whole = path.read_bytes()
    for length in (1000, len(whole) // 2, len(whole) - 1000):
        path.write_bytes(whole[:length])
        with pytest.raises(GanwalkError, match="delete it, and get it again"):
            load_cars3d()


# CelebA

COLOURS = [((250, 20, 20), (20, 20, 250)), ((20, 250, 20), (250, 250, 20)), ((0, 0, 0), (255, 255, 255))]


def _photographs(resolution, **options):
    return load_dataset("celeba", resolution=resolution, download=False, **options)


@pytest.mark.parametrize("zipped", [False, True])
def test_celeba(folder, zipped):
    names = [f"00000{k + 1}.jpg" for k in range(3)]
    if zipped:
        with zipfile.ZipFile(folder / celeba.FILE.name, "w") as archive:
            archive.writestr("img_align_celeba/", b"")
            for name, colours in reversed(list(zip(names, COLOURS, strict=True))):
                archive.writestr(f"img_align_celeba/{name}", small_files.jpeg(colours))
            archive.writestr("__MACOSX/img_align_celeba/000001.jpg", b"nothing")
            archive.writestr("img_align_celeba/._000001.jpg", b"nothing")
    else:
        (folder / "img_align_celeba").mkdir()
        for name, colours in zip(names, COLOURS, strict=True):
            (folder / "img_align_celeba" / name).write_bytes(small_files.jpeg(colours))
        (folder / "img_align_celeba" / "readme.txt").write_text("photographs")
        (folder / "img_align_celeba" / "._000001.jpg").write_bytes(b"nothing")
    large, small = _photographs(64), _photographs(32)
    assert len(large) == 3 and large.factor_names == () and large.factors(np.arange(3)).shape == (3, 0)
    images = large.images(np.arange(3))
    for image, colours in zip(images.astype(int), COLOURS, strict=True):
        assert np.abs(image[:, :28] - colours[0]).max() < 12 and np.abs(image[:, 36:] - colours[1]).max() < 12
    assert np.abs(small.images(np.arange(3)) - small_files.means(images)).max() <= 0.5


def test_celeba_is_cropped_in_the_middle(folder):
    """Of 178×218 pixels, the crop starts 15 from the left and 35 from the top."""
    import io

    from PIL import Image

    image = np.zeros((218, 178, 3), np.uint8)
    image[35:183, 15:163] = 200
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    (folder / "000001.png").write_bytes(out.getvalue())
    assert (_photographs(64, root=folder).images(np.array([0])) == 200).all()


def test_another_folder_of_photographs_is_another_data_set(tmp_path):
    for name, n in (("few", 1), ("more", 2)):
        (tmp_path / name).mkdir()
        for k in range(n):
            (tmp_path / name / f"{k}.jpg").write_bytes(small_files.jpeg(COLOURS[k]))
        assert len(_photographs(32, root=tmp_path / name)) == n


def test_photographs_of_equal_names_sizes_and_times_are_told_apart(tmp_path):
    """As copies are of which one was edited: nothing but the folder differs."""
    found = []
    for name, colour in (("first", 40), ("second", 200)):
        (tmp_path / name).mkdir()
        data = small_files.jpeg(((colour, 0, 0),) * 2)
        (tmp_path / name / "0.jpg").write_bytes(data.ljust(2**14, b"\0"))
        os.utime(tmp_path / name / "0.jpg", (1e9, 1e9))
        found.append(_photographs(64, root=tmp_path / name).images(np.array([0])).astype(int)[..., 0].mean())
    assert found == pytest.approx([40, 200], abs=3)


def test_what_macos_leaves_alone_is_no_folder_of_photographs(folder):
    (folder / "._000001.jpg").write_bytes(b"nothing")
    with pytest.raises(GanwalkError, match="is not there: get"):
        _photographs(64)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"<html>", "neither JPEG nor PNG"),
        (small_files.jpeg(COLOURS[0])[:2000], "truncated"),
        (small_files.jpeg(COLOURS[0], (147, 200)), "it has 147×200 pixels"),
        (small_files.jpeg(COLOURS[0], (5000, 150)), "it has 5000×150 pixels"),
    ],
)
def test_what_is_no_photograph(folder, data, reason):
    (folder / "000001.jpg").write_bytes(data)
    with pytest.raises(GanwalkError, match=rf"000001\.jpg is no photograph of CelebA \(.*{reason}"):
        _photographs(64, root=folder)


def test_zips_without_photographs(folder):
    small_files.npz(folder / celeba.FILE.name, "readme.txt", b"")
    with pytest.raises(GanwalkError, match="has no photographs"):
        _photographs(64)
    (folder / celeba.FILE.name).write_bytes(b"PK")
    with pytest.raises(GanwalkError, match="delete it, and get it again"):
        _photographs(64)


def test_smallnorb_unpacked_and_a_root_that_is_a_file(folder, tmp_path):
    expected = small_files.smallnorb(tmp_path / smallnorb.FILE.name, packed=False)
    found = load_smallnorb(root=tmp_path).images(np.arange(96))
    assert np.array_equal(found, expected)
    again = load_smallnorb(32, root=tmp_path / smallnorb.FILE.name.removesuffix(".gz"))
    assert np.abs(again.images(np.arange(96)) - small_files.means(expected)).max() <= 0.5


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dat": np.zeros((48, 2, 96, 95), np.uint8)}, "it has an array of shape"),
        ({"dat": np.zeros((48, 2, 96, 96), np.int32)}, "it has an array of type 0x1e3d4c54 with 4 axes"),
        ({"cat": np.full(48, 2, np.int32)}, "factors beyond their ranges"),
        ({"info": np.ones((48, 4), np.int32)}, "factors beyond their ranges"),
        ({"info": np.zeros((48, 4), np.int32)}, "are missing, others come twice"),
    ],
)
def test_wrong_smallnorb(folder, changes, reason):
    small_files.smallnorb(folder / smallnorb.FILE.name, **changes)
    with pytest.raises(GanwalkError, match=reason):
        load_smallnorb()
    assert not list(folder.glob("*.npy*"))


def test_areas_of_two_thirds():
    images = np.random.default_rng(0).integers(256, size=(2, 6, 9, 1), dtype=np.uint8)
    # Of pictures as large again, means of 3×3 pixels.
    large = images.astype(float).repeat(2, axis=1).repeat(2, axis=2)
    expected = large.reshape(2, 4, 3, 6, 3, 1).mean(axis=(2, 4))
    assert np.abs(smallnorb._two_thirds(images) - expected).max() <= 0.5
