"""Every file is answered in bounded time and memory: small files that unfold, very large ones, and no files at all.

One process reads them all, each in a fork of its own whose CPU time is limited, and whose peak of memory is compared
with what it began with. Pickles as such are in `tests/inert/test_bounds.py`.
"""

import io
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from ganwalk.errors import GanwalkError
from ganwalk.files.tensors import TensorFileError, open_tensors
from ganwalk.interchange.contents import read_contents
from tests.generators.snapshots import PERSISTENT, dump, network
from tests.inert.hostile_files import archive, global_, integer, shared_dicts, string, text, times, zipped_tensor

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def prefixes(count):
    """A state dict that may be as many networks as it has names."""
    return b"}(" + b"".join(text(b"x%d.main.0.weight" % i) + b"N" for i in range(count)) + b"u"


# What is small is where fuzzing begins.
SMALL = {
    "arrays": lambda: text_of_arrays(10, 2**10),
    "empty tensors": lambda: tensors(described("ganwalk-generator-1", "{}"), **{f"t{i}": EMPTY for i in range(10)}),
    "labels": lambda: tensors(described("ganwalk-directions-1", json.dumps(FACTS | {"labels": [{}] * 10}))),
}


def npz(compressed, **members):
    """An archive of arrays in numpy's format; values are given as they are, or as the bytes of a whole member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as file:
        for name, value in members.items():
            with file.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(value, bytes):
                    member.write(value)
                else:
                    np.save(member, value)
    return stream.getvalue()


def steep(width):
    """A square matrix whose exponential is beyond all numbers."""
    values = np.zeros((width, width), np.float32)
    values[0] = 1e30
    return values


def zeros(kind, values, width=512):
    """The member of an array of zeros, without having it in memory twice."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": kind, "fortran_order": False, "shape": (values // width, width)}
    )
    return header.getvalue() + bytes(values * np.dtype(kind).itemsize)


def tensors(metadata, **entries):
    """A file of safetensors whose metadata are given as JSON text."""
    text = json.dumps({name: facts for name, facts in entries.items()})
    text = '{"__metadata__": ' + metadata + (", " + text[1:] if entries else "}")
    return struct.pack("<Q", len(text)) + text.encode()


EMPTY = {"dtype": "F32", "shape": [0, 8], "data_offsets": [0, 0]}
LABELLED = {"dtype": "F32", "shape": [1_000_000, 0], "data_offsets": [0, 0]}
FACTS = {
    "generator": {"reference": "scenes", "sha256": "", "architecture": "stylegan2", "resolution": 64},
    "layers": None,
    "space": "w",
    "method": "",
    "settings": {},
    "seed": 0,
    "version": "",
}


def described(key, text):
    return json.dumps({key: text})


# Of each file: its bytes, as what it is given, and its suffix.
UNFOLDING = {
    "deflated components of bytes": lambda: (npz(True, lat_comp=zeros("|i1", 2**28)), "import", ".npz"),
    "deflated components of float64": lambda: (npz(True, lat_comp=zeros("<f8", 2**26)), "import", ".npz"),
    "deflated header": lambda: (
        npz(True, lat_comp=b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**29) + bytes(2**29)),
        "import",
        ".npz",
    ),
    "announced components": lambda: (npz(False, lat_comp=zeros("|i1", 512)[:-512] + bytes(8)), "import", ".npz"),
    "one text of many arrays": lambda: (text_of_arrays(150), "generator", ".pkl"),
    "lists in metadata of directions": lambda: (
        tensors(described("ganwalk-directions-1", "[" + "[]," * 20_000_000 + "[]]")),
        "directions",
        ".safetensors",
    ),
    "lists in metadata of a generator": lambda: (
        tensors(described("ganwalk-generator-1", "[" + "[]," * 20_000_000 + "[]]")),
        "generator",
        ".safetensors",
    ),
    "lists in metadata that are given as an encoder": lambda: (
        tensors(described("ganwalk-encoder-1", "[" + "[]," * 20_000_000 + "[]]")),
        "encoder",
        ".safetensors",
    ),
    "empty labels": lambda: (
        tensors(
            described("ganwalk-directions-1", json.dumps(FACTS | {"labels": [{}] * 1_000_000})),
            vectors=LABELLED,
            scales=EMPTY | {"shape": [0]},
        ),
        "directions",
        ".safetensors",
    ),
    "empty tensors": lambda: (
        tensors(described("ganwalk-generator-1", "{}"), **{f"t{i}": EMPTY for i in range(100_000)}),
        "generator",
        ".safetensors",
    ),
    "one array in a long list": lambda: (
        archive(
            b"\x80\x04" + times(zipped_tensor((2**14,), count=2**14)[2:-1], b"h\x00", 15_000) + b".",
            [("data/0", bytes(2**16))],
        ),
        "import",
        ".pt",
    ),
    "one dict of networks in many networks": lambda: (
        dump({"G_ema": levels_of_networks()}, PERSISTENT),
        "generator",
        ".pkl",
    ),
    "a matrix whose exponential takes many products": lambda: (
        npz(True, log_mat_half=steep(2048)),
        "import",
        ".npz",
    ),
    "a matrix of another generator's width": lambda: (npz(True, log_mat_half=steep(4096)), "import", ".npz"),
    "many arrays": lambda: (npz(False, **{f"a{k}": np.zeros(1) for k in range(6000)}), "import", ".npz"),
    "a list of arrays in an archive": lambda: (
        npz(False, **{str(k): np.zeros(16) for k in range(6000)}),
        "import",
        ".npz",
    ),
    "a list of tensors spread over one storage": lambda: (
        archive(
            b"\x80\x04" + times(zipped_tensor((2,), (2**22 - 1,), 2**22)[2:-1], b"h\x00", 1000) + b".",
            [("data/0", bytes(2**24))],
        ),
        "import",
        ".pt",
    ),
    "wide latents": lambda: (npz(True, w=zeros("<f4", 2**27, 2**14)), "latents", ".npz"),
    "many latents": lambda: (npz(True, w=zeros("<f4", 10_000 * 18 * 512, 18 * 512)), "latents", ".npz"),
    "one dict in many places": lambda: (archive(b"\x80\x04" + shared_dicts(2, 19_000) + b"."), "import", ".pt"),
    "one tensor under many prefixes": lambda: (archive(b"\x80\x04" + prefixes(19_000) + b"."), "import", ".pt"),
}


def levels_of_networks(levels=18, width=6000):
    """A snapshot's network whose networks hold one dict of networks, on every level."""
    names = [f"c{i}" for i in range(width)]
    part = network("Leaf")
    for _ in range(levels):
        part = network("Branch", modules=dict.fromkeys(names, part))
    return network("Generator", modules={"synthesis": part, "mapping": network("M")})


def text_of_arrays(count, size=2**24):
    """A TensorFlow snapshot of Python 2 whose variables are made of one text."""
    shared = text(b"\x01" * size) + b"q\x000"
    dtype = b"(cnumpy\ndtype\n(" + string("f4") + b"tR"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + integer(size // 4, 2) + b"\x85" + dtype[1:] + b"\x89h\x00tb"
    )
    variables = (
        b"](" + b"".join(string(f"v{i}" if i else "4x4/Dense/weight") + array + b"\x86" for i in range(count)) + b"e"
    )
    state = b"}(" + string("version") + b"K\x04" + string("variables") + variables + b"u"
    return b"\x80\x04" + shared + global_("dnnlib.tflib.network", "Network") + b")\x81" + state + b"b."


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        if name in ("deflated header", "deflated components of float64")
        else name
        for name in UNFOLDING
    ],
)
def test_small_files_do_not_become_gigabytes(measure, name):
    data, reader, suffix = UNFOLDING[name]()
    assert measure(data, reader, suffix)


def test_a_large_file_that_is_none_is_not_hashed(measure, tmp_path):
    path = tmp_path / "large.pkl"
    with path.open("wb") as file:
        file.truncate(40 * 2**30)
    assert "is not a checkpoint" in measure(["ganwalk", "info", path], "command")
    with path.open("r+b") as file:
        file.write(b"\x80\x04N0.")
    assert "is not a checkpoint" in measure(["ganwalk", "info", path], "command")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
@pytest.mark.parametrize("arguments", [["info"], ["import", "--generator", "scenes", "-o", "new.safetensors"]])
def test_files_that_the_system_makes_up_are_refused(measure, tmp_path, arguments):
    for name in ("/proc/self/status", "/proc/self/mem", "/proc/self/environ"):
        assert measure(["ganwalk", arguments[0], name, *arguments[1:]], "command")


def test_a_file_that_is_cut_while_it_is_read_is_no_crash(tmp_path):
    values = torch.zeros(2**20)
    path = tmp_path / "cut"
    save_file({"a": values}, path)
    with open_tensors(path) as file:
        os.truncate(path, 5000)
        with pytest.raises(TensorFileError, match="cut off"):
            file.read("a")
    np.save(path.with_suffix(".npy"), values.numpy())
    array = read_contents(path.with_suffix(".npy")).entries[""]
    os.truncate(path.with_suffix(".npy"), 5000)
    with pytest.raises(GanwalkError, match="damaged"):
        array.read()
